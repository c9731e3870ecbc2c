"""Expiry notices, and what they look ahead at."""

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
    for statement in grants.new_table("ledger.notice", "insert, update to manex_ledger"):
        op.execute(statement)
