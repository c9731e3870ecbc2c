"""A merchant's keys: listed, made, replaced and ended by the merchant itself, listed and ended by the operator.

A restricted key does nothing to a key that may do more than itself: it neither makes, replaces nor ends one.
"""

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec

import ledger
from gateway.api.lists import ById
from gateway.api.operator_scope import merchant_in_path
from gateway.api.shapes import ApiKeyIn, ApiKeyOut, ApiKeyPage, NewApiKeyOut, RevokeIn, RotateIn
from gateway.calls import Call, accepted
from gateway.problems import Problem
from gateway.tokens import unauthenticated
from ledger import ids
from merchants import contracts
from merchants.contracts import keys

# -- by the merchant


async def list_api_keys(call: Call[None]) -> ApiKeyPage:
    """In the order they were made, ended ones included."""
    return await _list(call, call.merchant.book.id, call.merchant.id)


async def post_api_key(call: Call[ApiKeyIn]) -> NewApiKeyOut:
    caller, body = call.merchant, call.body
    if lacking := sorted(set(body.scopes) & set(keys.SCOPES) - caller.scopes):
        raise Problem("forbidden", f"the key lacks the scope {lacking[0]}", "/scopes", facts={"scope": lacking[0]})

    def make(tx: ledger.Tx) -> tuple[contracts.Key, str]:
        book = ledger.read_book(tx, caller.book.id)
        _within_reach(call, tx, book)
        return accepted(keys.make(tx, book, caller.id, body.label, "rk", body.scopes))

    return _new(*await call.work(make))


async def post_rotation(call: Call[RotateIn]) -> NewApiKeyOut:
    caller, id, hours = call.merchant, call.id("key"), call.body.overlap_hours

    def rotate(tx: ledger.Tx) -> tuple[contracts.Key, str]:
        book = ledger.read_book(tx, caller.book.id)
        _within_reach(call, tx, book, id)
        return accepted(keys.rotate(tx, book, caller.id, id, hours))

    made = await call.work(rotate)
    call.server.key_ended(id)  # what others remember of it may say that it never ends
    return _new(*made)


async def delete_api_key(call: Call[None]) -> ApiKeyOut:
    """Every process refuses it within a second. Ending it again changes nothing."""
    asked: RevokeIn = call.query
    caller, id = call.merchant, call.id("key")

    def revoke(tx: ledger.Tx) -> contracts.Key:
        book = ledger.read_book(tx, caller.book.id)
        _within_reach(call, tx, book, id)
        if id == caller.key_id and asked.own is None:
            facts = {"what": "key", "state": "in use"}
            raise Problem("state_conflict", "this is the key that asks: say own=yes to end it", facts=facts)
        return accepted(keys.revoke(tx, book, caller.id, id))

    ended = await call.work(revoke)
    call.server.key_ended(id)
    return _told(ended)


def _within_reach(call: Call[Any], tx: ledger.Tx, book: ledger.Book, *others: UUID) -> None:
    """Whether the key that asks lives, and may do all that the others may. Another merchant's is not there.

    It is asked of the table: for a second after its end a key is still believed, and must leave no child in that time.
    """
    caller = call.merchant
    own, *found = accepted(keys.hold(tx, book, caller.id, caller.key_id, *others))
    if not own.lives(datetime.now(UTC)):
        raise unauthenticated()
    if not all(own.covers(other) for other in found):
        raise Problem("forbidden", "this key may do less than the other")


# -- by the operator


async def list_api_keys_of(call: Call[None]) -> ApiKeyPage:
    book, merchant = await merchant_in_path(call)
    return await _list(call, book.id, merchant)


async def delete_api_key_of(call: Call[None]) -> ApiKeyOut:
    (book, merchant), id = await merchant_in_path(call), call.id("key")
    ended = await call.work(lambda tx: accepted(keys.revoke(tx, ledger.read_book(tx, book.id), merchant, id)))
    call.server.key_ended(id)
    return _told(ended)


# -- both


async def _list(call: Call[None], book_id: int, merchant: UUID) -> ApiKeyPage:
    made = ById[contracts.Key](call, str(merchant), "key", lambda key: key.id)

    def read(tx: ledger.Tx) -> list[contracts.Key]:
        book = ledger.read_book(tx, book_id)
        return keys.list_keys(tx, book, merchant, after=made.start, limit=made.limit)

    data, more, cursor = made.page(await call.work(read), _told)
    return ApiKeyPage(data=data, has_more=more, next_cursor=cursor)


def _told(key: contracts.Key) -> ApiKeyOut:
    return ApiKeyOut(
        id=ids.show("key", key.id),
        kind=cast(Any, key.kind),
        label=key.label,
        last_four=key.last_four,
        scopes=sorted(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


def _new(key: contracts.Key, secret: str) -> NewApiKeyOut:
    return NewApiKeyOut(**msgspec.structs.asdict(_told(key)), secret=secret)
