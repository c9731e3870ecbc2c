"""A network with the wallet's pages on it, in this process and over a socket."""

from collections.abc import Iterator

import pytest

from gateway.server import Keys
from tests.gateway.conftest import _opened, server_keys
from tests.gateway.network import Api
from tests.wallet_app.visitor import Visitor

__all__ = ["api", "server_keys", "visitor"]


@pytest.fixture
def api(database_url: str, server_keys: Keys) -> Iterator[Api]:
    yield from _opened(database_url, server_keys)


@pytest.fixture
def visitor(api: Api) -> Visitor:
    """A browser of nobody yet, in English."""
    return Visitor(api)
