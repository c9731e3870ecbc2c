"""Offers: their design, who is in them and in which arm, and what was counted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import LATER_TENANT_ROWS, new_table

revision = "0015"
down_revision = "0014"


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


#: Who is in which arm, and what was launched, stay as they are whatever a program of the house tries.
_GUARDS = (
    """
    create function merchants.refuse_offer_change() returns trigger language plpgsql as $$
    begin
        if old.state <> 'draft' and (to_jsonb(new) - '{state,ended_at,count_at}'::text[])
            <> (to_jsonb(old) - '{state,ended_at,count_at}'::text[]) then
            raise exception 'a launched offer never changes' using errcode = 'restrict_violation';
        end if;
        return new;
    end $$
    """,
    "create trigger launched_stays before update on merchants.offer"
    " for each row execute function merchants.refuse_offer_change()",
    "create trigger facts_stay before update or delete or truncate on merchants.offer_member"
    " for each statement execute function ledger.refuse_change()",
    "create trigger facts_stay before update or delete or truncate on merchants.offer_tally"
    " for each statement execute function ledger.refuse_change()",
)


def upgrade() -> None:
    op.create_table(
        "offer",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("members", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("holdout_ppm", sa.Integer(), nullable=False),
        sa.Column("variants", postgresql.JSONB(), nullable=False),
        _when("begins_at", nullable=True),
        _when("ends_at", nullable=True),
        sa.Column("windows_days", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("pre_days", sa.Integer(), nullable=False),
        sa.Column("margin", postgresql.JSONB(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _when("drafted_at"),
        _when("launched_at", nullable=True),
        sa.Column("audience_size", sa.Integer(), nullable=True),
        _when("ended_at", nullable=True),
        _when("count_at", nullable=True),
        sa.CheckConstraint("audience in ('all', 'shop', 'list')", name="offer_audience"),
        sa.CheckConstraint("state in ('draft', 'launched', 'ended')", name="offer_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="merchants",
    )
    for name, columns, where in (
        ("offer_of_merchant", ["merchant_id", "id"], None),
        ("offer_to_end", ["book_id", "ends_at"], "state = 'launched'"),
        ("offer_to_count", ["book_id", "count_at"], "count_at is not null"),
    ):
        partly = sa.text(where) if where else None
        op.create_index(name, "offer", columns, schema="merchants", postgresql_where=partly)
    op.create_table(
        "offer_member",
        sa.Column("offer_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "member_id", name="offer_member_pkey"),
        schema="merchants",
    )
    op.create_index("offer_of_member", "offer_member", ["member_id"], schema="merchants")
    op.create_table(
        "offer_tally",
        sa.Column("offer_id", sa.UUID(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Numeric(), nullable=False) for name in ("y", "yy", "x", "xx", "xy")),
        sa.Column("through_sequence", sa.BigInteger(), nullable=False),
        _when("counted_at"),
        sa.PrimaryKeyConstraint("offer_id", "days", "arm", "metric", name="offer_tally_pkey"),
        schema="merchants",
    )
    for statement in _GUARDS:
        op.execute(statement)
    changeable = "name, audience, members, holdout_ppm, variants, begins_at, ends_at, windows_days, pre_days, margin"
    for statement in (
        *new_table(
            "merchants.offer",
            "insert, update (state, launched_at, begins_at, audience_size, ended_at, count_at) to manex_ledger",
            # a draft is changed by its shop; what is launched is proved to be as its record tells it
            f"update ({changeable}, count_at) to manex_door",
            tenant_rows=LATER_TENANT_ROWS["merchants.offer"],
        ),
        # who is in an offer is written once, with its launch
        *new_table("merchants.offer_member", "insert to manex_ledger"),
        *new_table(
            "merchants.offer_tally", "insert to manex_door", tenant_rows=LATER_TENANT_ROWS["merchants.offer_tally"]
        ),
    ):
        op.execute(statement)
