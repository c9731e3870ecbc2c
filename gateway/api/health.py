"""Whether the process lives, whether it can serve, and with which key it signs."""

from typing import Final

import anyio
import msgspec

from gateway import store
from gateway.api.shapes import HealthOut, JwksOut
from gateway.calls import Call
from ledger.errors import Unavailable

READY_SECONDS: Final = 3.0


async def get_health(call: Call[None]) -> HealthOut:  # noqa: ARG001 - an operation's function
    return HealthOut(status="ok")


async def get_ready(call: Call[None]) -> HealthOut:
    """Refused while the process is closing, and when the database does not answer in time."""

    def ask() -> None:
        with call.server.db.tx("door") as tx:
            store.alive(tx)

    try:
        with anyio.fail_after(READY_SECONDS):
            await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except TimeoutError:
        raise Unavailable("the database does not answer") from None
    return HealthOut(status="ok")


async def get_jwks(call: Call[None]) -> JwksOut:
    return msgspec.convert(call.server.tokens.jwks(), JwksOut)
