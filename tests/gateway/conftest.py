"""The application of one test, in this process and without sockets."""

from collections.abc import Iterator

import psycopg
import pytest
from starlette.testclient import TestClient

from deploy import asgi, keys, postgres
from deploy.commands.operator import make_key
from gateway.server import Keys
from tests.gateway.network import Api
from tests.gateway.siege import Siege, besiege


@pytest.fixture(scope="session")
def server_keys() -> Keys:
    return keys.fresh()


@pytest.fixture
def api(database_url: str, server_keys: Keys) -> Iterator[Api]:
    """An empty server with two operators and one test book of two shops."""
    yield from _opened(database_url, server_keys)


@pytest.fixture(scope="session")
def siege(server: postgres.Server, template: str, server_keys: Keys) -> Iterator[Siege]:
    """One network for every table of attacks, on a database of its own. What is tried must leave it as it was."""
    yield from besieged(server, template, server_keys, "manex_siege")


def besieged(server: postgres.Server, template: str, server_keys: Keys, name: str) -> Iterator[Siege]:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
    url = server.dsn(name)
    with psycopg.connect(url, autocommit=True) as watch:
        for api in _opened(url, server_keys):
            yield besiege(api, watch)


def _opened(database_url: str, server_keys: Keys) -> Iterator[Api]:
    maker = make_key(database_url, "maker", frozenset({"maker", "auditor"})).secret
    approver = make_key(database_url, "approver", frozenset({"approver"})).secret
    app = asgi.build_app(database_url, server_keys)
    with TestClient(app, raise_server_exceptions=False) as client:
        made = Api(client, app.state.server, database_url, maker, approver)
        made.book = made.open_book()
        made.open_shop("cafe")
        made.open_shop("grocer")
        yield made
