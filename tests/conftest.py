"""One real PostgreSQL for the whole run; a fresh database per test that asks for one, copied from a migrated template."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy import postgres
from deploy.migrate import migrate
from tests.world import World

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """A PostgreSQL of the test run's own, in a temporary directory."""
    home: Path = tmp_path_factory.mktemp("manex")
    with postgres.running(home) as running:
        yield running


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> str:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute("create database manex_template")
    migrate(server.dsn("manex_template"))
    return "manex_template"


@pytest.fixture()
def database_url(server: postgres.Server, template: str) -> Iterator[str]:
    """A migrated, empty database."""
    name = f"manex_test_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
    yield server.dsn(name)
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"drop database if exists {name} with (force)")


@pytest.fixture()
def world(database_url: str) -> Iterator[World]:
    """An empty test book with its clock at the beginning of 2017."""
    made = World(database_url)
    yield made
    made.close()
