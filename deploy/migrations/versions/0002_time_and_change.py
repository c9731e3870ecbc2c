"""Expiry notices; changes that wait for a window's end; merchants that leave."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations import grants

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lot_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "days", name="notice_pkey"),
        schema="ledger",
    )
    op.create_index(
        "lot_to_expire",
        "lot",
        ["book_id", "expires_at", "id"],
        schema="ledger",
        postgresql_where=sa.text("remaining > 0 or pending > 0"),
    )
    op.add_column(
        "issuer", sa.Column("exited", sa.Boolean(), nullable=False, server_default=sa.text("false")), schema="ledger"
    )
    op.create_table(
        "agreed",
        sa.Column("subject_id", postgresql.UUID(as_uuid=True), primary_key=True),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind", sa.Text(), sa.CheckConstraint("kind in ('contract', 'rules')", name="agreed_kind"), nullable=False
        ),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("record_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        schema="merchants",
    )
    op.create_index("agreed_of_book", "agreed", ["book_id"], schema="merchants")
    for statement in [
        *grants.new_table("ledger.notice", "insert, update to manex_ledger"),
        *grants.new_table("merchants.agreed", "insert, update, delete to manex_ledger"),
        "grant update (face_value_minor, points_life_days, inactivity_days) on ledger.book to manex_ledger",
        "grant update (state) on merchants.merchant to manex_ledger",
    ]:
        op.execute(statement)
