"""The API as an ASGI application: routes made from the table of operations, and the document that describes them."""

import contextlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

import ledger
from gateway import openapi, web
from gateway.api.table import OPERATIONS
from gateway.calls import Reply, encode
from gateway.door import ALWAYS, Door, refused, respond
from gateway.metrics_page import Page
from gateway.operation import Operation
from gateway.problems import KINDS, MEDIA_TYPE, Problem
from gateway.server import Server

_UNKNOWN: Final = {404: "not_found", 405: "method_not_allowed"}


def build(
    server: Server,
    operations: Sequence[Operation] = OPERATIONS,
    on_stop: Callable[[], Awaitable[None]] | None = None,
    metrics_token: str | None = None,
    metrics_place: Path | None = None,
    sites: Sequence[web.Site] = (),
) -> FastAPI:
    """The application over `server`, with the pages of `sites`. `on_stop` runs when the last request is answered.

    `/metrics` is there for whoever sends `metrics_token`, and for nobody without one; `metrics_place` is where the
    processes of one house leave theirs for each other.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield
            server.closing = True
        if on_stop is not None:
            await on_stop()

    # no document of FastAPI's own: its routes know nothing of these
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False)
    app.state.server = server
    by_path: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_path[operation.path].append(operation)
    for path, several in by_path.items():
        app.router.routes.append(_route(path, Door(server, several)))
    app.router.routes.append(_route("/openapi.json", _Document(operations)))
    if metrics_token is not None:
        app.router.routes.append(_route("/metrics", Page(server, metrics_token, metrics_place)))
    for site in sites:
        app.router.routes += [_route(site.root, _To(f"{site.root}/")), Mount(site.root, site)]
    app.add_exception_handler(HTTPException, _refuse)
    return app


def _route(path: str, door: ASGIApp) -> Route:
    """`path` and nothing else: what Starlette makes of it ends in $, which also matches before a last line feed."""
    route = Route(path, door)
    route.path_regex = re.compile(route.path_regex.pattern.removesuffix("$") + r"\Z")
    return route


class _Document:
    """`/openapi.json`, made once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._reply = Reply(200, encode(openapi.document(operations)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        request_id = _request_id()
        if scope["method"] in ("GET", "HEAD"):
            await respond(send, self._reply, request_id, ())
        else:
            problem = Problem("method_not_allowed", "use GET", headers=((b"allow", b"GET, HEAD"),))
            await respond(send, refused(problem, scope["path"], request_id), request_id, ())


class _To:
    """The way on to a path."""

    def __init__(self, path: str) -> None:
        self._path = path.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        told = [(b"location", self._path), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": told})
        await send({"type": "http.response.body", "body": b""})


async def _refuse(request: Request, error: Exception) -> Response:
    """What the router itself answers: a path that nobody has."""
    assert isinstance(error, HTTPException)
    code = _UNKNOWN.get(error.status_code, "malformed_request")
    request_id = _request_id()
    reply = refused(Problem(code, KINDS[code].title), request.url.path, request_id)
    request.app.state.server.metrics.request("none", "other", reply.status, 0.0)
    headers = {name.decode(): value.decode() for name, value in ALWAYS} | {"request-id": request_id}
    return Response(reply.body, reply.status, headers, MEDIA_TYPE.decode())


def _request_id() -> str:
    return ledger.ids.show("request", ledger.ids.new())
