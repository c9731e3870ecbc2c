"""One real PostgreSQL for the whole run; a fresh database per test that asks for one, copied from a migrated template."""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from deploy import postgres
from deploy.migrate import migrate
from deploy.tables import SCHEMAS
from tests.world import World

TESTS: Final = Path(__file__).parent

_numbers = itertools.count(1)

#: Files that take a minute or so begin first: what begins last would hold up the run's end alone.
LONGEST: Final = (
    "demo/test_demo.py",
    "deploy/test_bench.py",
    "deploy/test_soak.py",
    "simulate/test_faults.py",
    "simulate/test_histories.py",
    "simulate/test_more_histories.py",
    "simulate/test_command.py",
    "deploy/test_streaming.py",
    "wallet_app/test_in_chromium.py",
    "gateway/test_schemathesis.py",
    "ledger/test_postings_table.py",
    "stream/test_demo_week.py",
    "stories/test_offline_till.py",
    "stream/test_over_kafka.py",
    "stories/test_races.py",
    "stories/test_whole_lives.py",
    "deploy/test_up.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    begin = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: begin.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """A PostgreSQL of the test run's own, in a temporary directory."""
    home: Path = tmp_path_factory.mktemp("manex")
    # made and thrown away many times a run: what a test must survive is told where it is killed, on a server of its own
    quick = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum_naptime": "10s"}
    with postgres.running(home, settings=quick) as running:
        yield running


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute("create database manex_template")
    migrate(server.dsn("manex_template"))
    return "manex_template"


@pytest.fixture(scope="session")
def shared_database(server: postgres.Server, template: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_shared template {template}")
    return server.dsn("manex_shared")


@pytest.fixture
def database_url(shared_database: str) -> Iterator[str]:
    """A migrated, empty database. One for all tests, emptied after each: forty times as fast as a copy of the template."""
    yield shared_database
    _empty(shared_database)


@pytest.fixture
def own_database_url(server: postgres.Server, template: str) -> Iterator[str]:
    """A database of the test's own, for tests that change more than rows."""
    name = f"manex_test_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
    yield server.dsn(name)
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"drop database if exists {name} with (force)")


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        conn.execute(_wiping(url))


@functools.cache
def _wiping(url: str) -> str:
    """One statement for all tables, past the triggers that keep facts as they are: asked before most of the tests."""
    with psycopg.connect(url, autocommit=True) as conn:
        tables = conn.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname = any(%s)", [list(SCHEMAS)]
        ).fetchall()
    steps = ["set session_replication_role = replica", *(f"delete from {table}" for (table,) in tables)]
    sequences = ("ledger.book_id_seq", "ledger.account_id_seq", "ledger.batch_number")
    return ";".join([*steps, *(f"alter sequence {sequence} restart" for sequence in sequences)])


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """An empty test book with its clock at the beginning of 2017."""
    made = World(database_url)
    yield made
    made.close()
