"""The states of a window and who may take it from one to the next. Pure.

open -> (closing, closed, netted) -> advised -> submitted -> funding -> paying -> settled; a submitted window may be
returned to advised, and one before funding aborted, which nets it again and advises it anew.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

import ledger
from ledger.errors import StateConflict


@dataclass(frozen=True, slots=True)
class Window:
    """A span of the book's sequence that settles together, as the stream told it so far."""

    id: UUID
    book_id: int
    number: int
    state: str
    # the steps people (or the schedule) took; each record of one names the revision it makes
    revision: int
    opened_at: datetime
    first_sequence: int
    last_sequence: int | None
    closed_at: datetime | None
    ledger_hash: bytes | None
    positions_hash: bytes | None
    steps: list[dict[str, Any]]
    totals: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Step:
    """What an operator asks of a window; without an operator it is the schedule, which only closes."""

    number: int
    operator_id: UUID | None
    reason: str | None = None
    # hex; an approval names what it approves
    positions_hash: str | None = None


@dataclass(frozen=True, slots=True)
class WindowStepped:
    """The window after a step. The hash (hex) is of the positions; a window just closed is netted a moment later."""

    window_id: UUID
    number: int
    state: str
    revision: int
    at: datetime
    positions_hash: str | None


@dataclass(frozen=True, slots=True)
class SelfApproval(ledger.Refusal):
    code: ClassVar[str] = "self_approval_forbidden"

    @property
    def detail(self) -> str:
        return "whoever submitted or proposed it does not approve it"


class Move(NamedTuple):
    """A kind of request: the states it starts from, the record it leaves, the state it leads to."""

    sources: tuple[str, ...]
    record: str
    target: str


MOVES: Final[dict[str, Move]] = {
    "window_close": Move(("open",), "window_closed", "advised"),
    "window_submit": Move(("advised",), "window_submitted", "submitted"),
    "window_approve": Move(("submitted",), "window_approved", "funding"),
    "window_return": Move(("submitted",), "window_returned", "advised"),
    "window_abort": Move(("advised", "submitted"), "window_aborted", "advised"),
}

#: The names a record leaves in `Window.steps`, in order.
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "window_closed": ("closing", "closed", "netted", "advised"),
    "window_submitted": ("submitted",),
    "window_approved": ("approved", "funding"),
    "window_returned": ("returned",),
    "window_aborted": ("aborted", "netted", "advised"),
    "settlement": ("posted", "paying"),
    "cover": ("covered",),
    "made_good": ("made_good",),
}
#: Of these, what a person decided.
_DECIDED: Final = frozenset({"closed", "submitted", "approved", "returned", "aborted"})


def window_id(book: UUID, number: int) -> UUID:
    """Known before the window is: its close record names it."""
    return ledger.ids.derived(book, number, "window")


def stepped(window: Window, at: datetime) -> WindowStepped:
    digest = window.positions_hash.hex() if window.positions_hash else None
    return WindowStepped(window.id, window.number, window.state, window.revision, at, digest)


def verdict(window: Window, kind: str, step: Step, now: datetime) -> ledger.Decision | None:
    """Why the step is not taken now: it was taken already, or must not be. None: take it."""
    move = MOVES[kind]
    if kind == "window_close" and window.state != "open":
        return ledger.Accepted(stepped(window, now))
    if _taken(window, kind, step):
        return ledger.Accepted(stepped(window, now))
    if window.state not in move.sources:
        return StateConflict("window", window.state)
    if kind == "window_approve":
        submitted = next(s for s in reversed(window.steps) if s["step"] == "submitted")
        if submitted["by"] == str(step.operator_id):
            return SelfApproval()
        if step.positions_hash != (window.positions_hash or b"").hex():
            return StateConflict("set of positions", "not the one submitted")
    return None


def _taken(window: Window, kind: str, step: Step) -> bool:
    """Whether the last thing decided on the window is this very step by this very person."""
    if kind == "window_close":
        return False
    last = next((s for s in reversed(window.steps) if s["step"] in _DECIDED), None)
    return (
        last is not None
        and f"window_{last['step']}" == MOVES[kind].record
        and last["by"] == str(step.operator_id)
        and (kind != "window_approve" or step.positions_hash == (window.positions_hash or b"").hex())
    )
