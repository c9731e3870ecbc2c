"""What members' own purchases tell: segments and who is in them, next offers; members' occasions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from deploy.migrations.grants import LATER_TENANT_ROWS, new_table

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    _segments()
    _next_offers()
    _occasions()
    for statement in (
        # a version is never changed: nobody may
        *new_table("merchants.segment", "insert, update to manex_door"),
        *new_table("merchants.segment_version", "insert to manex_door"),
        *new_table("merchants.segment_kept", "insert to manex_ledger", "insert, update to manex_door"),
        *new_table("merchants.segment_member", "insert, delete to manex_door"),
        *new_table("merchants.next_offer_book", "insert to manex_door"),
        *new_table("merchants.next_offer_run", "insert, update to manex_door"),
        *new_table(
            "merchants.next_offer",
            "insert, delete to manex_door",
            tenant_rows=LATER_TENANT_ROWS["merchants.next_offer"],
        ),
        *new_table("merchants.occasion", "insert, delete to manex_door"),
    ):
        op.execute(statement)


def _when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _segments() -> None:
    op.create_table(
        "segment",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        _when("at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("book_id", "merchant_id", "name", name="segment_name", postgresql_nulls_not_distinct=True),
        schema="merchants",
    )
    op.create_table(
        "segment_version",
        sa.Column("segment_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("definition", JSONB(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _when("at"),
        sa.PrimaryKeyConstraint("segment_id", "version", name="segment_version_pkey"),
        schema="merchants",
    )
    op.create_table(
        "segment_kept",
        sa.Column("segment_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        _when("as_of", nullable=True),
        sa.Column("members", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("segment_id", "version", name="segment_kept_pkey"),
        sa.CheckConstraint("members >= 0", name="segment_kept_members"),
        schema="merchants",
    )
    op.create_index("segment_kept_of_book", "segment_kept", ["book_id", "as_of"], schema="merchants")
    op.create_table(
        "segment_member",
        sa.Column("segment_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", "version", "member_id", name="segment_member_pkey"),
        schema="merchants",
    )
    op.create_index("segment_member_of", "segment_member", ["member_id"], schema="merchants")


def _next_offers() -> None:
    op.create_table(
        "next_offer_book",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        _when("since"),
        sa.PrimaryKeyConstraint("book_id"),
        schema="merchants",
    )
    op.create_table(
        "next_offer_run",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        _when("as_of"),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id"),
        schema="merchants",
    )
    op.create_table(
        "next_offer",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("score_ppm", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("facts", JSONB(), nullable=False),
        _when("as_of"),
        sa.PrimaryKeyConstraint("member_id", "merchant_id", "rank", name="next_offer_pkey"),
        sa.CheckConstraint("score_ppm between 0 and 1000000", name="next_offer_score"),
        sa.CheckConstraint("reason in ('due', 'regular', 'bought_together', 'popular')", name="next_offer_reason"),
        schema="merchants",
    )
    op.create_index("next_offer_of_merchant", "next_offer", ["merchant_id", "as_of"], schema="merchants")


def _occasions() -> None:
    op.create_table(
        "occasion",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("month", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.SmallInteger(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("member_id", "place", name="occasion_pkey"),
        sa.CheckConstraint(
            "kind in ('birthday', 'wedding_anniversary', 'company_anniversary', 'own')", name="occasion_kind"
        ),
        sa.CheckConstraint("calendar in ('jalali', 'gregorian')", name="occasion_calendar"),
        sa.CheckConstraint("month between 1 and 12 and day between 1 and 31", name="occasion_day"),
        sa.CheckConstraint("(name is not null) = (kind = 'own')", name="occasion_name"),
        schema="merchants",
    )
