"""Tables of the brakes, the velocity limits and what they caught."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(schema="merchants")

brake = Table(
    "brake",
    metadata,
    # one act of an operator, or of the clock: the record says who, what and when; why is told here, where it can be erased
    Column("record_id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    # counts the acts upon one thing
    Column("revision", Integer, nullable=False),
    # none: the clock
    Column("operator_id", UUID(as_uuid=True)),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("brake_of_book", "book_id", "record_id"),
    UniqueConstraint("subject_id", "revision", name="brake_revision"),
)

velocity_limit = Table(
    "velocity_limit",
    metadata,
    Column("book_id", Integer, nullable=False),
    Column(
        "subject",
        Text,
        CheckConstraint("subject in ('key', 'member', 'merchant')", name="velocity_limit_subject"),
        nullable=False,
    ),
    Column(
        "what",
        Text,
        CheckConstraint(
            "what in ('earn_points', 'sale_count', 'redeem_points', 'redeem_count')", name="velocity_limit_what"
        ),
        nullable=False,
    ),
    Column("per_minutes", Integer, nullable=False),
    Column("most", BigInteger, nullable=False),
    PrimaryKeyConstraint("book_id", "subject", "what", "per_minutes", name="velocity_limit_pkey"),
)

velocity_count = Table(
    "velocity_count",
    metadata,
    Column("book_id", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    Column("what", Text, nullable=False),
    Column("step_minutes", Integer, nullable=False),
    # how much was counted in each of the last steps, parallel arrays; older steps are dropped when one is written
    Column("steps", ARRAY(BigInteger), nullable=False),
    Column("amounts", ARRAY(BigInteger), nullable=False),
    PrimaryKeyConstraint("book_id", "subject", "subject_id", "what", "step_minutes", name="velocity_count_pkey"),
    postgresql_with={"fillfactor": "70"},
)

flag = Table(
    "flag",
    metadata,
    # what an operator should look at: one row a day for each subject and reason, however often it happens
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("book_id", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", UUID(as_uuid=True), nullable=False),
    # of a velocity limit, what it counts; of wrong codes, nothing
    Column("what", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    # the last time: where and whose
    Column("merchant_id", UUID(as_uuid=True), nullable=False),
    Column("branch_id", UUID(as_uuid=True), nullable=False),
    Column("member_id", UUID(as_uuid=True), nullable=False),
    # the first of that day: sales that earned nothing, and shops' references of redemptions that were refused
    Column("sale_ids", ARRAY(UUID(as_uuid=True)), nullable=False),
    Column("redemption_references", ARRAY(Text), nullable=False),
    UniqueConstraint("book_id", "day", "reason", "subject", "subject_id", "what", name="flag_day"),
    Index("flag_of_book", "book_id", "id"),
)
