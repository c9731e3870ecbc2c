"""Ladders of tiers, and how members stand on them; entitlements, grants and uses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import new_table

revision = "0020"
down_revision = "0019"


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _record() -> tuple[sa.Column[int], sa.Column[int]]:
    return sa.Column("batch_id", sa.BigInteger(), nullable=False), sa.Column("n", sa.SmallInteger(), nullable=False)


def upgrade() -> None:
    _ladders()
    _standings()
    _entitlements()
    posts = "insert to manex_ledger"
    for statement in (
        *new_table("merchants.ladder", posts),
        *new_table("merchants.tier_by_hand", posts),
        *new_table("merchants.standing", "insert, update to manex_ledger"),
        *new_table("merchants.tier_held", "insert, update (until) to manex_ledger"),
        *new_table("merchants.standing_place", "insert, update to manex_ledger"),
        *new_table("merchants.standing_sweep", "insert, update, delete to manex_ledger"),
        *new_table("merchants.entitlement", "insert, update (state, used, ended_at) to manex_ledger"),
        *new_table("merchants.entitlement_grant", "insert, update (ended_at) to manex_ledger"),
        *new_table("merchants.entitlement_use", "insert, update (voided_at) to manex_ledger"),
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


def _entitlements() -> None:
    op.create_table(
        "entitlement",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("tiers", postgresql.JSONB(), nullable=False),
        sa.Column("capacity", postgresql.JSONB(), nullable=False),
        _when("begins_at"),
        _when("ends_at", nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        _when("opened_at"),
        _when("ended_at", nullable=True),
        *_record(),
        sa.CheckConstraint("who in ('everybody', 'tiers', 'granted')", name="entitlement_who"),
        sa.CheckConstraint("state in ('open', 'ended')", name="entitlement_state"),
        sa.CheckConstraint("used >= 0", name="entitlement_used"),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("entitlement_of_merchant", "entitlement", ["merchant_id", "id"], schema="merchants")
    is_open = sa.text("state = 'open'")
    op.create_index("entitlement_open", "entitlement", ["book_id"], schema="merchants", postgresql_where=is_open)
    op.create_table(
        "entitlement_grant",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("entitlement_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=True),
        _when("ends_at", nullable=True),
        _when("at"),
        _when("ended_at", nullable=True),
        *_record(),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_index(
        "entitlement_grant_of_member", "entitlement_grant", ["member_id", "entitlement_id"], schema="merchants"
    )
    op.create_table(
        "entitlement_use",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("entitlement_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("branch_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("grant_id", sa.UUID(), nullable=True),
        sa.Column("external_reference", sa.Text(), nullable=False),
        _when("at"),
        _when("voided_at", nullable=True),
        *_record(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("merchant_id", "external_reference", name="entitlement_use_reference"),
        schema="merchants",
    )
    stands = sa.text("voided_at is null")
    for name, columns in (
        ("entitlement_use_of_day", ["entitlement_id", "at"]),
        ("entitlement_use_of_member", ["entitlement_id", "member_id"]),
    ):
        op.create_index(name, "entitlement_use", columns, schema="merchants", postgresql_where=stands)
