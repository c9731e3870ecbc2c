"""A network with the wallet's pages on it, in this process: one for the stories of a module, each with people of its own."""

from collections.abc import Iterator

import psycopg
import pytest

from deploy import postgres
from gateway.server import Keys
from tests.gateway.conftest import _opened, server_keys
from tests.gateway.network import Api
from tests.wallet_app.visitor import Visitor

__all__ = ["api", "server_keys", "visitor"]


@pytest.fixture(scope="module")
def api(server: postgres.Server, template: str, server_keys: Keys) -> Iterator[Api]:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_visits template {template}")
    yield from _opened(server.dsn("manex_visits"), server_keys)
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute("drop database manex_visits with (force)")


@pytest.fixture
def visitor(api: Api) -> Visitor:
    """A browser of nobody yet, in English."""
    return Visitor(api)
