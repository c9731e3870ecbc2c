"""Who is signed in to the pages."""

import sqlalchemy as sa
from alembic import op

from deploy.migrations.grants import new_table

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("device_id", sa.UUID(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        schema="gateway",
    )
    op.create_index(
        "session_of_member",
        "session",
        ["member_id"],
        schema="gateway",
        postgresql_where=sa.text("ended_at is null"),
    )
    # nobody but the door looks at them
    for statement in new_table("gateway.session", "insert, update, delete to manex_door")[1:]:
        op.execute(statement)
    op.execute("grant select on gateway.session to manex_door")
