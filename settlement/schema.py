"""Settlement's tables: those that are derived from the stream, and those of the rails.

A derived row is the same bytes after a rebuild from sequence zero: ids are hashed from book, sequence and kind and times
are book times, so nothing in it depends on when or where it was derived. The rails' rows (payees, instructions, files,
what banks and providers told) are facts of the world outside and stay; whatever of them moves value is a record as well.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
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
    Index(
        "item_charged_back", "book_id", "window_number", "issuer_id", postgresql_where=text("reason = 'charge_back'")
    ),
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
    # pay_in: the merchant pays; pay_out: it is paid; returned: what it was paid came back
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

# -- the rails

payee = Table(
    "payee",
    metadata,
    # where a merchant is paid, by rail; the network's own account has the operator's id
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("rail", Text, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("bic", Text),
    Column("set_by", UUID(as_uuid=True), nullable=False),
    # another person; nobody is paid to an account that one person alone has set
    Column("approved_by", UUID(as_uuid=True)),
    Column("set_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("approved_by <> set_by", name="payee_two_people"),
    PrimaryKeyConstraint("merchant_id", "rail", name="payee_pkey"),
)

payout_file = Table(
    "payout_file",
    metadata,
    # a file of payments to a bank: its instructions never change, so its bytes do not either
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("window_number", Integer, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("execute_on", Date, nullable=False),
    Column("holder", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("bic", Text),
    Column("instructions", Integer, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Index("payout_file_of_window", "book_id", "window_number"),
)

_LIVE = text("state in ('made', 'sent', 'unknown')")

instruction = Table(
    "instruction",
    metadata,
    # a payment to make, or one that is expected
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    # pay_out, pay_in (both of a window), topup
    Column("direction", Text, nullable=False),
    Column("rail", Text, nullable=False),
    Column("window_number", Integer),
    Column("amount_minor", BigInteger, nullable=False),
    # made -> sent or unknown -> confirmed, refused; confirmed -> returned
    Column("state", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    # the record that made it, the one that booked its money, the one that booked it back
    Column("record_id", UUID(as_uuid=True), nullable=False),
    Column("payment_record_id", UUID(as_uuid=True)),
    Column("returned_record_id", UUID(as_uuid=True)),
    Column("file_id", UUID(as_uuid=True)),
    # whom it pays, as it was when it was made
    Column("holder", Text),
    Column("account", Text),
    Column("bic", Text),
    # what the rail calls it, where a person goes to pay it, why it was refused or came back
    Column("rail_reference", Text),
    Column("rail_url", Text),
    Column("reason", Text),
    # the sending of it; times of the wall, not of the book
    Column("tries", Integer, nullable=False),
    Column("next_try_at", DateTime(timezone=True)),
    Column("claim", UUID(as_uuid=True)),
    Column("claimed_until", DateTime(timezone=True)),
    Column("last_error", Text),
    CheckConstraint("amount_minor > 0", name="instruction_amount"),
    CheckConstraint("direction in ('pay_out', 'pay_in', 'topup')", name="instruction_direction"),
    CheckConstraint("(direction = 'topup') = (window_number is null)", name="instruction_window"),
    CheckConstraint(
        "state in ('made', 'sent', 'unknown', 'confirmed', 'refused', 'returned')", name="instruction_state"
    ),
    # of one position never two payments at a time
    Index("instruction_live", "book_id", "window_number", "merchant_id", unique=True, postgresql_where=_LIVE),
    Index("instruction_of_window", "book_id", "window_number", "id"),
    Index("instruction_to_send", "book_id", "next_try_at", postgresql_where=text("next_try_at is not null")),
    Index("instruction_of_file", "file_id"),
    Index("instruction_named", "rail_reference", unique=True, postgresql_where=text("rail <> 'bank'")),
)

pay_in_grace = Table(
    "pay_in_grace",
    metadata,
    # how long merchants may take to pay in before the clock suspends them, and since when that holds
    Column("book_id", Integer, primary_key=True),
    Column("days", Integer, CheckConstraint("days between 1 and 365", name="pay_in_grace_days")),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("revision", Integer, nullable=False),
)

charge_back = Table(
    "charge_back",
    metadata,
    # what was taken back of a top-up; its id is that of its first record
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("topup_id", UUID(as_uuid=True), nullable=False),
    # the account that the money went from, and what it is called there
    Column("source", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    # proposed -> rejected or booked; booked -> reversal_proposed -> booked or reversed
    Column("state", Text, nullable=False),
    # its records are counted
    Column("revision", Integer, nullable=False),
    Column("prefund_minor", BigInteger, nullable=False),
    Column("charged_minor", BigInteger, nullable=False),
    # the first of two people, where people speak
    Column("proposed_by", UUID(as_uuid=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("record_id", UUID(as_uuid=True)),
    Column("reversed_record_id", UUID(as_uuid=True)),
    CheckConstraint("amount_minor > 0", name="charge_back_amount"),
    CheckConstraint(
        "state in ('proposed', 'rejected', 'booked', 'reversal_proposed', 'reversed')", name="charge_back_state"
    ),
    CheckConstraint(
        "prefund_minor >= 0 and charged_minor >= 0"
        " and prefund_minor + charged_minor = case when record_id is null then 0 else amount_minor end",
        name="charge_back_parts",
    ),
    Index("charge_back_of_book", "book_id", "id"),
    Index("charge_back_of_topup", "topup_id"),
    Index(
        "charge_back_named",
        "book_id",
        "source",
        "reference",
        unique=True,
        postgresql_where=text("state <> 'rejected'"),
    ),
)

bank_file = Table(
    "bank_file",
    metadata,
    # what was taken in from a bank; a file, or a report of one name, is taken in once
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    # of a pain.002: its own name
    Column("message_id", Text),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("imported_by", UUID(as_uuid=True), nullable=False),
    UniqueConstraint("book_id", "content_hash", name="bank_file_content"),
    UniqueConstraint("book_id", "message_id", name="bank_file_message"),
)

bank_statement = Table(
    "bank_statement",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("file_id", UUID(as_uuid=True), nullable=False),
    Column("format", Text, nullable=False),
    Column("statement_id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("currency", Text, nullable=False),
    # none of a notification
    Column("opening_minor", BigInteger),
    Column("closing_minor", BigInteger),
    Column("lines", Integer, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("book_id", "account", "format", "statement_id", name="bank_statement_once"),
)

bank_line = Table(
    "bank_line",
    metadata,
    Column("statement_id", UUID(as_uuid=True), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("booked", Date, nullable=False),
    Column("value", Date, nullable=False),
    # positive came in, negative went out
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("counterparty", Text, nullable=False),
    Column("remittance", Text, nullable=False),
    Column("end_to_end_id", Text, nullable=False),
    Column("structured_reference", Text, nullable=False),
    Column("bank_reference", Text, nullable=False),
    Column("entry_reference", Text, nullable=False),
    Column("returned", Boolean, nullable=False),
    # the instruction it names, and what came of that: credited, confirmed, returned, known or differs
    Column("instruction_id", UUID(as_uuid=True)),
    Column("outcome", Text),
    PrimaryKeyConstraint("statement_id", "ordinal", name="bank_line_pkey"),
)

rail_event = Table(
    "rail_event",
    metadata,
    # what a provider told us by webhook, each once
    Column("rail", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("instruction_id", UUID(as_uuid=True)),
    # confirmed, refused, returned, charged_back, reinstated, nothing or differs
    Column("outcome", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("rail", "event_id", name="rail_event_pkey"),
)

rail_movement = Table(
    "rail_movement",
    metadata,
    # the money that a provider's event says moved: what reconciliation lays against the book. Rows never change
    Column("book_id", Integer, nullable=False),
    # without a gap: events of a book are taken in one by one
    Column("n", BigInteger, nullable=False),
    Column("rail", Text, nullable=False),
    Column(
        "kind",
        Text,
        CheckConstraint("kind in ('transfer', 'returned', 'disputed', 'reinstated')", name="rail_movement_kind"),
        nullable=False,
    ),
    # the provider's own: of the payment, or of the dispute; its events have the same
    Column("reference", Text, nullable=False),
    # positive came in, negative went out
    Column("amount_minor", BigInteger, nullable=False),
    Column("instruction_id", UUID(as_uuid=True), nullable=False),
    # by the book's clock
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("book_id", "n", name="rail_movement_pkey"),
)
