"""The stories told over HTTP use the application of the gateway's tests."""

from tests.gateway.conftest import api, server_keys
from tests.stories.doors import doors

__all__ = ["api", "doors", "server_keys"]
