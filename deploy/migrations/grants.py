"""Who may do what: one role per kind of work, the least it needs; triggers that keep facts as they are; tenants' rows.

The lists are what the first migration executed and stay as they are; a later one uses `new_table` and its own statements.
"""

from ledger.schema import IMMUTABLE

#: Nobody logs in as one of these; a connection enters its role with SET ROLE.
NAMES = ("manex_ledger", "manex_settlement", "manex_door", "manex_tenant", "manex_auditor")

ROLES = [
    f"""
    do $$ begin
        if not exists (select from pg_roles where rolname = '{name}') then create role {name} nologin; end if;
    exception when duplicate_object or unique_violation then null;
    end $$
    """
    for name in NAMES
] + [f"grant {name} to current_user" for name in NAMES]

GUARDS = [
    """
    create function ledger.refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception 'rows of %.% are facts: they are answered by a reversal, never changed', tg_table_schema, tg_table_name
            using errcode = 'restrict_violation';
    end $$
    """,
] + [
    f"create trigger facts_stay before update or delete or truncate on ledger.{table}"
    " for each statement execute function ledger.refuse_change()"
    for table in IMMUTABLE
]

_LEDGER_FACTS = ", ".join(f"ledger.{table}" for table in IMMUTABLE)

GRANTS = [
    "grant usage on schema ledger, merchants, settlement, gateway"
    " to manex_ledger, manex_settlement, manex_door, manex_auditor",
    "grant usage on schema ledger, merchants, settlement to manex_tenant",
    # the posting path: adds facts, moves balances, writes what trade decides
    "grant select on all tables in schema ledger, merchants, settlement to manex_ledger",
    "grant usage on sequence ledger.batch_number to manex_ledger",
    f"grant insert on {_LEDGER_FACTS} to manex_ledger",
    "grant insert, update on ledger.account, ledger.lot, ledger.hold, ledger.debt, ledger.head, ledger.issuer to manex_ledger",
    "grant update (clock, settings_revision) on ledger.book to manex_ledger",
    "grant insert on merchants.sale, merchants.redemption, merchants.refund, merchants.contract, merchants.terms"
    " to manex_ledger",
    "grant update (refunded_minor, points_taken_back) on merchants.sale to manex_ledger",
    "grant update (refunded_points) on merchants.redemption to manex_ledger",
    "grant update (last_step) on merchants.device to manex_ledger",
    "grant insert, update on merchants.wrong_spend_code to manex_ledger",
    # settlement: reads the stream, writes what it derives
    "grant select on all tables in schema ledger, merchants to manex_settlement",
    "grant select, insert, update, delete on all tables in schema settlement to manex_settlement",
    # the doors: people, merchants and keys; nothing of value
    "grant select on all tables in schema ledger, merchants, settlement, gateway to manex_door",
    "grant insert, update on merchants.member, merchants.device, merchants.one_time_code, merchants.merchant,"
    " merchants.branch, merchants.till, merchants.api_key, gateway.operator_key to manex_door",
    "grant insert on ledger.book, ledger.head to manex_door",
    "grant update (settings_revision) on ledger.book to manex_door",
    # the audit reads everything and writes nothing
    "grant select on all tables in schema ledger, merchants, settlement to manex_auditor",
    "grant select on merchants.sale, merchants.redemption, merchants.refund, ledger.record, ledger.hold,"
    " settlement.item, settlement.position, settlement.window, settlement.bilateral, merchants.branch, merchants.merchant"
    " to manex_tenant",
    # a batch is everybody's: its numbers give a record its place, and the rest would tell how busy the network is
    "grant select (id, first_sequence) on ledger.batch to manex_tenant",
]

_TENANT = "nullif(current_setting('manex.tenant', true), '')::uuid"

#: (table, condition under which a row is the tenant's)
TENANT_ROWS = [
    ("merchants.sale", f"merchant_id = {_TENANT}"),
    ("merchants.redemption", f"merchant_id = {_TENANT}"),
    ("merchants.refund", f"merchant_id = {_TENANT}"),
    ("merchants.branch", f"merchant_id = {_TENANT}"),
    ("merchants.merchant", f"id = {_TENANT}"),
    ("ledger.record", f"merchant_id = {_TENANT}"),
    ("ledger.hold", f"acceptor_id = {_TENANT}"),
    ("settlement.item", f"{_TENANT} in (issuer_id, acceptor_id, fee_payer_id)"),
    ("settlement.position", f"party_id = {_TENANT}"),
    # whoever has a position in a window reads when it was and how far it is
    (
        "settlement.window",
        "exists (select from settlement.position p where p.book_id = settlement.window.book_id"
        f" and p.window_number = settlement.window.number and p.party_id = {_TENANT})",
    ),
    ("settlement.bilateral", f"{_TENANT} in (debtor_id, creditor_id)"),
]


#: The same of tables that came after the first migration, each executed by its own.
LATER_TENANT_ROWS = {
    "merchants.approval": f"merchant_id = {_TENANT}",
    "merchants.offer": f"merchant_id = {_TENANT}",
    "merchants.offer_tally": f"merchant_id = {_TENANT}",
    "settlement.told_line": f"shown_to = {_TENANT}",
    "settlement.break": f"shown_to = {_TENANT}",
    "settlement.instruction": f"merchant_id = {_TENANT}",
    "merchants.next_offer": f"merchant_id = {_TENANT}",
    "settlement.charge_back": f"merchant_id = {_TENANT}",
}


def _policies(table: str, condition: str) -> tuple[str, ...]:
    """Every role but the tenant's sees all rows: the second lock stands on tenants' reads."""
    return (
        f"alter table {table} enable row level security",
        f"create policy tenant on {table} for select to manex_tenant using ({condition})",
        f"create policy house on {table} to manex_ledger, manex_settlement, manex_door, manex_auditor"
        " using (true) with check (true)",
    )


POLICIES = [statement for table, condition in TENANT_ROWS for statement in _policies(table, condition)]


def new_table(table: str, *more: str, tenant_rows: str | None = None) -> list[str]:
    """What a migration that adds a table executes: every role of the house reads it; `more` says who else does what.

    `more` are such as "insert, update to manex_door". With `tenant_rows`, the condition under which a row is the
    tenant's, a tenant reads its own.
    """
    statements = [f"grant select on {table} to manex_ledger, manex_settlement, manex_door, manex_auditor"]
    for what in more:
        verbs, role = what.rsplit(" to ", 1)
        statements.append(f"grant {verbs} on {table} to {role}")
    if tenant_rows is not None:
        statements += [f"grant select on {table} to manex_tenant", *_policies(table, tenant_rows)]
    return statements
