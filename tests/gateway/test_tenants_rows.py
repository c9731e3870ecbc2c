"""The second lock on tenants' reads: a query that forgets whose rows it wants gets its merchant's, and nobody else's."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

import ledger
from deploy.migrations.grants import LATER_TENANT_ROWS, TENANT_ROWS
from deploy.tables import METADATA
from ledger import ids
from tests.gateway.siege import Siege

#: How to tell whose a row is: the columns of which one has to name the tenant.
OWNERS = {
    "merchants.sale": {"merchant_id"},
    "merchants.redemption": {"merchant_id"},
    "merchants.refund": {"merchant_id"},
    "merchants.approval": {"merchant_id"},
    "merchants.offer": {"merchant_id"},
    "merchants.offer_tally": {"merchant_id"},
    "merchants.branch": {"merchant_id"},
    "merchants.merchant": {"id"},
    "ledger.record": {"merchant_id"},
    "ledger.hold": {"acceptor_id"},
    "settlement.item": {"issuer_id", "acceptor_id", "fee_payer_id"},
    "settlement.position": {"party_id"},
    "settlement.bilateral": {"debtor_id", "creditor_id"},
    "settlement.told_line": {"shown_to"},
    "settlement.break": {"shown_to"},
    "settlement.charge_back": {"merchant_id"},
    "settlement.instruction": {"merchant_id"},
    "merchants.next_offer": {"merchant_id"},
}
#: Rows that are nobody's own, and what is told of them: how a batch is numbered, so that records have a sequence.
SHARED = {"ledger.batch": {"id", "first_sequence"}}
#: A window is seen by whoever has a position in it.
BY_POSITION = {"settlement.window"}

ALL = sorted(f"{table.schema}.{table.name}" for metadata in METADATA for table in metadata.tables.values())
CLOSED = sorted(set(ALL) - set(OWNERS) - set(SHARED) - BY_POSITION)

NOT_ALLOWED = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def db(siege: Siege) -> Iterator[ledger.Database]:
    opened = ledger.Database(siege.api.url, largest_pool=2)
    yield opened
    opened.close()


def uuid(siege: Siege, shop: str) -> UUID:
    found = ids.read("merchant", siege.names[shop])
    assert found is not None
    return found


def test_every_table_with_policies_is_told_of_here() -> None:
    assert {table for table, _ in TENANT_ROWS} | LATER_TENANT_ROWS.keys() == set(OWNERS) | BY_POSITION


@pytest.mark.parametrize("shop", ["cafe", "grocer", "stranger"])
@pytest.mark.parametrize("table", OWNERS)
def test_a_query_without_a_filter_yields_the_tenants_rows(
    siege: Siege, db: ledger.Database, table: str, shop: str
) -> None:
    tenant = uuid(siege, shop)
    whose = " or ".join(f"{column} = %(tenant)s" for column in sorted(OWNERS[table]))
    with db.tx("tenant", tenant=str(tenant)) as tx:
        seen = tx.execute(f"select ({whose}) is true from {table}", {"tenant": tenant}).fetchall()
    assert all(own for (own,) in seen)
    there = siege.watch.execute(f"select count(*) from {table} where {whose}", {"tenant": tenant}).fetchone()
    assert (len(seen),) == there, "and all of them"


@pytest.mark.parametrize("table", [*OWNERS, *BY_POSITION])
def test_without_a_tenant_there_is_nothing(siege: Siege, db: ledger.Database, table: str) -> None:
    for tenant in (None, ""):
        with db.tx("tenant", tenant=tenant) as tx:
            assert tx.execute(f"select * from {table}").fetchall() == []


def test_there_is_something_to_hide(siege: Siege) -> None:
    for table in ("merchants.sale", "merchants.redemption", "ledger.record", "ledger.hold", "settlement.position"):
        found = siege.watch.execute(f"select count(*) from {table}").fetchone()
        assert found is not None
        assert found[0] > 1, table


def test_a_window_is_seen_by_whoever_has_a_position_in_it(siege: Siege, db: ledger.Database) -> None:
    for shop, numbers in (("cafe", [1]), ("grocer", [1]), ("stranger", [])):
        with db.tx("tenant", tenant=str(uuid(siege, shop))) as tx:
            assert [n for (n,) in tx.execute("select number from settlement.window order by 1")] == numbers


def test_of_a_batch_only_its_numbers_are_told(siege: Siege, db: ledger.Database) -> None:
    for table, told in SHARED.items():
        schema, _, name = table.partition(".")
        found = siege.watch.execute(
            "select column_name from information_schema.column_privileges"
            " where grantee = 'manex_tenant' and table_schema = %s and table_name = %s",
            [schema, name],
        )
        assert {column for (column,) in found} == told


@pytest.mark.parametrize("table", CLOSED)
def test_what_is_not_granted_is_not_read(siege: Siege, db: ledger.Database, table: str) -> None:
    with pytest.raises(NOT_ALLOWED), db.tx("tenant", tenant=str(uuid(siege, "cafe"))) as tx:
        tx.execute(f"select 1 from {table}")


def test_the_tables_of_people_and_secrets_are_closed() -> None:
    secret = {"member", "device", "one_time_code", "api_key", "wrong_spend_code"}
    assert {f"merchants.{name}" for name in secret} < set(CLOSED)
    assert {"ledger.outcome", "ledger.lot", "ledger.account", "ledger.entry", "gateway.operator_key"} < set(CLOSED)


@pytest.mark.parametrize("table", ALL)
def test_a_tenant_writes_nothing(siege: Siege, db: ledger.Database, table: str) -> None:
    statements = (
        f"insert into {table} default values",
        f"update {table} set {_first_column(table)} = {_first_column(table)}",
        f"delete from {table}",
        f"truncate {table}",
        f"lock table {table} in exclusive mode",
    )
    for statement in statements:
        with pytest.raises(NOT_ALLOWED), db.tx("tenant", tenant=str(uuid(siege, "cafe"))) as tx:
            tx.execute(statement)


def test_a_tenant_makes_and_takes_nothing_else(siege: Siege, db: ledger.Database) -> None:
    for statement in (
        "create table merchants.mine (id int)",
        "create table public.mine (id int)",
        "select nextval('ledger.batch_number')",
        "alter table merchants.sale disable row level security",
        "drop policy tenant on merchants.sale",
        "set session_replication_role = replica",
        "copy merchants.member to '/tmp/members'",
        "select pg_read_file('/etc/passwd')",
    ):
        with pytest.raises(NOT_ALLOWED), db.tx("tenant", tenant=str(uuid(siege, "cafe"))) as tx:
            tx.execute(statement)


def test_a_tenant_is_forgotten_with_its_transaction(siege: Siege, db: ledger.Database) -> None:
    """The next transaction on the same connection is nobody's."""
    with db.tx("tenant", tenant=str(uuid(siege, "cafe"))) as tx:
        assert tx.execute("select 1 from merchants.sale").fetchall()
    for _ in range(3):
        with db.tx("tenant") as tx:
            assert tx.execute("select 1 from merchants.sale").fetchall() == []


def _first_column(table: str) -> str:
    schema, _, name = table.partition(".")
    for metadata in METADATA:
        for found in metadata.tables.values():
            if (found.schema, found.name) == (schema, name):
                return str(next(iter(found.columns)).name)
    raise AssertionError(table)
