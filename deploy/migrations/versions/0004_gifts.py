"""Gifts, households, companies' people; contracts by kind of person; consents confirmed on the telephone."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import new_table

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "gift",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("giver_id", sa.UUID(), nullable=False),
        sa.Column("receiver_id", sa.UUID(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_index("gift_of_giver", "gift", ["giver_id", "id"], schema="merchants")
    op.create_index("gift_of_receiver", "gift", ["receiver_id", "id"], schema="merchants")
    op.create_table(
        "gift_day",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("given_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("gifts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("received_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("member_id", "day", name="gift_day_pkey"),
        schema="merchants",
    )
    op.create_table(
        "gift_rule",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("points_a_day", sa.BigInteger(), nullable=False),
        sa.Column("gifts_a_day", sa.Integer(), nullable=False),
        sa.Column("received_a_day", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id"),
        schema="merchants",
    )
    op.create_table(
        "household",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("founder_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('family', 'company')", name="household_kind"),
        sa.CheckConstraint("state in ('active', 'ended')", name="household_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    op.create_table(
        "household_person",
        sa.Column("household_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shared_points", sa.BigInteger(), nullable=True),
        sa.Column("own_points", sa.BigInteger(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.CheckConstraint("state in ('invited', 'declined', 'active', 'left')", name="household_person_state"),
        sa.PrimaryKeyConstraint("household_id", "member_id", name="household_person_pkey"),
        schema="merchants",
    )
    op.create_index(
        "household_of_member",
        "household_person",
        ["member_id"],
        unique=True,
        schema="merchants",
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        "household_asking",
        "household_person",
        ["member_id"],
        schema="merchants",
        postgresql_where=sa.text("state = 'invited'"),
    )
    op.add_column("redemption", sa.Column("consented_by", sa.UUID(), nullable=True), schema="merchants")
    op.add_column(
        "member", sa.Column("confirmation_asked_at", sa.DateTime(timezone=True), nullable=True), schema="merchants"
    )
    op.add_column("member", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True), schema="merchants")
    op.add_column(
        "one_time_code",
        sa.Column("purpose", sa.Text(), server_default="sign_in", nullable=False),
        schema="merchants",
    )
    op.create_check_constraint(
        "one_time_code_purpose", "one_time_code", "purpose in ('sign_in', 'confirm')", schema="merchants"
    )
    for name in ("earns_for", "spends_for"):
        op.add_column(
            "contract",
            sa.Column(name, sa.ARRAY(sa.Text()), server_default="{natural,legal}", nullable=False),
            schema="merchants",
        )
    for statement in (
        *new_table("merchants.gift", "insert to manex_ledger"),
        *new_table("merchants.gift_day", "insert, update to manex_ledger"),
        *new_table("merchants.gift_rule", "insert, update to manex_ledger"),
        *new_table("merchants.household", "insert, update to manex_ledger"),
        *new_table("merchants.household_person", "insert, update to manex_ledger"),
    ):
        op.execute(statement)
