"""Tables of what is understood of members' behaviour: segments, who is in them, and the next offers of each."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="merchants")

segment = Table(
    "segment",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    # whose members it is about; null: the network's own
    Column("merchant_id", UUID(as_uuid=True)),
    Column("name", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("book_id", "merchant_id", "name", name="segment_name", postgresql_nulls_not_distinct=True),
)

segment_version = Table(
    "segment_version",
    metadata,
    # what a segment was from one change to the next; never changed, for what was given by it names its version
    Column("segment_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("definition", JSONB, nullable=False),
    # SHA-256 of its RFC 8785 form
    Column("digest", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("segment_id", "version", name="segment_version_pkey"),
)

segment_kept = Table(
    "segment_kept",
    metadata,
    # a version whose members are kept, since rules ask for them while they post
    Column("segment_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("book_id", Integer, nullable=False),
    # the book's time they were found at; null: not yet
    Column("as_of", DateTime(timezone=True)),
    Column("members", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("segment_id", "version", name="segment_kept_pkey"),
    CheckConstraint("members >= 0", name="segment_kept_members"),
    Index("segment_kept_of_book", "book_id", "as_of"),
)

segment_member = Table(
    "segment_member",
    metadata,
    Column("segment_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    PrimaryKeyConstraint("segment_id", "version", "member_id", name="segment_member_pkey"),
    Index("segment_member_of", "member_id"),
)

next_offer_book = Table(
    "next_offer_book",
    metadata,
    # books in which next offers are found anew every day
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("since", DateTime(timezone=True), nullable=False),
)

next_offer_run = Table(
    "next_offer_run",
    metadata,
    # when a shop's next offers were found, and of how many members
    Column("merchant_id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    Column("members", Integer, nullable=False),
)

next_offer = Table(
    "next_offer",
    metadata,
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("category", Text, nullable=False),
    # how likely it is to be bought at the next visit, in millionths
    Column("score_ppm", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    # the reason's numbers
    Column("facts", JSONB, nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("member_id", "merchant_id", "rank", name="next_offer_pkey"),
    CheckConstraint("score_ppm between 0 and 1000000", name="next_offer_score"),
    CheckConstraint("reason in ('due', 'regular', 'bought_together', 'popular')", name="next_offer_reason"),
    Index("next_offer_of_merchant", "merchant_id", "as_of"),
)
