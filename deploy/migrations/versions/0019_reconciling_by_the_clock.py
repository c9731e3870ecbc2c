"""Reconciliation by the clock: when a book was last reconciled, and the money that providers' events say moved."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import new_table

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "reconciled_whole",
        sa.Column("book_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_movement", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("book_id"),
        schema="settlement",
    )
    op.create_table(
        "rail_movement",
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("rail", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("instruction_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('transfer', 'returned', 'disputed', 'reinstated')", name="rail_movement_kind"),
        sa.PrimaryKeyConstraint("book_id", "n", name="rail_movement_pkey"),
        schema="settlement",
    )
    for statement in (
        *new_table("settlement.reconciled_whole", "insert, update to manex_settlement"),
        *new_table("settlement.rail_movement", "insert to manex_ledger"),
    ):
        op.execute(statement)
