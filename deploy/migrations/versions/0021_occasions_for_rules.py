"""From when members' anniversaries count for rules; the rules of an offer in force name versions of segments."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import new_table

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "occasion_memory",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("counts_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "kind in ('birthday', 'wedding_anniversary', 'company_anniversary')", name="occasion_memory_kind"
        ),
        sa.CheckConstraint("(removed_at is null) = (digest is null)", name="occasion_memory_removed"),
        sa.PrimaryKeyConstraint("member_id", "kind", name="occasion_memory_pkey"),
        schema="merchants",
    )
    op.create_index(
        "occasion_memory_over",
        "occasion_memory",
        ["book_id", "removed_at"],
        schema="merchants",
        postgresql_where=sa.text("removed_at is not null"),
    )
    for statement in new_table("merchants.occasion_memory", "insert, update, delete to manex_door"):
        op.execute(statement)
    op.execute("grant update (variants) on merchants.offer to manex_ledger")
    # what was told before counts from now on
    op.execute(
        "insert into merchants.occasion_memory (member_id, kind, book_id, counts_from)"
        " select distinct o.member_id, o.kind, o.book_id, coalesce(k.clock, now())"
        " from merchants.occasion o join ledger.book k on k.id = o.book_id where o.kind <> 'own'"
    )
