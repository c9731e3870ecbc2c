"""The rails: whom merchants are paid through, instructions, files to and from banks, what providers told."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import LATER_TENANT_ROWS, new_table

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "payee",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("rail", sa.Text(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bic", sa.Text(), nullable=True),
        sa.Column("set_by", sa.UUID(), nullable=False),
        sa.Column("approved_by", sa.UUID(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "rail", name="payee_pkey"),
        sa.CheckConstraint("approved_by <> set_by", name="payee_two_people"),
        schema="settlement",
    )
    op.create_table(
        "payout_file",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("window_number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("execute_on", sa.Date(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bic", sa.Text(), nullable=True),
        sa.Column("instructions", sa.Integer(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="settlement",
    )
    op.create_index("payout_file_of_window", "payout_file", ["book_id", "window_number"], schema="settlement")
    op.create_table(
        "instruction",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("rail", sa.Text(), nullable=False),
        sa.Column("window_number", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column("payment_record_id", sa.UUID(), nullable=True),
        sa.Column("returned_record_id", sa.UUID(), nullable=True),
        sa.Column("file_id", sa.UUID(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("bic", sa.Text(), nullable=True),
        sa.Column("rail_reference", sa.Text(), nullable=True),
        sa.Column("rail_url", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claim", sa.UUID(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("amount_minor > 0", name="instruction_amount"),
        sa.CheckConstraint("direction in ('pay_out', 'pay_in', 'topup')", name="instruction_direction"),
        sa.CheckConstraint(
            "state in ('made', 'sent', 'unknown', 'confirmed', 'refused', 'returned')", name="instruction_state"
        ),
        sa.CheckConstraint("(direction = 'topup') = (window_number is null)", name="instruction_window"),
        schema="settlement",
    )
    op.create_index(
        "instruction_live",
        "instruction",
        ["book_id", "window_number", "merchant_id"],
        unique=True,
        schema="settlement",
        postgresql_where=sa.text("state in ('made', 'sent', 'unknown')"),
    )
    op.create_index(
        "instruction_named",
        "instruction",
        ["rail_reference"],
        unique=True,
        schema="settlement",
        postgresql_where=sa.text("rail <> 'bank'"),
    )
    op.create_index("instruction_of_file", "instruction", ["file_id"], schema="settlement")
    op.create_index("instruction_of_window", "instruction", ["book_id", "window_number", "id"], schema="settlement")
    op.create_index(
        "instruction_to_send",
        "instruction",
        ["book_id", "next_try_at"],
        schema="settlement",
        postgresql_where=sa.text("next_try_at is not null"),
    )
    op.create_table(
        "bank_file",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("book_id", "content_hash", name="bank_file_content"),
        sa.UniqueConstraint("book_id", "message_id", name="bank_file_message"),
        schema="settlement",
    )
    op.create_table(
        "bank_statement",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.UUID(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("statement_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("opening_minor", sa.BigInteger(), nullable=True),
        sa.Column("closing_minor", sa.BigInteger(), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("book_id", "account", "format", "statement_id", name="bank_statement_once"),
        schema="settlement",
    )
    op.create_table(
        "bank_line",
        sa.Column("statement_id", sa.UUID(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("booked", sa.Date(), nullable=False),
        sa.Column("value", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("remittance", sa.Text(), nullable=False),
        sa.Column("end_to_end_id", sa.Text(), nullable=False),
        sa.Column("structured_reference", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("entry_reference", sa.Text(), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False),
        sa.Column("instruction_id", sa.UUID(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("statement_id", "ordinal", name="bank_line_pkey"),
        schema="settlement",
    )
    op.create_table(
        "rail_event",
        sa.Column("rail", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("instruction_id", sa.UUID(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rail", "event_id", name="rail_event_pkey"),
        schema="settlement",
    )
    tenants = LATER_TENANT_ROWS["settlement.instruction"]
    sending = "state, tries, next_try_at, claim, claimed_until, last_error, rail_reference, rail_url"
    told = "state, payment_record_id, returned_record_id, rail_reference, reason, next_try_at"
    statements = [
        *new_table("settlement.payee", "insert, update to manex_door"),
        *new_table("settlement.payout_file", "insert to manex_ledger"),
        *new_table(
            "settlement.instruction",
            f"insert, update ({told}) to manex_ledger",
            f"update ({sending}) to manex_settlement",
            "update (next_try_at, tries) to manex_door",
            tenant_rows=tenants,
        ),
        *new_table("settlement.bank_file", "insert to manex_ledger"),
        *new_table("settlement.bank_statement", "insert to manex_ledger"),
        *new_table("settlement.bank_line", "insert to manex_ledger"),
        *new_table("settlement.rail_event", "insert to manex_ledger"),
    ]
    for statement in statements:
        op.execute(statement)
