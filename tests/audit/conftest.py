"""The honest world, lived once for the whole run, and copies of it to spoil."""

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from deploy import postgres
from tests.audit import failing
from tests.audit.story import lived

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def honest(server: postgres.Server, template: str) -> str:
    """The address of a database that holds the honest world."""
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_honest template {template}")
    lived(server.dsn("manex_honest")).close()
    return server.dsn("manex_honest")


@pytest.fixture(scope="session")
def covered(server: postgres.Server, template: str) -> str:
    """The address of a database that holds the world of a shop that did not pay."""
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_covered template {template}")
    failing.lived(server.dsn("manex_covered")).close()
    return server.dsn("manex_covered")


@pytest.fixture
def copy(server: postgres.Server, honest: str) -> Iterator[Callable[[], str]]:
    """Makes copies of the honest world, each for one test to spoil."""
    made: list[str] = []

    def fresh() -> str:
        made.append(f"manex_copy_{next(_numbers)}")
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute(f"create database {made[-1]} template manex_honest")
        return server.dsn(made[-1])

    yield fresh
    with psycopg.connect(server.url, autocommit=True) as conn:
        for name in made:
            conn.execute(f"drop database {name} with (force)")
