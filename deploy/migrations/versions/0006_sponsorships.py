"""Sponsorships: who gives points at whose sales, the lots that were given, and the budgets they come from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import new_table

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "sponsorship",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("shops", sa.ARRAY(sa.UUID()), nullable=True),
        sa.Column("rules", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('open', 'ended')", name="sponsorship_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_index("sponsorship_of_merchant", "sponsorship", ["merchant_id", "id"], schema="merchants")
    op.create_index(
        "sponsorship_open",
        "sponsorship",
        ["book_id", "ends_at"],
        schema="merchants",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "bonus",
        sa.Column("sale_id", sa.UUID(), nullable=False),
        sa.Column("sponsorship_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.UUID(), nullable=False),
        sa.Column("lot_id", sa.UUID(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("taken_back", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("returned", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("sale_id", "sponsorship_id"),
        schema="merchants",
    )
    op.create_index(
        "account_budget",
        "account",
        ["book_id", "owner_id"],
        schema="ledger",
        postgresql_where=sa.text("kind = 'budget'"),
    )
    for statement in (
        *new_table("merchants.sponsorship", "insert, update (state, ended_at) to manex_ledger"),
        *new_table("merchants.bonus", "insert, update (taken_back, returned) to manex_ledger"),
    ):
        op.execute(statement)
