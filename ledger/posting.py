"""One batch, one transaction: lock, decide in arrival order, write, seal. The only road by which value moves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from msgspec import Struct

from ledger.book import Book
from ledger.db import Tx
from ledger.errors import KeyReused, NetworkStopped, Refusal
from ledger.store import loading, writing
from ledger.working import Draft, Needs, Working


class Accepted(Struct, frozen=True):
    """What a handler did, in its own words; the door renders it."""

    value: Any


Decision = Accepted | Refusal
Render = Callable[[Decision], tuple[int, bytes]]


class Request(Struct, frozen=True):
    """One operation asked of a book.

    `key` and `fingerprint` are the idempotency of the asker (`principal`: a merchant, member or operator, never a
    credential); a request without key is the clock's own and must be safe to repeat by what it finds. `render` turns
    the decision into the status and bytes that are stored with it and repeated for ever.
    """

    book_id: int
    kind: str
    principal_id: UUID
    actor: str
    body: Any
    render: Render
    key: str | None = None
    fingerprint: bytes = b""


class Outcome(Struct, frozen=True):
    status: int
    body: bytes
    replayed: bool = False
    decision: Decision | None = None


class Round(Protocol):
    """A handler's work on one batch."""

    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        """Decide one request and post its records. Pure: no SQL, no clock but `working.now`. A refusal changes nothing."""
        ...

    def write(self, tx: Tx, working: Working) -> None:
        """Write the handler's own rows, set-based, after every decision."""
        ...


@runtime_checkable
class Looks(Protocol):
    """A round that must read what only the locks of wallets keep still: what went before in a member's own sequence."""

    def look(self, tx: Tx, working: Working) -> None: ...


class Handler(Protocol):
    """Whoever decides a kind of request. `exclusive` requests run alone under the book's exclusive lock.

    A handler with a true `while_stopped` is asked in a stopped book as well: the brakes themselves, and nobody else.
    """

    exclusive: bool

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> Round:
        """Read what deciding needs, in a few set-based statements, and say what the ledger must lock."""
        ...


def post(
    tx: Tx,
    caches: loading.Caches,
    handlers: Mapping[str, Handler],
    book_id: int,
    requests: Sequence[Request],
    *,
    exclusive: bool = False,
    firmly: bool = False,
) -> tuple[list[Outcome], Sequence[Draft]]:
    """Post `requests` to one book in order; an outcome each, and the records they left. Durable when this returns, nothing
    happened when it raises. `firmly` locks what is shared before deciding: slower, and never in vain."""
    # one pipeline: what does not wait for an answer is on its way with what does
    with tx.pipeline(), tx.transaction():
        book, known = loading.open_book(
            tx, book_id, [(r.principal_id, r.key) for r in requests if r.key], exclusive=exclusive
        )
        fresh: dict[int, tuple[Handler, list[Request]]] = {}
        for request in requests:
            handler = handlers[request.kind]
            if _runs(book, handler) and (request.key is None or (request.principal_id, request.key) not in known):
                fresh.setdefault(id(handler), (handler, []))[1].append(request)
        # in the order in which the house names them, whatever came first: what they lock they lock in one order
        places = {id(handler): place for place, handler in enumerate(handlers.values())}
        rounds = {
            key: handler.prepare(tx, book, wanted)
            for key, (handler, wanted) in sorted(fresh.items(), key=lambda each: places[each[0]])
        }
        needs = Needs()
        for round in rounds.values():
            needs |= round.needs
        working = loading.load(tx, book, needs, caches, firmly=firmly)
        for round in rounds.values():
            if isinstance(round, Looks):
                round.look(tx, working)
        outcomes: list[Outcome] = []
        decided: list[tuple[Request, Outcome]] = []
        for request in requests:
            name = (request.principal_id, request.key or "")
            if request.key is not None and (prior := known.get(name)) is not None:
                outcomes.append(_repeat(request, prior))
                continue
            handler = handlers[request.kind]
            decision = rounds[id(handler)].decide(request, working) if _runs(book, handler) else NetworkStopped()
            status, body = request.render(decision)
            outcome = Outcome(status, body, decision=decision)
            outcomes.append(outcome)
            if request.key is not None and (isinstance(decision, Accepted) or decision.stored):
                known[name] = loading.Known(request.fingerprint, status, body)
                decided.append((request, outcome))
        writing.write(tx, working)
        for round in rounds.values():
            round.write(tx, working)
        writing.remember(
            tx, working, [(r.principal_id, r.key or "", r.fingerprint, o.status, o.body) for r, o in decided]
        )
        # last what all batches move: from here to the commit it is ours alone
        writing.settle(tx, working)
        writing.seal(tx, working)
        return outcomes, working.records


def _runs(book: Book, handler: Handler) -> bool:
    """Whether a handler is asked at all: the one place that the kill switch bars. What is known is answered anyway."""
    return not book.stopped or bool(getattr(handler, "while_stopped", False))


def _repeat(request: Request, prior: "loading.Known") -> Outcome:
    """The first answer again, byte for byte; or that this key means something else."""
    if prior.fingerprint != request.fingerprint:
        refusal = KeyReused()
        status, body = request.render(refusal)
        return Outcome(status, body, decision=refusal)
    return Outcome(prior.status, prior.body, replayed=True)
