"""How people's words reach settlement: who asks, under which key, and how the answer is to look."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import ledger
import settlement
from gateway.calls import Call, Rendering
from gateway.server import BookFacts
from ledger import Outcome


async def ask(
    call: Call[Any], book: BookFacts, act: Callable[..., Outcome], show: Callable[[Any], Any], **facts: Any
) -> Outcome:
    """Have an operator's word done by one of settlement's acts."""
    return await _done(call, book, act, asker(call, show), facts)


async def ask_as_merchant(
    call: Call[Any], act: Callable[..., Outcome], show: Callable[[Any], Any], **facts: Any
) -> Outcome:
    """Have a merchant's own word done."""
    caller = call.merchant
    return await _done(call, caller.book, act, _asker(call, show, caller.actor, principal_id=caller.id), facts)


def asker(call: Call[Any], show: Callable[[Any], Any]) -> settlement.Asker:
    """The operator of a call."""
    return _asker(call, show, call.operator.actor, operator_id=call.operator.id)


def _asker(call: Call[Any], show: Callable[[Any], Any], actor: str, **who: UUID) -> settlement.Asker:
    fingerprint = ledger.fingerprint(call.method, call.path, call.tree)
    render = Rendering(show, call.path, call.request_id)
    return settlement.Asker(actor=actor, key=call.key, fingerprint=fingerprint, render=render, **who)


async def _done(
    call: Call[Any], book: BookFacts, act: Callable[..., Outcome], by: settlement.Asker, facts: dict[str, Any]
) -> Outcome:
    return await call.thread(act, call.server.db, call.server.committer, book.id, asker=by, **facts)
