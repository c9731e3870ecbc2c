"""The spine: ledger, merchants, settlement and the doors' keys."""

from alembic import op

from deploy.migrations.grants import GRANTS, GUARDS, POLICIES, ROLES
from deploy.tables import METADATA, SCHEMAS

revision = "0001"
down_revision = None


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"create schema {schema}")
    op.execute("create sequence ledger.batch_number as bigint cache 1")
    for metadata in METADATA:
        metadata.create_all(op.get_bind())
    for statement in (*ROLES, *GUARDS, *GRANTS, *POLICIES):
        op.execute(statement)
