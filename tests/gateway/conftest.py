"""The application of one test, in this process and without sockets."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from deploy import asgi, keys
from deploy.commands.operator import make_key
from gateway.server import Keys
from tests.gateway.network import Api


@pytest.fixture(scope="session")
def server_keys() -> Keys:
    return keys.fresh()


@pytest.fixture
def api(database_url: str, server_keys: Keys) -> Iterator[Api]:
    """An empty server with two operators and one test book of two shops."""
    maker = make_key(database_url, "maker", frozenset({"maker", "auditor"})).secret
    approver = make_key(database_url, "approver", frozenset({"approver"})).secret
    app = asgi.build_app(database_url, server_keys)
    with TestClient(app, raise_server_exceptions=False) as client:
        made = Api(client, app.state.server, database_url, maker, approver)
        made.book = made.open_book()
        made.open_shop("cafe")
        made.open_shop("grocer")
        yield made
