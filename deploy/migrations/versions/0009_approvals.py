"""Consent by approval in the wallet: what shops ask of members, and what became of it."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import LATER_TENANT_ROWS, new_table

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "approval",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("branch_id", sa.UUID(), nullable=False),
        sa.Column("till_id", sa.UUID(), nullable=True),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("external_reference", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("capture", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("(points is null) <> (value_minor is null)", name="approval_asked"),
        sa.CheckConstraint(
            "state in ('awaiting', 'approved', 'declined', 'withdrawn', 'lapsed')", name="approval_state"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("merchant_id", "external_reference", name="approval_reference"),
        schema="merchants",
    )
    awaiting = sa.text("state = 'awaiting'")
    op.create_index(
        "approval_awaiting",
        "approval",
        ["member_id", "merchant_id", "slot"],
        unique=True,
        schema="merchants",
        postgresql_where=awaiting,
    )
    op.create_index("approval_of_member", "approval", ["member_id", "merchant_id", "at"], schema="merchants")
    op.create_index("approval_due", "approval", ["book_id", "deadline"], schema="merchants", postgresql_where=awaiting)
    tenants = LATER_TENANT_ROWS["merchants.approval"]
    for statement in new_table("merchants.approval", "insert, update (state) to manex_ledger", tenant_rows=tenants):
        op.execute(statement)
