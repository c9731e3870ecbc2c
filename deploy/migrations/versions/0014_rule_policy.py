"""What a network forbids its merchants' rules."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import new_table

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "rule_policy",
        sa.Column("book_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("equal_persons", sa.Boolean(), nullable=False),
        sa.Column("largest_share_ppm", sa.Integer(), nullable=True),
        sa.Column("not_before", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", "version"),
        schema="merchants",
    )
    for statement in new_table("merchants.rule_policy", "insert to manex_ledger"):
        op.execute(statement)
