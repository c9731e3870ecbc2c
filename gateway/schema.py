"""The doors' own tables: the credentials of the network's operators."""

from sqlalchemy import ARRAY, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text
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
