"""Velocity limits come into force: the whole list at once, by a record, posted alone under the book's exclusive lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import ledger
from merchants.safety import store, velocity
from merchants.safety.velocity import Limit


@dataclass(frozen=True, slots=True)
class NewLimits:
    """All limits there are to be; an empty list takes them off."""

    operator_id: UUID
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """`revision` counts the lists; 0: there never was one."""

    limits: tuple[Limit, ...]
    revision: int


def revised(book: ledger.Book) -> UUID:
    """What the lists of a book are counted under."""
    return uuid5(book.public_id, "velocity_limits")


def in_force(tx: ledger.Tx, book: ledger.Book) -> LimitsInForce:
    """The list as it is now."""
    return LimitsInForce(tuple(store.limits_of(tx, book.id)), ledger.last_step(tx, book.id, revised(book)))


class LimitsHandler:
    """Decides requests of kind `velocity_limits`, body `NewLimits`."""

    exclusive = True

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "LimitsRound":
        (_,) = requests
        return LimitsRound(in_force(tx, book))


class LimitsRound:
    def __init__(self, before: LimitsInForce) -> None:
        self.needs = ledger.Needs()
        self._before = before
        self._new: tuple[Limit, ...] | None = None

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """A wrong list, then one that is in force already, which answers as it is."""
        body: NewLimits = request.body
        if wrong := velocity.fault(body.limits):
            return wrong
        new = tuple(sorted(body.limits))
        if new == self._before.limits:
            return ledger.Accepted(self._before)
        # nothing below may refuse
        revision = self._before.revision + 1
        working.record(
            "velocity_limits",
            request.actor,
            subject=working.book.public_id,
            payload={"operator": body.operator_id, "revision": revision, "limits": [limit.told for limit in new]},
            revises=(revised(working.book), revision),
        )
        self._new = new
        return ledger.Accepted(LimitsInForce(new, revision))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._new is not None:
            store.put_limits(tx, working.book.id, self._new)
            ledger.raise_settings_revision(tx, working.book.id)


class LimitsCache(ledger.SettingsCache[list[Limit]]):
    """The limits of a book: one without limits costs no statement."""

    def __init__(self) -> None:
        super().__init__(store.limits_of)
