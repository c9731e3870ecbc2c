"""A site of pages, as an ASGI application under one path: routes, sessions, forms, languages, refusals as pages.

A request is checked in this order: path and method, that the process takes work, where it was made (of what changes
something), its form, its session, how often. Pages then ask what the API would answer, in the process.
"""

import logging
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote

import msgspec
import psycopg
import psycopg_pool
from starlette.types import Receive, Scope, Send

import ledger
from gateway import log, sessions
from gateway.door import RETRY_SECONDS, Gone, stream_out, unavailable
from gateway.problems import KINDS, Problem
from gateway.server import Server
from gateway.streams import Stream
from gateway.web import cookies, headers, languages, refusals, templates
from gateway.web.assets import Assets
from gateway.web.visits import Moved, Raw, Shown, Told, Visit

logger = logging.getLogger("manex.web")

HERE: Final = Path(__file__).parent

LARGEST_FORM: Final = 16 * 1024
LONGEST_QUERY: Final = 1_000
_FORM_TYPE: Final = b"application/x-www-form-urlencoded"
_NOT_NOW: Final = (
    ledger.errors.Unavailable,
    ledger.errors.Stale,
    psycopg.OperationalError,
    psycopg_pool.PoolTimeout,
)
LANGUAGE_COOKIE: Final = "manex_language"
LOOK_COOKIE: Final = "manex_look"
LOOKS: Final = ("light", "dark")

Answer = Shown | Moved | Told | Raw | Stream


@dataclass(frozen=True, slots=True)
class Page:
    """One method on one path of a site. `path` begins with / and may name parts: /history/{record}."""

    method: Literal["GET", "POST"]
    path: str
    function: Callable[[Visit], Awaitable[Answer]]
    who: Literal["member", "anybody"] = "member"


@dataclass(frozen=True, slots=True)
class _Route:
    pattern: re.Pattern[str]
    pages: dict[str, Page] = field(default_factory=dict)


