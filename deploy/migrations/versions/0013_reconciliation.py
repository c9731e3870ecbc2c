"""Reconciliation: what banks, payment providers and tills said, what matches it, and the breaks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import LATER_TENANT_ROWS, new_table

revision = "0013"
down_revision = "0012"


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _lines()
    _matches()
    _breaks()
    settles = "insert, update to manex_settlement"
    for statement in (
        *new_table("settlement.reconciled", settles),
        *new_table("settlement.told_file", "insert to manex_settlement"),
        *new_table(
            "settlement.told_line",
            "insert, update (state) to manex_settlement",
            tenant_rows=LATER_TENANT_ROWS["settlement.told_line"],
        ),
        *new_table("settlement.match", settles),
        *new_table("settlement.match_leg", "insert, delete to manex_settlement"),
        *new_table("settlement.break", settles, tenant_rows=LATER_TENANT_ROWS["settlement.break"]),
        *new_table("settlement.break_step", "insert to manex_settlement"),
        *new_table("settlement.break_adjustment", "insert to manex_ledger"),
    ):
        op.execute(statement)


def _lines() -> None:
    op.create_table(
        "reconciled",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        _when("at", nullable=True),
        sa.PrimaryKeyConstraint("book_id", "source", name="reconciled_pkey"),
        schema="settlement",
    )
    op.create_table(
        "told_file",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        _when("first_at"),
        _when("last_at"),
        sa.Column("actor", sa.Text(), nullable=False),
        _when("at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "book_id", "source", "merchant_id", "digest", name="told_file_once", postgresql_nulls_not_distinct=True
        ),
        schema="settlement",
    )
    op.create_table(
        "told_line",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _when("at"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("original", sa.Text(), nullable=False),
        sa.Column("window_number", sa.Integer(), nullable=True),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("instruction_id", sa.UUID(), nullable=True),
        sa.Column("shown_to", sa.UUID(), nullable=True),
        sa.Column("file_id", sa.UUID(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("stem", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("source in ('stream', 'psp', 'bank', 'till')", name="told_line_source"),
        sa.CheckConstraint("side in ('ours', 'theirs')", name="told_line_side"),
        sa.CheckConstraint("state in ('open', 'matched', 'set_aside')", name="told_line_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="settlement",
    )
    for name, columns, where in (
        ("told_line_open", ["book_id", "source"], "state = 'open'"),
        ("told_line_key", ["book_id", "source", "key"], "key <> ''"),
        ("told_line_stem", ["book_id", "source", "stem"], "stem <> '' and side = 'ours'"),
        ("told_line_party", ["book_id", "source", "party"], "party <> '' and side = 'ours'"),
    ):
        op.create_index(name, "told_line", columns, schema="settlement", postgresql_where=sa.text(where))


def _matches() -> None:
    op.create_table(
        "match",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("confidence_ppm", sa.Integer(), nullable=False),
        sa.Column("difference_minor", sa.BigInteger(), nullable=False),
        sa.Column("line_ids", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _when("at"),
        sa.Column("made_by", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("split_by", sa.UUID(), nullable=True),
        sa.Column("split_reason", sa.Text(), nullable=True),
        _when("split_at", nullable=True),
        sa.CheckConstraint("state in ('standing', 'split')", name="match_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="settlement",
    )
    op.create_index("match_of_book", "match", ["book_id", "source", "id"], schema="settlement")
    op.create_table(
        "match_leg",
        sa.Column("line_id", sa.UUID(), nullable=False),
        sa.Column("match_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("line_id"),
        schema="settlement",
    )
    op.create_index("match_leg_of_match", "match_leg", ["match_id"], schema="settlement")


def _breaks() -> None:
    op.create_table(
        "break",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("shown_to", sa.UUID(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("line_ids", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=False),
        _when("at"),
        sa.Column("reason", sa.Text(), nullable=True),
        _when("ended_at", nullable=True),
        sa.Column("ended_by", sa.UUID(), nullable=True),
        sa.Column("record_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("state in ('open', 'explained', 'resolved')", name="break_state"),
        sa.CheckConstraint("state <> 'resolved' or (reason is not null and ended_at is not null)", name="break_ended"),
        sa.PrimaryKeyConstraint("id"),
        schema="settlement",
    )
    op.create_index("break_of_book", "break", ["book_id", "id"], schema="settlement")
    standing, shown = sa.text("state <> 'resolved'"), sa.text("shown_to is not null")
    op.create_index("break_standing", "break", ["book_id", "source"], schema="settlement", postgresql_where=standing)
    op.create_index("break_of_lines", "break", ["line_ids"], schema="settlement", postgresql_using="gin")
    op.create_index("break_shown", "break", ["shown_to", "id"], schema="settlement", postgresql_where=shown)
    op.create_table(
        "break_step",
        sa.Column("break_id", sa.UUID(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        _when("at"),
        sa.Column("by", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("break_id", "n", name="break_step_pkey"),
        schema="settlement",
    )
    op.create_table(
        "break_adjustment",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("break_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="settlement",
    )
    op.create_index("break_adjustment_of_break", "break_adjustment", ["break_id", "id"], schema="settlement")
