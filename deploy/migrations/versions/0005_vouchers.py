"""Vouchers: points set aside for a member's device to spend at one shop without network."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import new_table

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "voucher",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("device_id", sa.UUID(), nullable=False),
        sa.Column("public_key", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spend_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=Text()), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_index("voucher_of_member", "voucher", ["member_id", "id"], unique=False, schema="merchants")
    for statement in new_table("merchants.voucher", "insert to manex_ledger"):
        op.execute(statement)
