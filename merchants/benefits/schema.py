"""Tables of entitlements: what members may have beside points, to whom it is granted, and its uses at the counter."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(schema="merchants")

entitlement = Table(
    "entitlement",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", JSONB, nullable=False),
    Column(
        "who", Text, CheckConstraint("who in ('everybody', 'tiers', 'granted')", name="entitlement_who"), nullable=False
    ),
    Column("tiers", JSONB, nullable=False),
    Column("capacity", JSONB, nullable=False),
    Column("begins_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True)),
    Column("state", Text, CheckConstraint("state in ('open', 'ended')", name="entitlement_state"), nullable=False),
    # uses that were not voided; the row is locked by whoever changes it
    Column(
        "used", BigInteger, CheckConstraint("used >= 0", name="entitlement_used"), nullable=False, server_default="0"
    ),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("entitlement_of_merchant", "merchant_id", "id"),
    Index("entitlement_open", "book_id", postgresql_where=text("state = 'open'")),
    postgresql_with={"fillfactor": "80"},
)

entitlement_grant = Table(
    "entitlement_grant",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("entitlement_id", UUID(as_uuid=True), nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    # how often it may be used; null: as often as the capacity allows
    Column("uses", Integer),
    Column("ends_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    Index("entitlement_grant_of_member", "member_id", "entitlement_id"),
)

entitlement_use = Table(
    "entitlement_use",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("entitlement_id", UUID(as_uuid=True), nullable=False),
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("branch_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    Column("grant_id", UUID(as_uuid=True)),
    Column("external_reference", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("voided_at", DateTime(timezone=True)),
    Column("batch_id", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),
    UniqueConstraint("merchant_id", "external_reference", name="entitlement_use_reference"),
    Index("entitlement_use_of_day", "entitlement_id", "at", postgresql_where=text("voided_at is null")),
    Index("entitlement_use_of_member", "entitlement_id", "member_id", postgresql_where=text("voided_at is null")),
)