class Site:
    """Pages under `root` (such as /wallet), of templates, words and files in `folder` on top of the kit's own.

    `sign_in` is the path of the page to sign in at; `globals` are what every template knows besides the kit's.
    """

    def __init__(
        self,
        server: Server,
        root: str,
        folder: Path,
        pages: Sequence[Page],
        *,
        sign_in: str,
        globals: Mapping[str, Any] | None = None,
    ) -> None:
        self._server = server
        self.root = root
        self._sign_in = sign_in
        folders = (HERE, folder)
        self.assets = Assets(folders)
        self.languages = languages.load(folders)
        known = {"root": root, "assets": f"{root}/static/{self.assets.version}", "version": self.assets.version}
        self._templates = templates.environments(folders, self.languages, known | dict(globals or {}))
        self._routes: list[_Route] = []
        for page in pages:
            shape = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(page.path))
            pattern = re.compile(shape)
            route = next((r for r in self._routes if r.pattern.pattern == shape), None)
            if route is None:
                route = _Route(pattern)
                self._routes.append(route)
            route.pages[page.method] = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = ledger.ids.show("request", ledger.ids.new())
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = scope["path"].removeprefix(self.root)
        if path.startswith("/static/"):
            await self._asset(path, scope, send)
            return
        visit = self._visit(scope, request_id)
        found: Answer | Problem
        name = "none"
        try:
            page, params, name = self._page(method, path)
            visit.params = params
            found = await self._answer(visit, page, scope, receive)
        except Gone:
            return
        except Problem as problem:
            found = problem
        except _NOT_NOW as error:
            logger.warning("unavailable: %s", type(error).__name__, extra={"request_id": request_id})
            found = unavailable()
        except Exception as error:
            found = self._fault(error, request_id)
        try:
            status = await self._respond(visit, found, scope, receive, send)
        finally:
            if isinstance(found, Stream):
                found.close()
        seconds = time.perf_counter() - began
        self._server.metrics.request(name, scope["method"] if name != "none" else "other", status, seconds)
        if self._server.settings.access_log:
            log.access(time.time(), request_id, scope["method"], name, status, seconds)

    # -- in

    def _visit(self, scope: Scope, request_id: str) -> Visit:
        sent = dict(scope["headers"])
        held = cookies.read(sent.get(b"cookie", b""))
        code = held.get(LANGUAGE_COOKIE, "")
        if code not in self.languages:
            code = languages.preferred(sent.get(b"accept-language", b"").decode("latin-1"))
        look = held.get(LOOK_COOKIE, "")
        return Visit(
            server=self._server,
            root=self.root,
            method=scope["method"],
            path=scope["path"],
            params={},
            query={},
            form={},
            sent=sent,
            cookies=held,
            address=scope["client"][0] if scope.get("client") else "",
            secure=scope.get("scheme") == "https",
            language=self.languages[code],
            look=look if look in LOOKS else "",
            request_id=request_id,
            nonce=secrets.token_urlsafe(16),
            version=self.assets.version,
        )

    def _page(self, method: str, path: str) -> tuple[Page, dict[str, str], str]:
        for route in self._routes:
            if (match := route.pattern.fullmatch(path)) is None:
                continue
            if (page := route.pages.get(method)) is None:
                allow = ", ".join(sorted(route.pages)).encode()
                raise Problem("method_not_allowed", "not by this method", headers=((b"allow", allow),))
            return page, match.groupdict(), f"{self.root}{page.path}"
        raise Problem("not_found", "no such page")

    async def _answer(self, visit: Visit, page: Page, scope: Scope, receive: Receive) -> Answer:
        server = self._server
        if server.closing:
            raise unavailable()
        if page.method == "POST":
            headers.same_origin(visit.sent, secure=visit.secure)
            visit.form = await _form(visit.sent, receive)
        visit.query = _pairs(scope["query_string"][:LONGEST_QUERY])
        if cookie := visit.cookies.get(visit.session_cookie):
            await visit.work(self._sign_in_by, visit, cookie)
        if page.who == "member" and visit.session is None:
            back = f"?next={quote(visit.path)}" if page.method == "GET" and visit.path != f"{self.root}/" else ""
            return Moved(f"{self._sign_in}{back}")
        if visit.session is not None:
            caller = visit.member
            room = await server.limits[caller.book.mode].member.take(caller.actor)
            if room.wait_seconds:
                raise Problem("rate_limited", "wait", headers=((b"retry-after", b"%d" % room.wait_seconds),))
        return await page.function(visit)

    def _sign_in_by(self, tx: ledger.Tx, visit: Visit, cookie: str) -> None:
        session = sessions.found(tx, cookie)
        if session is None:
            return
        visit.session, visit.facts = session, self._server.book(session.book_id)
        visit.book = ledger.read_book(tx, session.book_id)

    def _fault(self, error: Exception, request_id: str) -> Problem:
        # the frames and not the message: a database's message may quote what a member sent
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s\n%s", type(error).__name__, frames, extra={"request_id": request_id})
        return Problem("internal", "the fault is noted under the request_id")

    # -- out

    async def _respond(self, visit: Visit, found: Answer | Problem, scope: Scope, receive: Receive, send: Send) -> int:
        told = [*headers.of_page(visit.nonce, secure=visit.secure), (b"request-id", visit.request_id.encode())]
        if isinstance(found, Stream):
            await stream_out(found, scope, receive, send, visit.request_id, ())
            return 200
        if isinstance(found, Problem) and visit.sent.get(b"accept") == b"application/json":
            told += found.headers
            found = Told({"code": found.code, "words": visit.say(found)}, KINDS[found.code].status)
        if isinstance(found, Shown | Problem):
            try:
                status, body = self._rendered(visit, found)
            except Exception as error:
                status, body = self._rendered(visit, self._fault(error, visit.request_id))
            if isinstance(found, Problem):
                told += found.headers
                if status == 503 and not found.headers:
                    told.append((b"retry-after", b"%d" % RETRY_SECONDS))
            await _send(send, status, body, b"text/html; charset=utf-8", [*told, *visit.headers], scope)
            return status
        if isinstance(found, Moved):
            if found.forget:
                told.append((b"clear-site-data", b'"cache", "storage"'))
            await _send(send, 303, b"", b"", [*told, (b"location", found.to.encode()), *visit.headers], scope)
            return 303
        if isinstance(found, Raw):
            await _send(send, 200, found.body, found.media_type.encode(), list(found.headers) or told, scope)
            return 200
        body = msgspec.json.encode(found.value)
        await _send(send, found.status, body, b"application/json", [*told, *visit.headers], scope)
        return found.status

    def _rendered(self, visit: Visit, found: Shown | Problem) -> tuple[int, bytes]:
        if isinstance(found, Problem):
            found = Shown(
                "problem.html",
                {"title": refusals.title(found.code), "words": visit.say(found), "code": found.code},
                KINDS[found.code].status,
            )
        template = self._templates[visit.language.code].get_template(found.template)
        facts = {"visit": visit, "book": visit.book, **found.facts}
        return found.status, template.render(facts).encode()

    async def _asset(self, path: str, scope: Scope, send: Send) -> None:
        _, _, version, name = (path + "///").split("/")[:4]
        asset = self.assets.files.get(name)
        if asset is None or scope["method"] not in ("GET", "HEAD"):
            await _send(send, 404, b"", b"text/plain", headers.of_asset(forever=False), scope)
            return
        told = headers.of_asset(forever=version == self.assets.version)
        body = asset.body
        if b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b""):
            body = asset.packed
            told.append((b"content-encoding", b"gzip"))
        told.append((b"vary", b"accept-encoding"))
        await _send(send, 200, body, asset.media_type.encode(), told, scope)


async def _form(sent: Mapping[bytes, bytes], receive: Receive) -> dict[str, str]:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        if len(body) > LARGEST_FORM:
            raise Problem("too_large", f"a form has at most {LARGEST_FORM} bytes")
        if not message.get("more_body", False):
            break
    if body and sent.get(b"content-type", b"").partition(b";")[0].strip().lower() != _FORM_TYPE:
        raise Problem("unsupported_media_type", "send a form")
    return _pairs(body)


def _pairs(raw: bytes) -> dict[str, str]:
    """Names and values of a form or a query; of what comes twice the last. NUL is no text of a person."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=60)
    except ValueError:
        raise Problem("malformed_request", "what was sent cannot be read") from None
    if any("\0" in value for _, value in pairs):
        raise Problem("malformed_request", "what was sent holds the character NUL")
    return dict(pairs)


async def _send(
    send: Send, status: int, body: bytes, media_type: bytes, told: Sequence[tuple[bytes, bytes]], scope: Scope
) -> None:
    named = [(b"content-type", media_type)] if media_type else []
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*named, length, *told]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def own_path(root: str, path: str, otherwise: str) -> str:
    """A path of this site that a form or a query says to go on to; nobody is sent anywhere else."""
    return path if re.fullmatch(re.escape(root) + r"/[A-Za-z0-9_/-]{0,100}", path) else otherwise
