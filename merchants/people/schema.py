"""Tables of members and what they sign in and spend with. Personal data lives here and nowhere in the ledger."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="merchants")

member = Table(
    "member",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    # eleven digits and a check digit; what cards and barcodes show
    Column("number", Text, nullable=False),
    # E.164; null once erased
    Column("phone", Text),
    Column("kind", Text, CheckConstraint("kind in ('natural', 'legal')", name="member_kind"), nullable=False),
    Column("given_name", Text),
    Column("family_name", Text),
    Column("language", Text, nullable=False, server_default="fa"),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('active', 'frozen', 'left')", name="member_state"),
        nullable=False,
    ),
    Column("tier", Text),
    Column("consents", JSONB, nullable=False),
    Column("spend_locked", Boolean, nullable=False, server_default=text("false")),
    Column("enrolled_by", UUID(as_uuid=True)),
    Column("enrolled_at", DateTime(timezone=True), nullable=False),
    # when a counter asked the member's telephone to confirm the consents, and when it did
    Column("confirmation_asked_at", DateTime(timezone=True)),
    Column("confirmed_at", DateTime(timezone=True)),
    UniqueConstraint("book_id", "number", name="member_number"),
    UniqueConstraint("book_id", "phone", name="member_phone"),
)

device = Table(
    "device",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("name", Text, nullable=False),
    # the spend secret is derived from this nonce and the server's key: a copy of the database alone opens no wallet
    Column("nonce", LargeBinary, nullable=False),
    # the last 30-second step a code was accepted for; a code of that step or an earlier one never counts again
    Column("last_step", BigInteger, nullable=False, server_default="0"),
    Column("enrolled_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Index("device_of_member", "member_id"),
)

one_time_code = Table(
    "one_time_code",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("phone", Text, nullable=False),
    # a code that confirms what was said at a counter signs nobody in
    Column(
        "purpose",
        Text,
        CheckConstraint("purpose in ('sign_in', 'confirm', 'step_up', 'new_phone')", name="one_time_code_purpose"),
        nullable=False,
        server_default="sign_in",
    ),
    Column("code_hash", LargeBinary, nullable=False),
    # only ever set in a test book, where there is no telephone to read it from
    Column("shown_code", Text),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("one_time_code_phone", "book_id", "phone", "asked_at"),
)

wrong_spend_code = Table(
    "wrong_spend_code",
    metadata,
    # how often a shop has shown a wrong spend code of a member, and since when it is counted
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("times", Integer, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("merchant_id", "member_id", name="wrong_spend_code_pkey"),
)

household = Table(
    "household",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, CheckConstraint("kind in ('family', 'company')", name="household_kind"), nullable=False),
    Column("founder_id", UUID(as_uuid=True), nullable=False),
    Column("state", Text, CheckConstraint("state in ('active', 'ended')", name="household_state"), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
)

household_person = Table(
    "household_person",
    metadata,
    Column("household_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state in ('invited', 'declined', 'active', 'left')", name="household_person_state"),
        nullable=False,
    ),
    # what the others may spend from this member's wallet in a month; null: it is not shared
    Column("shared_points", BigInteger),
    # of a company: what this person may spend from its wallet in a month
    Column("own_points", BigInteger),
    # the place in which people came
    Column("place", Integer, nullable=False),
    PrimaryKeyConstraint("household_id", "member_id", name="household_person_pkey"),
    # in one household at most
    Index("household_of_member", "member_id", unique=True, postgresql_where=text("state = 'active'")),
    Index("household_asking", "member_id", postgresql_where=text("state = 'invited'")),
)

occasion_memory = Table(
    "occasion_memory",
    metadata,
    # from when an anniversary counts for rules: nobody has twelve birthdays a year by telling a new one every month
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("counts_from", DateTime(timezone=True), nullable=False),
    # of one that was taken back, for a year: no day, but what it is known by when it is told again
    Column("removed_at", DateTime(timezone=True)),
    Column("digest", LargeBinary),
    PrimaryKeyConstraint("member_id", "kind", name="occasion_memory_pkey"),
    CheckConstraint("kind in ('birthday', 'wedding_anniversary', 'company_anniversary')", name="occasion_memory_kind"),
    CheckConstraint("(removed_at is null) = (digest is null)", name="occasion_memory_removed"),
    Index("occasion_memory_over", "book_id", "removed_at", postgresql_where=text("removed_at is not null")),
)

occasion = Table(
    "occasion",
    metadata,
    # a member's birthday and the like: personal, and erased with the member
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("place", SmallInteger, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("month", SmallInteger, nullable=False),
    Column("day", SmallInteger, nullable=False),
    # of the first one, if told
    Column("year", SmallInteger),
    # of an occasion of one's own
    Column("name", Text),
    PrimaryKeyConstraint("member_id", "place", name="occasion_pkey"),
    CheckConstraint("kind in ('birthday', 'wedding_anniversary', 'company_anniversary', 'own')", name="occasion_kind"),
    CheckConstraint("calendar in ('jalali', 'gregorian')", name="occasion_calendar"),
    CheckConstraint("month between 1 and 12 and day between 1 and 31", name="occasion_day"),
    CheckConstraint("(name is not null) = (kind = 'own')", name="occasion_name"),
)
