"""Settlement's tables. Every row here is derived from the stream: a rebuild from sequence zero gives the same bytes.

Ids are hashed from book, sequence and kind and times are book times, so nothing in a row depends on when or where it
was derived.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="settlement")

consumer = Table(
    "consumer",
    metadata,
    Column("book_id", Integer, primary_key=True),
    # every record with a sequence below this one has had its effect
    Column("next_sequence", BigInteger, nullable=False),
)

partition = Table(
    "partition",
    metadata,
    # where to read on in a book's topic, kept with the effect. Not derived: it says where the brokers stand, not the ledger
    Column("book_id", Integer, nullable=False),
    Column("partition", Integer, nullable=False),
    # the brokers' own id of the topic: in another one of the same name the offsets mean nothing
    Column("topic_id", Text, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("book_id", "partition", name="partition_pkey"),
)

contract = Table(
    "contract",
    metadata,
    # the contract versions as the stream told them; obligations read these, never the merchants' tables
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("facts", JSONB, nullable=False),
    Index("settlement_contract_of_merchant", "book_id", "merchant_id", "sequence"),
)

window = Table(
    "window",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    # the sequence of the close record: the window's last
    Column("last_sequence", BigInteger),
    Column("closed_at", DateTime(timezone=True)),
    Column("ledger_hash", LargeBinary),
    # SHA-256 of the positions as advised; what is approved is what was submitted
    Column("positions_hash", LargeBinary),
    # who did each step and when, oldest first
    Column("steps", JSONB, nullable=False),
    Column("totals", JSONB),
    UniqueConstraint("book_id", "number", name="window_number"),
)

item = Table(
    "item",
    metadata,
    Column("id", UUID(as_uuid=True), nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    # slice (of a redemption), purchase_fee, adjustment
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("issuer_id", UUID(as_uuid=True)),
    Column("acceptor_id", UUID(as_uuid=True)),
    Column("subject_id", UUID(as_uuid=True)),
    Column("lot_id", UUID(as_uuid=True)),
    Column("funding", Text),
    Column("unit_value_minor", BigInteger),
    Column("points", BigInteger, nullable=False),
    # what the issuer owes the acceptor for this slice; 0 for an own lot and a closed-loop one
    Column("value_minor", BigInteger, nullable=False),
    Column("fee_payer_id", UUID(as_uuid=True)),
    # the amount the fee is a share of, the rate, and their product in millionths of a minor unit
    Column("fee_base_minor", BigInteger, nullable=False),
    Column("fee_ppm", Integer, nullable=False),
    Column("fee_millionths", BigInteger, nullable=False),
    Column("contract_id", UUID(as_uuid=True)),
    PrimaryKeyConstraint("book_id", "sequence", "ordinal", name="item_pkey"),
    Index("item_of_window", "book_id", "window_number", "sequence", "ordinal"),
)

position = Table(
    "position",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    # the operator's own position has the operator's id
    Column("party_id", UUID(as_uuid=True), nullable=False),
    # minor units, positive: to receive. The merchant with its backing as one party.
    Column("position_minor", BigInteger, nullable=False),
    # the part the merchant's own backing pays, never asked of it again
    Column("backing_minor", BigInteger, nullable=False),
    # position:i:w, what is paid in or out: position + backing
    Column("account_minor", BigInteger, nullable=False),
    Column("receivable_minor", BigInteger, nullable=False),
    Column("payable_minor", BigInteger, nullable=False),
    Column("fee_millionths", BigInteger, nullable=False),
    Column("carry_in_millionths", BigInteger, nullable=False),
    Column("fee_minor", BigInteger, nullable=False),
    Column("carry_out_millionths", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),
    UniqueConstraint("book_id", "window_number", "party_id", name="position_party"),
)

bilateral = Table(
    "bilateral",
    metadata,
    # who owes whom in a window, gross: one row per debtor and creditor
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    Column("debtor_id", UUID(as_uuid=True), nullable=False),
    Column("creditor_id", UUID(as_uuid=True), nullable=False),
    Column("value_minor", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    PrimaryKeyConstraint("book_id", "window_number", "debtor_id", "creditor_id", name="bilateral_pkey"),
)

payment = Table(
    "payment",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    Column("party_id", UUID(as_uuid=True), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    # pay_in: the merchant pays; pay_out: it is paid
    Column("direction", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("payment_of_window", "book_id", "window_number"),
)

# A window's seal and what it was made of are no rows of the consumer's: they need keys it has not. They follow from its
# rows, the ledger's and the keys alone, so a seal that is lost is made again with the same bytes.

seal = Table(
    "seal",
    metadata,
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    # what is signed: canonical JSON, byte for byte
    Column("head", LargeBinary, nullable=False),
    # SHA-256 of it with its context: what the next window's head names
    Column("digest", LargeBinary, nullable=False),
    # the public key (32 bytes), and its signature
    Column("key", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    # the supply's tree above every 1,024 leaves, so that a receipt reads no more than one block of them
    Column("blocks", LargeBinary, nullable=False),
    PrimaryKeyConstraint("book_id", "window_number", name="seal_pkey"),
)

sealed_party = Table(
    "sealed_party",
    metadata,
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("party_id", UUID(as_uuid=True), nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("items_root", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    PrimaryKeyConstraint("book_id", "window_number", "place", name="sealed_party_pkey"),
)

sealed_holding = Table(
    "sealed_holding",
    metadata,
    # of the newest sealed window only: what each member held at its close, in the order of the tree
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("sums", ARRAY(BigInteger), nullable=False),
    PrimaryKeyConstraint("book_id", "window_number", "place", name="sealed_holding_pkey"),
    UniqueConstraint("member_id", "book_id", "window_number", name="sealed_holding_member"),
)
