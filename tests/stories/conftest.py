"""The stories told over HTTP use the application of the gateway's tests."""

from tests.gateway.conftest import api, server_keys

__all__ = ["api", "server_keys"]
