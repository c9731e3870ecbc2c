"""Tables of merchants, where they sell, the keys they call with, and the versions of what they agreed to."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="merchants")

merchant = Table(
    "merchant",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column(
        "kind", Text, CheckConstraint("kind in ('shop', 'sponsor', 'network')", name="merchant_kind"), nullable=False
    ),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('active', 'suspended', 'exited')", name="merchant_state"),
        nullable=False,
    ),
    Column("category", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("book_id", "name", name="merchant_name"),
)

branch = Table(
    "branch",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("reference", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column(
        "channel", Text, CheckConstraint("channel in ('physical', 'online')", name="branch_channel"), nullable=False
    ),
    Column("city", Text),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('active', 'frozen', 'closed')", name="branch_state"),
        nullable=False,
    ),
    UniqueConstraint("merchant_id", "reference", name="branch_reference"),
)

till = Table(
    "till",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("branch_id", UUID(as_uuid=True), nullable=False),
    Column("reference", Text, nullable=False),
    Column("state", Text, CheckConstraint("state in ('active', 'closed')", name="till_state"), nullable=False),
    UniqueConstraint("branch_id", "reference", name="till_reference"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("kind", Text, CheckConstraint("kind in ('sk', 'rk')", name="api_key_kind"), nullable=False),
    Column("label", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("last_four", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Index("api_key_of_merchant", "merchant_id"),
)

contract = Table(
    "contract",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column(
        "mode",
        Text,
        CheckConstraint("mode in ('prefunded', 'deferred', 'closed_loop')", name="contract_mode"),
        nullable=False,
    ),
    Column("unit_value_minor", BigInteger, nullable=False),
    Column("credit_line_points", BigInteger, nullable=False),
    # parts per million
    Column("purchase_fee_ppm", Integer, nullable=False),
    Column("redemption_fee_ppm", Integer, nullable=False),
    Column("hold_minutes", Integer, nullable=False),
    # null: the network's; never shorter than it
    Column("points_life_days", Integer),
    Column("maturity_days", Integer, nullable=False),
    # for which kinds of person sales earn here, and of which kinds points are taken
    Column("earns_for", ARRAY(Text), nullable=False, server_default="{natural,legal}"),
    Column("spends_for", ARRAY(Text), nullable=False, server_default="{natural,legal}"),
    # clauses later kinds of agreement need; read only by the rule that owns the name
    Column("clauses", JSONB, nullable=False),
    Column("in_force_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("merchant_id", "version", name="contract_version"),
)

agreed = Table(
    "agreed",
    metadata,
    # what comes into force when the open window closes: a contract of a merchant, or the rules of the book itself
    Column("subject_id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, CheckConstraint("kind in ('contract', 'rules')", name="agreed_kind"), nullable=False),
    Column("facts", JSONB, nullable=False),
    # the record that tells of it, and who it is by
    Column("record_id", UUID(as_uuid=True), nullable=False),
    Column("actor", Text, nullable=False),
    Index("agreed_of_book", "book_id"),
)

terms = Table(
    "terms",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("in_force_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("merchant_id", "version", name="terms_version"),
)

#: What a network forbids its merchants' rules, version by version; the newest is in force.
rule_policy = Table(
    "rule_policy",
    metadata,
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("equal_persons", Boolean, nullable=False),
    # the most of a price that a rule may give back; null: as much as rules may anyway
    Column("largest_share_ppm", Integer),
    Column("not_before", Boolean, nullable=False),
)

sponsorship = Table(
    "sponsorship",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    # who pays: a sponsor, or the network
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    # at whose sales; null: at every shop's
    Column("shops", ARRAY(UUID(as_uuid=True))),
    Column("rules", JSONB, nullable=False),
    Column("begins_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True)),
    Column("state", Text, CheckConstraint("state in ('open', 'ended')", name="sponsorship_state"), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Index("sponsorship_of_merchant", "merchant_id", "id"),
    Index("sponsorship_open", "book_id", "ends_at", postgresql_where=text("state = 'open'")),
)
