"""The stream over Kafka: how far each book is published, and where settlement reads on."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import new_table

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "relay",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("book_id"),
        schema="ledger",
    )
    op.create_table(
        "partition",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "partition", name="partition_pkey"),
        schema="settlement",
    )
    for statement in (
        *new_table("ledger.relay", "insert, update to manex_ledger"),
        *new_table("settlement.partition", "insert, update, delete to manex_settlement"),
    ):
        op.execute(statement)
