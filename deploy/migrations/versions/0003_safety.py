"""The kill switch, frozen branches, brakes, velocity limits and flags."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations import grants

revision = "0003"
down_revision = "0002"

_GRANTS = [
    "grant update (stopped) on ledger.book to manex_ledger",
    "grant update (state) on merchants.member to manex_ledger",
    "grant update (state) on merchants.branch to manex_ledger",
    "grant update (state) on merchants.merchant to manex_ledger",
    *grants.new_table("merchants.brake", "insert to manex_ledger"),
    *grants.new_table("merchants.velocity_limit", "insert, delete to manex_ledger"),
    *grants.new_table("merchants.velocity_count", "insert, update, delete to manex_ledger"),
    *grants.new_table("merchants.flag", "insert, update to manex_ledger"),
]


def upgrade() -> None:
    op.add_column(
        "book", sa.Column("stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False), schema="ledger"
    )
    op.execute("alter table merchants.branch drop constraint if exists branch_state")
    op.create_check_constraint("branch_state", "branch", "state in ('active', 'frozen', 'closed')", schema="merchants")
    op.create_table(
        "brake",
        sa.Column("record_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("operator_id", sa.UUID(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
        sa.UniqueConstraint("subject_id", "revision", name="brake_revision"),
        schema="merchants",
    )
    op.create_index("brake_of_book", "brake", ["book_id", "record_id"], unique=False, schema="merchants")
    op.create_table(
        "velocity_limit",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("per_minutes", sa.Integer(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("subject in ('key', 'member', 'merchant')", name="velocity_limit_subject"),
        sa.CheckConstraint(
            "what in ('earn_points', 'sale_count', 'redeem_points', 'redeem_count')", name="velocity_limit_what"
        ),
        sa.PrimaryKeyConstraint("book_id", "subject", "what", "per_minutes", name="velocity_limit_pkey"),
        schema="merchants",
    )
    op.create_table(
        "velocity_count",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("step_minutes", sa.Integer(), nullable=False),
        sa.Column("steps", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("amounts", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "subject", "subject_id", "what", "step_minutes", name="velocity_count_pkey"),
        schema="merchants",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "flag",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("branch_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("sale_ids", sa.ARRAY(sa.UUID()), nullable=False),
        sa.Column("redemption_references", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("book_id", "day", "reason", "subject", "subject_id", "what", name="flag_day"),
        schema="merchants",
    )
    op.create_index("flag_of_book", "flag", ["book_id", "id"], unique=False, schema="merchants")
    for statement in _GRANTS:
        op.execute(statement)
