"""Tables of what was bought, redeemed and refunded: the descriptive side of the ledger's records."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
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

sale = Table(
    "sale",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("branch_id", UUID(as_uuid=True), nullable=False),
    Column("till_id", UUID(as_uuid=True)),
    Column("member_id", UUID(as_uuid=True)),
    Column("external_reference", Text, nullable=False),
    # what the till says; the book's clock is in `at`
    Column("occurred_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    # the part paid in money: what earns, and what the purchase fee is a share of
    Column("money_minor", BigInteger, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("payments", JSONB, nullable=False),
    Column("redemption_id", UUID(as_uuid=True)),
    # of all its lots, sponsors' included
    Column("points_earned", BigInteger, nullable=False),
    Column("earn_refused", Text),
    Column("contract_id", UUID(as_uuid=True), nullable=False),
    Column("terms_id", UUID(as_uuid=True)),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("points_taken_back", BigInteger, nullable=False, server_default="0"),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    UniqueConstraint("merchant_id", "external_reference", name="sale_reference"),
    # a redemption pays for one sale
    Index("sale_paid_by", "redemption_id", unique=True, postgresql_where=text("redemption_id is not null")),
    Index("sale_of_member", "member_id", "at", postgresql_where=text("member_id is not null")),
)

#: The lots that sponsorships and offers gave at sales. The shop's own lot is the rest of what a sale earned, and has no row.
bonus = Table(
    "bonus",
    metadata,
    Column("sale_id", UUID(as_uuid=True), primary_key=True),
    Column("giver_id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("issuer_id", UUID(as_uuid=True), nullable=False),
    Column("lot_id", UUID(as_uuid=True), nullable=False),
    Column("points", BigInteger, nullable=False),
    # by refunds of the sale, and what of that they got
    Column("taken_back", BigInteger, nullable=False, server_default="0"),
    Column("returned", BigInteger, nullable=False, server_default="0"),
)

redemption = Table(
    "redemption",
    metadata,
    # the same id as the ledger's hold
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("branch_id", UUID(as_uuid=True), nullable=False),
    Column("till_id", UUID(as_uuid=True)),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("external_reference", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("value_minor", BigInteger, nullable=False),
    # how the member consented: code, wallet, voucher
    Column("consent", Text, nullable=False),
    # the member of the household who consented, when not the wallet's owner
    Column("consented_by", UUID(as_uuid=True)),
    Column("contract_id", UUID(as_uuid=True), nullable=False),
    Column("refunded_points", BigInteger, nullable=False, server_default="0"),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    UniqueConstraint("merchant_id", "external_reference", name="redemption_reference"),
    Index("redemption_of_member", "member_id", "at"),
)

voucher = Table(
    "voucher",
    metadata,
    # the same id as the ledger's hold, and as the redemption that its spend becomes
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("device_id", UUID(as_uuid=True), nullable=False),
    # the key the device signs its spend with: a JSON Web Key, and its thumbprint (RFC 7638)
    Column("public_key", JSONB, nullable=False),
    Column("thumbprint", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    # the device signs until then; the shop redeems until the hold's deadline
    Column("spend_until", DateTime(timezone=True), nullable=False),
    Column("deadline", DateTime(timezone=True), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("value_minor", BigInteger, nullable=False),
    # [points, unit value] in the order in which they are spent
    Column("parts", JSONB, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("voucher_of_member", "member_id", "id"),
)

approval = Table(
    "approval",
    metadata,
    # the id of the redemption, and of the ledger's hold, that it becomes when the member approves
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("branch_id", UUID(as_uuid=True), nullable=False),
    Column("till_id", UUID(as_uuid=True)),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("external_reference", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    # the member answers before then
    Column("deadline", DateTime(timezone=True), nullable=False),
    # what was asked: points, or what they are to be worth; one of the two
    Column("points", BigInteger),
    Column("value_minor", BigInteger),
    Column("capture", Boolean, nullable=False),
    # the key that asked: its velocity limits count the redemption
    Column("asked_by", Text, nullable=False),
    Column("state", Text, nullable=False),
    # one of the few places that a shop's open requests to a member have: two processes never give the same one
    Column("slot", SmallInteger, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    CheckConstraint("(points is null) <> (value_minor is null)", name="approval_asked"),
    CheckConstraint("state in ('awaiting', 'approved', 'declined', 'withdrawn', 'lapsed')", name="approval_state"),
    UniqueConstraint("merchant_id", "external_reference", name="approval_reference"),
    Index(
        "approval_awaiting",
        "member_id",
        "merchant_id",
        "slot",
        unique=True,
        postgresql_where=text("state = 'awaiting'"),
    ),
    Index("approval_of_member", "member_id", "merchant_id", "at"),
    Index("approval_due", "book_id", "deadline", postgresql_where=text("state = 'awaiting'")),
)

refund = Table(
    "refund",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("sale_id", UUID(as_uuid=True)),
    Column("redemption_id", UUID(as_uuid=True)),
    Column("external_reference", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("owed_points", BigInteger, nullable=False, server_default="0"),
    Column("lines", JSONB, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    UniqueConstraint("merchant_id", "external_reference", name="refund_reference"),
    Index("refund_of_sale", "sale_id", postgresql_where=text("sale_id is not null")),
    Index("refund_of_redemption", "redemption_id", postgresql_where=text("redemption_id is not null")),
)

gift = Table(
    "gift",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("giver_id", UUID(as_uuid=True), nullable=False),
    Column("receiver_id", UUID(as_uuid=True), nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("value_minor", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("gift_of_giver", "giver_id", "id"),
    Index("gift_of_receiver", "receiver_id", "id"),
)

gift_day = Table(
    "gift_day",
    metadata,
    # what a member gave and was given on a day of the network's calendar; the row is locked by whoever gives
    Column("book_id", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("day", Date, nullable=False),
    Column("given_points", BigInteger, nullable=False, server_default="0"),
    Column("gifts", Integer, nullable=False, server_default="0"),
    Column("received_points", BigInteger, nullable=False, server_default="0"),
    # receivers who could not be given to
    Column("missed", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("member_id", "day", name="gift_day_pkey"),
)

gift_rule = Table(
    "gift_rule",
    metadata,
    # what a network allows, where it is not the default
    Column("book_id", Integer, primary_key=True, autoincrement=False),
    Column("points_a_day", BigInteger, nullable=False),
    Column("gifts_a_day", Integer, nullable=False),
    Column("received_a_day", BigInteger, nullable=False),
)
