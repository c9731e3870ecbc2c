"""Tables of offers: their design, who was in them and in which arm, and what was counted of each arm."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData(schema="merchants")

offer = Table(
    "offer",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("name", Text, nullable=False),
    Column(
        "audience",
        Text,
        CheckConstraint("audience in ('all', 'shop', 'list', 'segment', 'tier')", name="offer_audience"),
        nullable=False,
    ),
    # of an audience by segment or tier, which: {"segment": ...} or {"tiers": [...]}
    Column("chosen", JSONB),
    # of a list, as it was asked; who of them was in it at the launch are the rows of offer_member
    Column("members", ARRAY(UUID(as_uuid=True)), nullable=False),
    # parts per million
    Column("holdout_ppm", Integer, nullable=False),
    # [{name, ppm, rules, ends_at}], in the order in which they divide the audience
    Column("variants", JSONB, nullable=False),
    # as asked while it is a draft; from the launch on, when it begins
    Column("begins_at", DateTime(timezone=True)),
    Column("ends_at", DateTime(timezone=True)),
    Column("windows_days", ARRAY(Integer), nullable=False),
    Column("pre_days", Integer, nullable=False),
    Column("margin", JSONB),
    # who pays, how much, how often, whether a member activates it; null: it gives nothing
    Column("giving", JSONB),
    # whose points it gives
    Column("funder_id", UUID(as_uuid=True)),
    # SHA-256 of the draft that a funder other than the shop agreed to
    Column("agreed", LargeBinary),
    # secret until the launch; its SHA-256 is in the record of the draft
    Column("salt", LargeBinary, nullable=False),
    Column(
        "state", Text, CheckConstraint("state in ('draft', 'launched', 'ended')", name="offer_state"), nullable=False
    ),
    Column("drafted_at", DateTime(timezone=True), nullable=False),
    Column("launched_at", DateTime(timezone=True)),
    # how many members were in it then
    Column("audience_size", Integer),
    Column("ended_at", DateTime(timezone=True)),
    # when the next window that is not counted yet is over; null: all are
    Column("count_at", DateTime(timezone=True)),
    Index("offer_of_merchant", "merchant_id", "id"),
    Index("offer_giving", "book_id", postgresql_where=text("state = 'launched' and giving is not null")),
    Index("offer_to_end", "book_id", "ends_at", postgresql_where=text("state = 'launched'")),
    Index("offer_to_count", "book_id", "count_at", postgresql_where=text("count_at is not null")),
)

offer_member = Table(
    "offer_member",
    metadata,
    # the audience, fixed at the launch: rows are added then and never again, and none is ever changed
    Column("offer_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("arm", Text, nullable=False),
    PrimaryKeyConstraint("offer_id", "member_id", name="offer_member_pkey"),
    Index("offer_of_member", "member_id"),
)

offer_use = Table(
    "offer_use",
    metadata,
    # what a member of the audience did with an offer and had of it; behind the lock of the member's wallet
    Column("offer_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("activated_at", DateTime(timezone=True)),
    # gifts, and their points: a refund of the sale takes points back and gives no cap back
    Column("times", BigInteger, nullable=False, server_default="0"),
    Column("points", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("offer_id", "member_id", name="offer_use_pkey"),
    postgresql_with={"fillfactor": "80"},
)

offer_day = Table(
    "offer_day",
    metadata,
    # what an offer gave on a day of the network's calendar; behind the lock of its budget
    Column("offer_id", UUID(as_uuid=True), nullable=False),
    Column("day", Date, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    PrimaryKeyConstraint("offer_id", "day", name="offer_day_pkey"),
    postgresql_with={"fillfactor": "80"},
)

offer_tally = Table(
    "offer_tally",
    metadata,
    # what an arm's members did from the beginning to the end of a window, once it is over: exact sums over members
    Column("offer_id", UUID(as_uuid=True), nullable=False),
    Column("days", Integer, nullable=False),
    Column("arm", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    # the members of the arm
    Column("n", Integer, nullable=False),
    # y is a member's sum in the window, x the same before the beginning
    Column("y", Numeric, nullable=False),
    Column("yy", Numeric, nullable=False),
    Column("x", Numeric, nullable=False),
    Column("xx", Numeric, nullable=False),
    Column("xy", Numeric, nullable=False),
    # records below this sequence were counted
    Column("through_sequence", BigInteger, nullable=False),
    Column("counted_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("offer_id", "days", "arm", "metric", name="offer_tally_pkey"),
)
