"""The stories told over HTTP use the application of the gateway's tests."""

from collections.abc import Iterator

import pytest

from tests.facts import faults
from tests.gateway.conftest import api, server_keys
from tests.stories.doors import doors
from tests.world import World

__all__ = ["api", "doors", "server_keys"]


@pytest.fixture(autouse=True)
def _declared(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stories post what the stream declares, and nothing else."""
    told = request.getfixturevalue("world") if "world" in request.fixturenames else None
    yield
    if isinstance(told, World):
        assert faults(told) == set()
