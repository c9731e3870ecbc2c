"""Top-ups that are taken back, and merchants suspended by the clock when their pay-in is missing."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import LATER_TENANT_ROWS, new_table

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.alter_column("brake", "operator_id", nullable=True, schema="merchants")
    op.create_table(
        "pay_in_grace",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("days between 1 and 365", name="pay_in_grace_days"),
        sa.PrimaryKeyConstraint("book_id"),
        schema="settlement",
    )
    op.create_table(
        "charge_back",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("topup_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("prefund_minor", sa.BigInteger(), nullable=False),
        sa.Column("charged_minor", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.UUID(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record_id", sa.UUID(), nullable=True),
        sa.Column("reversed_record_id", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("amount_minor > 0", name="charge_back_amount"),
        sa.CheckConstraint(
            "state in ('proposed', 'rejected', 'booked', 'reversal_proposed', 'reversed')", name="charge_back_state"
        ),
        sa.CheckConstraint(
            "prefund_minor >= 0 and charged_minor >= 0"
            " and prefund_minor + charged_minor = case when record_id is null then 0 else amount_minor end",
            name="charge_back_parts",
        ),
        schema="settlement",
    )
    op.create_index("charge_back_of_book", "charge_back", ["book_id", "id"], schema="settlement")
    op.create_index("charge_back_of_topup", "charge_back", ["topup_id"], schema="settlement")
    op.create_index(
        "charge_back_named",
        "charge_back",
        ["book_id", "source", "reference"],
        unique=True,
        schema="settlement",
        postgresql_where=sa.text("state <> 'rejected'"),
    )
    op.create_index(
        "item_charged_back",
        "item",
        ["book_id", "window_number", "issuer_id"],
        schema="settlement",
        postgresql_where=sa.text("reason = 'charge_back'"),
    )
    changed = "state, revision, prefund_minor, charged_minor, proposed_by, record_id, reversed_record_id"
    tenants = LATER_TENANT_ROWS["settlement.charge_back"]
    for statement in (
        *new_table("settlement.pay_in_grace", "insert, update to manex_ledger"),
        *new_table("settlement.charge_back", f"insert, update ({changed}) to manex_ledger", tenant_rows=tenants),
    ):
        op.execute(statement)
