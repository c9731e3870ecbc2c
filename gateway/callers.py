"""Who calls: a merchant by key, a member by token, an operator by key. What is known is answered without waiting."""

from typing import Final

import anyio

import ledger
from gateway import operation
from gateway.calls import Call, Caller, MemberCaller, MerchantCaller, Nobody, OperatorCaller
from gateway.operator_keys import PREFIX, OperatorKey
from gateway.problems import Problem
from gateway.server import BookFacts, Server
from gateway.tokens import unauthenticated
from merchants import contracts

#: No credential of ours is longer.
LONGEST: Final = 2_100


async def admit(server: Server, who: operation.Who, headers: dict[bytes, bytes], address: str) -> Caller:
    """The caller, if one of `who`: 401 for a credential that is none, 403 for one that may not."""
    if isinstance(who, operation.Anybody):
        return Nobody()
    credential = _bearer(headers)
    if isinstance(who, operation.Merchant):
        return await _merchant(server, credential, who.scope, address)
    if isinstance(who, operation.Operator):
        return await _operator(server, credential, who.roles, address)
    return await _member(server, credential)


def _bearer(headers: dict[bytes, bytes]) -> str:
    scheme, _, credential = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not credential or len(credential) > LONGEST:
        raise unauthenticated("send Authorization: Bearer and a credential")
    try:
        return credential.strip().decode("ascii")
    except UnicodeDecodeError:
        raise unauthenticated() from None


async def _merchant(server: Server, credential: str, scope: str, address: str) -> MerchantCaller:
    key = server.merchant_keys.remembered(credential)
    book = server.known_book(key.book_id) if key is not None else None
    if key is None or book is None:
        await not_too_often(server, address, credential)
        found = await anyio.to_thread.run_sync(_find_merchant, server, credential, limiter=server.readers)
        if found is None:
            raise await _stranger(server, address)
        server.strangers.met(credential)
        key, book = found
    if not key.allows(scope):
        raise Problem("forbidden", f"the key lacks the scope {scope}", facts={"scope": scope})
    return MerchantCaller(key.merchant_id, book, key.id, key.scopes)


def _find_merchant(server: Server, credential: str) -> tuple[contracts.Key, BookFacts] | None:
    key = server.merchant_keys.key(credential)
    return None if key is None else (key, server.book(key.book_id))


async def _operator(server: Server, credential: str, roles: tuple[str, ...], address: str) -> OperatorCaller:
    known, key = server.operator_keys.remembered(credential)
    if not known:
        await not_too_often(server, address, credential)
        key = await anyio.to_thread.run_sync(_find_operator, server, credential, limiter=server.readers)
    if key is None:
        raise await _stranger(server, address)
    if not known:
        server.strangers.met(credential)
    if not key.roles & set(roles):
        raise Problem("forbidden", f"this needs the role {' or '.join(roles)}", facts={"role": " or ".join(roles)})
    return OperatorCaller(key.operator_id, key.id, key.book_id, key.name, key.roles)


def _find_operator(server: Server, credential: str) -> OperatorKey | None:
    return server.operator_keys.find(credential) if credential.startswith(PREFIX) else None


async def _member(server: Server, credential: str) -> MemberCaller:
    bearer = server.tokens.read(credential)
    book = server.known_book_named(bearer.book_public_id)
    if book is None:
        book = await anyio.to_thread.run_sync(server.book_named, bearer.book_public_id, limiter=server.readers)
    if book is None:
        raise unauthenticated()
    return MemberCaller(bearer.member_id, book)


def expires_at(server: Server, headers: dict[bytes, bytes]) -> float:
    """When the token that a member called with ends, Unix time."""
    return server.tokens.read(_bearer(headers)).expires_at


async def not_too_often(server: Server, address: str, credential: str) -> None:
    """An address that sent much that nobody knows waits before the database is asked again."""
    if wait := await server.strangers.wait_seconds(address, credential):
        raise Problem("rate_limited", "too much that nobody knows", headers=((b"retry-after", b"%d" % wait),))


async def _stranger(server: Server, address: str) -> Problem:
    await server.strangers.unknown(address)
    return unauthenticated()


async def limit(call: Call[object]) -> None:
    """Count the call against its caller's limit."""
    caller = call.caller
    if isinstance(caller, MerchantCaller):
        await call.take(call.server.limits[caller.book.mode].key, caller.actor)
    elif isinstance(caller, MemberCaller):
        await call.take(call.server.limits[caller.book.mode].member, caller.actor)
    elif isinstance(caller, OperatorCaller):
        await call.take(call.server.operator_limit, ledger.ids.show("key", caller.key_id))
