"""Reconciliation's tables: what banks, payment providers and tills said, what it was matched with, and what disagrees.

Operational data, and no part of what a rebuild derives: files do not come on the stream, and nothing here moves value. What
does is an adjustment, which two people make as records of the ledger. Lines of ours are copies of what the ledger has,
taken in sequence; lines of banks are copies of what the rails took in.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
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
    text,
)
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(schema="settlement")

reconciled = Table(
    "reconciled",
    metadata,
    # how far each source has taken in the ledger; locked by whoever reconciles it
    Column("book_id", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("next_sequence", BigInteger, nullable=False),
    # by the book's clock
    Column("at", DateTime(timezone=True)),
    PrimaryKeyConstraint("book_id", "source", name="reconciled_pkey"),
)

reconciled_whole = Table(
    "reconciled_whole",
    metadata,
    # when all sources of a book were last laid against it, by the book's clock, and the next movement to take in
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True)),
    Column("next_movement", BigInteger, nullable=False),
)

told_file = Table(
    "told_file",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("source", Text, nullable=False),
    # whose tills; none: a bank's or a payment provider's
    Column("merchant_id", UUID(as_uuid=True)),
    Column("digest", LargeBinary, nullable=False),
    Column("lines", Integer, nullable=False),
    # its earliest and its latest line
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    # the same file again is the file that is there
    UniqueConstraint(
        "book_id", "source", "merchant_id", "digest", name="told_file_once", postgresql_nulls_not_distinct=True
    ),
)

told_line = Table(
    "told_line",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column(
        "source",
        Text,
        CheckConstraint("source in ('stream', 'psp', 'bank', 'till')", name="told_line_source"),
        nullable=False,
    ),
    Column("side", Text, CheckConstraint("side in ('ours', 'theirs')", name="told_line_side"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("points", BigInteger),
    Column("fee_minor", BigInteger, nullable=False),
    Column("reference", Text, nullable=False),
    Column("batch", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("original", Text, nullable=False),
    Column("window_number", Integer),
    Column("merchant_id", UUID(as_uuid=True)),
    # by a rail: the instruction that a line of ours was booked for, and that a bank's line was credited to
    Column("instruction_id", UUID(as_uuid=True)),
    # the merchant who may read it: whose till said so, or whose record it is
    Column("shown_to", UUID(as_uuid=True)),
    # the file it stands in and where; of ours, none and its sequence
    Column("file_id", UUID(as_uuid=True)),
    Column("place", BigInteger, nullable=False),
    # the reference as it is compared, and how it begins
    Column("key", Text, nullable=False),
    Column("stem", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('open', 'matched', 'set_aside')", name="told_line_state"),
        nullable=False,
    ),
    Index("told_line_open", "book_id", "source", postgresql_where=text("state = 'open'")),
    Index("told_line_key", "book_id", "source", "key", postgresql_where=text("key <> ''")),
    Index("told_line_stem", "book_id", "source", "stem", postgresql_where=text("stem <> '' and side = 'ours'")),
    Index("told_line_party", "book_id", "source", "party", postgresql_where=text("party <> '' and side = 'ours'")),
)

match = Table(
    "match",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("source", Text, nullable=False),
    # why it was matched, and how sure that is, in millionths
    Column("rule", Text, nullable=False),
    Column("confidence_ppm", Integer, nullable=False),
    # theirs - ours: what a rule's tolerance let pass
    Column("difference_minor", BigInteger, nullable=False),
    Column("line_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("state", Text, CheckConstraint("state in ('standing', 'split')", name="match_state"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    # who matched by hand and why, who split it and why; none: the rules
    Column("made_by", UUID(as_uuid=True)),
    Column("reason", Text),
    Column("split_by", UUID(as_uuid=True)),
    Column("split_reason", Text),
    Column("split_at", DateTime(timezone=True)),
    Index("match_of_book", "book_id", "source", "id"),
)

match_leg = Table(
    "match_leg",
    metadata,
    # of standing matches only: a line is in one
    Column("line_id", UUID(as_uuid=True), primary_key=True),
    Column("match_id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    Index("match_leg_of_match", "match_id"),
)

break_ = Table(
    "break",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    # who has to act: operator, merchant, bank, psp
    Column("owner", Text, nullable=False),
    Column("merchant_id", UUID(as_uuid=True)),
    Column("shown_to", UUID(as_uuid=True)),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('open', 'explained', 'resolved')", name="break_state"),
        nullable=False,
    ),
    Column("line_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("suggestion", Text, nullable=False),
    # when it was found, by the book's clock
    Column("at", DateTime(timezone=True), nullable=False),
    Column("reason", Text),
    Column("ended_at", DateTime(timezone=True)),
    # none: it no longer stood
    Column("ended_by", UUID(as_uuid=True)),
    # the record that put it right, where value moved
    Column("record_id", UUID(as_uuid=True)),
    CheckConstraint("state <> 'resolved' or (reason is not null and ended_at is not null)", name="break_ended"),
    Index("break_of_book", "book_id", "id"),
    Index("break_standing", "book_id", "source", postgresql_where=text("state <> 'resolved'")),
    Index("break_of_lines", "line_ids", postgresql_using="gin"),
    Index("break_shown", "shown_to", "id", postgresql_where=text("shown_to is not null")),
)

break_step = Table(
    "break_step",
    metadata,
    # who did what to a break; rows are added and never changed
    Column("break_id", UUID(as_uuid=True), nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    # none: the rules
    Column("by", UUID(as_uuid=True)),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("break_id", "n", name="break_step_pkey"),
)

break_adjustment = Table(
    "break_adjustment",
    metadata,
    # the adjustments that were proposed for a break. Its id is its proposal's record, which tells the rest
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("break_id", UUID(as_uuid=True), nullable=False),
    Index("break_adjustment_of_break", "break_id", "id"),
)
