"""What the tables say may never stand in a column, said to the database as well."""

from alembic import op

revision = "0007"
down_revision = "0006"

_CHECKS = (
    ("ledger", "account", "account_asset", "asset in ('points', 'money')"),
    ("ledger", "book", "book_mode", "mode in ('live', 'test')"),
    ("ledger", "debt", "debt_remaining", "remaining >= 0"),
    ("ledger", "hold", "hold_state", "state in ('open', 'captured', 'voided', 'lapsed')"),
    ("ledger", "lot", "lot_funding", "funding in ('prefunded', 'deferred', 'closed_loop')"),
    ("ledger", "lot", "lot_held", "held >= 0"),
    ("ledger", "lot", "lot_pending", "pending >= 0"),
    ("ledger", "lot", "lot_points", "points > 0"),
    ("ledger", "lot", "lot_remaining", "remaining >= 0"),
    ("ledger", "lot_move", "lot_move_points", "points > 0"),
    ("merchants", "api_key", "api_key_kind", "kind in ('sk', 'rk')"),
    ("merchants", "branch", "branch_channel", "channel in ('physical', 'online')"),
    ("merchants", "contract", "contract_mode", "mode in ('prefunded', 'deferred', 'closed_loop')"),
    ("merchants", "member", "member_kind", "kind in ('natural', 'legal')"),
    ("merchants", "member", "member_state", "state in ('active', 'frozen', 'left')"),
    ("merchants", "merchant", "merchant_kind", "kind in ('shop', 'sponsor', 'network')"),
    ("merchants", "merchant", "merchant_state", "state in ('active', 'suspended', 'exited')"),
    ("merchants", "till", "till_state", "state in ('active', 'closed')"),
)


def upgrade() -> None:
    for schema, table, name, condition in _CHECKS:
        op.create_check_constraint(name, table, condition, schema=schema)
