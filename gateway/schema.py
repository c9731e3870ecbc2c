"""The doors' own tables: the credentials of the network's operators, and who is signed in to its pages."""

from sqlalchemy import ARRAY, Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(schema="gateway")

operator_key = Table(
    "operator_key",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    # the person or service it stands for: maker and approver are told apart by this, not by the key
    Column("operator_id", UUID(as_uuid=True), nullable=False),
    # the one book the key is good for; null: every book
    Column("book_id", Integer),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("last_four", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

session = Table(
    "session",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    # of the cookie: a copy of the database signs nobody in
    Column("hash", LargeBinary, nullable=False, unique=True),
    # browser and system, as they call themselves
    Column("agent", Text, nullable=False),
    # whose spend codes were made in this browser
    Column("device_id", UUID(as_uuid=True)),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Index("session_of_member", "member_id", postgresql_where=text("ended_at is null")),
)
