"""One-time codes that step up, and those that prove a new telephone."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.drop_constraint("one_time_code_purpose", "one_time_code", schema="merchants", type_="check")
    op.create_check_constraint(
        "one_time_code_purpose",
        "one_time_code",
        "purpose in ('sign_in', 'confirm', 'step_up', 'new_phone')",
        schema="merchants",
    )
