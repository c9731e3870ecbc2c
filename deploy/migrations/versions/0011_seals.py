"""What each window publishes: a head that is signed, the trees below it, and what members held at the newest close."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from deploy.migrations.grants import new_table

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "seal",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("window_number", sa.Integer(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("blocks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "window_number", name="seal_pkey"),
        schema="settlement",
    )
    op.create_table(
        "sealed_party",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("window_number", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("party_id", sa.UUID(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("items_root", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "window_number", "place", name="sealed_party_pkey"),
        schema="settlement",
    )
    op.create_table(
        "sealed_holding",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("window_number", sa.Integer(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("sums", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "window_number", "place", name="sealed_holding_pkey"),
        sa.UniqueConstraint("member_id", "book_id", "window_number", name="sealed_holding_member"),
        schema="settlement",
    )
    # a seal is never changed; of holdings only the newest window's stay
    for table, more in (("seal", "insert"), ("sealed_party", "insert"), ("sealed_holding", "insert, delete")):
        for statement in new_table(f"settlement.{table}", f"{more} to manex_settlement"):
            op.execute(statement)
