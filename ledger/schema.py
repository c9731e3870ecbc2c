"""The ledger's tables. Rows of record, entry, lot_move, batch, outcome and revision are written once and never change.

Foreign keys between hot tables are absent on purpose: each costs a look-up per row on the posting path, and the audit
proves the same references from raw rows.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
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
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="ledger")

#: Rows that are facts: a trigger refuses to change them and no role but the owner may.
IMMUTABLE = ("batch", "record", "entry", "lot_move", "outcome", "revision")


def _when(name: str, **more: object) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=bool(more.get("nullable", False)))


book = Table(
    "book",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("public_id", UUID(as_uuid=True), nullable=False, unique=True),
    Column("network", Text, nullable=False),
    Column("mode", Text, CheckConstraint("mode in ('live', 'test')", name="book_mode"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("exponent", SmallInteger, nullable=False),
    Column("shown_as", JSONB, nullable=False),
    Column("face_value_minor", BigInteger, nullable=False),
    Column("points_life_days", Integer, nullable=False),
    Column("inactivity_days", Integer),
    Column("time_zone", Text, nullable=False),
    Column("window_schedule", JSONB, nullable=False),
    Column("operator_id", UUID(as_uuid=True), nullable=False),
    # a test book's clock; null in a live book, whose clock is the wall's
    _when("clock", nullable=True),
    # raised by every change of what trade may cache: merchants, contracts, terms, branches
    Column("settings_revision", BigInteger, nullable=False, server_default="0"),
    # the kill switch: while it is on, nothing is posted but what may be under it
    Column("stopped", Boolean, nullable=False, server_default=text("false")),
    _when("created_at"),
    UniqueConstraint("network", "mode", name="book_network_mode"),
)

head = Table(
    "head",
    metadata,
    Column("book_id", Integer, ForeignKey("ledger.book.id"), primary_key=True),
    Column("next_sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    postgresql_with={"fillfactor": "20"},
)

batch = Table(
    "batch",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("book_id", Integer, nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("records", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    UniqueConstraint("book_id", "first_sequence", name="batch_sequence"),
)

record = Table(
    "record",
    metadata,
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    _when("at"),
    Column("actor", Text, nullable=False),
    Column("merchant_id", UUID(as_uuid=True)),
    Column("member_id", UUID(as_uuid=True)),
    Column("subject_id", UUID(as_uuid=True)),
    Column("reverses_id", UUID(as_uuid=True)),
    Column("payload", JSONB, nullable=False),
    PrimaryKeyConstraint("batch_id", "n", name="record_pkey"),
    Index("record_id", "id", unique=True),
    Index("record_of_merchant", "merchant_id", "batch_id", "n"),
    Index("record_of_member", "member_id", "batch_id", "n", postgresql_where=text("member_id is not null")),
)

issuer = Table(
    "issuer",
    metadata,
    # what the ledger must know of a merchant to issue and to find a lot's home: the contract in force, by record
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), primary_key=True),
    Column("mode", Text, nullable=False),
    Column("unit_value_minor", BigInteger, nullable=False),
    Column("credit_line_points", BigInteger, nullable=False),
    Column("contract_id", UUID(as_uuid=True), nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=text("false")),
    # left the network, its points bought out
    Column("exited", Boolean, nullable=False, server_default=text("false")),
    Index("issuer_of_book", "book_id"),
)

account = Table(
    "account",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("book_id", Integer, nullable=False),
    # AccountName.text: what it is looked up by; the parts stand beside it for reports
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("owner_id", UUID(as_uuid=True)),
    Column("counterparty_id", UUID(as_uuid=True)),
    Column("window_number", Integer),
    Column("asset", Text, CheckConstraint("asset in ('points', 'money')", name="account_asset"), nullable=False),
    Column("balance", BigInteger, nullable=False, server_default="0"),
    # null: no floor. The floor of credit moves with the credit line.
    Column("floor", BigInteger),
    UniqueConstraint("book_id", "name", name="account_name"),
    Index("account_budget", "book_id", "owner_id", postgresql_where=text("kind = 'budget'")),
    postgresql_with={"fillfactor": "70"},
)

entry = Table(
    "entry",
    metadata,
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("asset", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index("entry_batch", "batch_id", postgresql_using="brin", postgresql_with={"pages_per_range": 16}),
)

lot = Table(
    "lot",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("issuer_id", UUID(as_uuid=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("unit_value_minor", BigInteger, nullable=False),
    Column(
        "funding",
        Text,
        CheckConstraint("funding in ('prefunded', 'deferred', 'closed_loop')", name="lot_funding"),
        nullable=False,
    ),
    Column("rule_id", UUID(as_uuid=True)),
    Column("contract_id", UUID(as_uuid=True), nullable=False),
    Column("sale_id", UUID(as_uuid=True)),
    Column("parent_id", UUID(as_uuid=True)),
    Column("points", BigInteger, CheckConstraint("points > 0", name="lot_points"), nullable=False),
    Column("pending", BigInteger, CheckConstraint("pending >= 0", name="lot_pending"), nullable=False),
    Column("remaining", BigInteger, CheckConstraint("remaining >= 0", name="lot_remaining"), nullable=False),
    Column("held", BigInteger, CheckConstraint("held >= 0", name="lot_held"), nullable=False),
    _when("earned_at"),
    _when("available_at"),
    _when("expires_at"),
    Column("grace_used", Boolean, nullable=False, server_default=text("false")),
    # points that went home again: expired, or taken back by a refund
    Column("returned", BigInteger, nullable=False, server_default="0"),
    # what partial indexes ask, as columns of their own: a spend in part changes neither, and so rewrites no index
    Column("open", Boolean, Computed("remaining > 0 or pending > 0", persisted=True), nullable=False),
    Column("unripe", Boolean, Computed("pending > 0", persisted=True), nullable=False),
    Index("lot_of_member", "member_id", postgresql_where=text("open")),
    Index("lot_to_expire", "book_id", "expires_at", "id", postgresql_where=text("open")),
    Index("lot_maturing", "book_id", "available_at", postgresql_where=text("unripe")),
    postgresql_with={"fillfactor": "80"},
)

lot_move = Table(
    "lot_move",
    metadata,
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("lot_id", UUID(as_uuid=True), nullable=False),
    # where the points were and went: home, pending, wallet, held, accepted; given: from a lot to its child
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    # the acceptor where one side is `accepted`; of a repayment, the creditor
    Column("merchant_id", UUID(as_uuid=True)),
    Column("points", BigInteger, CheckConstraint("points > 0", name="lot_move_points"), nullable=False),
    Index("lot_move_batch", "batch_id", postgresql_using="brin", postgresql_with={"pages_per_range": 16}),
)

hold = Table(
    "hold",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("acceptor_id", UUID(as_uuid=True), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('open', 'captured', 'voided', 'lapsed')", name="hold_state"),
        nullable=False,
    ),
    _when("deadline"),
    # the slices, in the order they were taken; parallel arrays
    Column("lot_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("lot_points", ARRAY(BigInteger), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("hold_due", "book_id", "deadline", postgresql_where=text("state = 'open'")),
    Index("hold_of_member", "member_id", postgresql_where=text("state = 'open'")),
    postgresql_with={"fillfactor": "80"},
)

debt = Table(
    "debt",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("creditor_id", UUID(as_uuid=True), nullable=False),
    Column("sale_id", UUID(as_uuid=True), nullable=False),
    Column("closed_loop", Boolean, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("remaining", BigInteger, CheckConstraint("remaining >= 0", name="debt_remaining"), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("debt_of_member", "member_id", "batch_id", "n", postgresql_where=text("remaining > 0")),
)

notice = Table(
    "notice",
    metadata,
    # up to which lot, in the order of expiry, the members of a book were told so many days before
    Column("book_id", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    _when("expires_at"),
    Column("lot_id", UUID(as_uuid=True), nullable=False),
    PrimaryKeyConstraint("book_id", "days", name="notice_pkey"),
)

relay = Table(
    "relay",
    metadata,
    # how far each book is published: every record below was acknowledged by the brokers, in this topic
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("next_sequence", BigInteger, nullable=False),
    # the brokers' own id of the topic: when it changes, what was published is lost, and is published again
    Column("topic_id", Text, nullable=False),
    Column("partitions", Integer, nullable=False),
)

outcome = Table(
    "outcome",
    metadata,
    Column("book_id", Integer, nullable=False),
    Column("principal_id", UUID(as_uuid=True), nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    _when("at"),
    PrimaryKeyConstraint("book_id", "principal_id", "key", name="outcome_pkey"),
)

revision = Table(
    "revision",
    metadata,
    # One row per step of a thing that people move on (a window, a contract): two steps decided on the same state clash here.
    Column("book_id", Integer, nullable=False),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    PrimaryKeyConstraint("book_id", "subject_id", "revision", name="revision_pkey"),
)
