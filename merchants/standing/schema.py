"""Tables of ladders, and of how members stand on them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="merchants")

#: An owner is the merchant whose ladder it is; of the network's own, the book's public id.
ladder = Table(
    "ladder",
    metadata,
    # one version, in force until the next one of its owner
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("owner_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("spec", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    UniqueConstraint("owner_id", "version", name="ladder_version"),
    Index("ladder_of_book", "book_id", "owner_id"),
)

tier_by_hand = Table(
    "tier_by_hand",
    metadata,
    # one act of a person: the record says who, what and when; why is told here, where it can be erased
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("owner_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    # null: from here on the rule counts again
    Column("tier", Text),
    Column("ends_at", DateTime(timezone=True)),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("tier_by_hand_of_member", "member_id", "owner_id"),
)

standing = Table(
    "standing",
    metadata,
    # how a member stands, when everything up to `sequence` and `looked_at` is looked at
    Column("owner_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("tier", Text),
    Column("since", DateTime(timezone=True)),
    Column("by", Text),
    Column("sequence", BigInteger, nullable=False),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    # held against a new ladder, for a time
    Column("kept", Text),
    Column("kept_until", DateTime(timezone=True)),
    # when it changes by the clock alone
    Column("due_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("member_id", "owner_id", name="standing_pkey"),
    Index("standing_due", "book_id", "due_at", postgresql_where=text("due_at is not null")),
    postgresql_with={"fillfactor": "80"},
)

tier_held = Table(
    "tier_held",
    metadata,
    # the history: a row for each change, and why; a tier of null is none
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("owner_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("tier", Text),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
    Column("by", Text, nullable=False),
    Column("why", JSONB, nullable=False),
    Column("ladder_id", UUID(as_uuid=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    # one at a time
    Index("tier_held_now", "member_id", "owner_id", unique=True, postgresql_where=text("until is null")),
    Index("tier_held_of_member", "member_id", "owner_id", "since"),
)

standing_place = Table(
    "standing_place",
    metadata,
    # how far the stream is followed; whoever follows it holds the row
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("next_sequence", BigInteger, nullable=False),
)

standing_sweep = Table(
    "standing_sweep",
    metadata,
    # a ladder is new: its members are looked at one after the other, and those up to here are done
    Column("owner_id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("after_id", UUID(as_uuid=True), nullable=False),
    Index("standing_sweep_of_book", "book_id"),
)
