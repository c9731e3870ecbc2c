"""Launched offers give: out of whose budget, how often, and what each member had of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import new_table

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("offer", sa.Column("giving", postgresql.JSONB(), nullable=True), schema="merchants")
    op.add_column("offer", sa.Column("funder_id", sa.UUID(), nullable=True), schema="merchants")
    op.add_column("offer", sa.Column("agreed", sa.LargeBinary(), nullable=True), schema="merchants")
    # of an audience by segment or tier: which
    op.add_column("offer", sa.Column("chosen", postgresql.JSONB(), nullable=True), schema="merchants")
    op.drop_constraint("offer_audience", "offer", schema="merchants")
    op.create_check_constraint(
        "offer_audience", "offer", "audience in ('all', 'shop', 'list', 'segment', 'tier')", schema="merchants"
    )
    runs = sa.text("state = 'launched' and giving is not null")
    op.create_index("offer_giving", "offer", ["book_id"], schema="merchants", postgresql_where=runs)
    op.create_table(
        "offer_use",
        sa.Column("offer_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("times", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("points", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "member_id", name="offer_use_pkey"),
        schema="merchants",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_table(
        "offer_day",
        sa.Column("offer_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "day", name="offer_day_pkey"),
        schema="merchants",
        postgresql_with={"fillfactor": "80"},
    )
    # the sponsorship or the offer that gave it
    op.alter_column("bonus", "sponsorship_id", new_column_name="giver_id", schema="merchants")
    for statement in (
        *new_table("merchants.offer_use", "insert, update to manex_ledger"),
        *new_table("merchants.offer_day", "insert, update to manex_ledger"),
        # with the rest of a draft; what its funder agreed to is the ledger's
        "grant update (giving, funder_id, chosen) on merchants.offer to manex_door",
        "grant update (agreed, chosen) on merchants.offer to manex_ledger",
    ):
        op.execute(statement)
