"""Ladders of tiers, and how members stand on them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import new_table

revision = "0020"
down_revision = "0013"


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _record() -> tuple[sa.Column[int], sa.Column[int]]:
    return sa.Column("batch_id", sa.BigInteger(), nullable=False), sa.Column("n", sa.SmallInteger(), nullable=False)


def upgrade() -> None:
    _ladders()
    _standings()
    posts = "insert to manex_ledger"
    for statement in (
        *new_table("merchants.ladder", posts),
        *new_table("merchants.tier_by_hand", posts),
        *new_table("merchants.standing", "insert, update to manex_ledger"),
        *new_table("merchants.tier_held", "insert, update (until) to manex_ledger"),
        *new_table("merchants.standing_place", "insert, update to manex_ledger"),
        *new_table("merchants.standing_sweep", "insert, update, delete to manex_ledger"),
    ):
        op.execute(statement)


def _ladders() -> None:
    op.create_table(
        "ladder",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", postgresql.JSONB(), nullable=False),
        _when("at"),
        *_record(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner_id", "version", name="ladder_version"),
        schema="merchants",
    )
    op.create_index("ladder_of_book", "ladder", ["book_id", "owner_id"], schema="merchants")
    op.create_table(
        "tier_by_hand",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        _when("ends_at", nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        _when("at"),
        *_record(),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_index("tier_by_hand_of_member", "tier_by_hand", ["member_id", "owner_id"], schema="merchants")


def _standings() -> None:
    op.create_table(
        "standing",
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        _when("since", nullable=True),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        _when("looked_at"),
        sa.Column("kept", sa.Text(), nullable=True),
        _when("kept_until", nullable=True),
        _when("due_at", nullable=True),
        sa.PrimaryKeyConstraint("member_id", "owner_id", name="standing_pkey"),
        schema="merchants",
        postgresql_with={"fillfactor": "80"},
    )
    is_due = sa.text("due_at is not null")
    op.create_index("standing_due", "standing", ["book_id", "due_at"], schema="merchants", postgresql_where=is_due)
    op.create_table(
        "tier_held",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        _when("since"),
        _when("until", nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", postgresql.JSONB(), nullable=False),
        sa.Column("ladder_id", sa.UUID(), nullable=False),
        *_record(),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_index(
        "tier_held_now",
        "tier_held",
        ["member_id", "owner_id"],
        unique=True,
        schema="merchants",
        postgresql_where=sa.text("until is null"),
    )
    op.create_index("tier_held_of_member", "tier_held", ["member_id", "owner_id", "since"], schema="merchants")
    op.create_table(
        "standing_place",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id"),
        schema="merchants",
    )
    op.create_table(
        "standing_sweep",
        sa.Column("owner_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("after_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id"),
        schema="merchants",
    )
    op.create_index("standing_sweep_of_book", "standing_sweep", ["book_id"], schema="merchants")
