"""Who pays what a merchant has failed to pay in, in which order, and what of it is paid back to whom. Pure.

First the merchant's own prefund, then its collateral, then the loss fund, then what the others bear: everybody who was
to receive in that window bears a share of what is still missing, as an amount of the next window. A source never gives
more than it has; what no source gives is said to be unpaid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger

#: The most that a merchant bears of another's failure in a window: a tenth of what it was to receive in it.
SHARE_CAP_PPM: Final = 100_000


class Sources(NamedTuple):
    """What there is to pay with, in the order in which it is used. `shares`: what others have borne, and is there."""

    prefund_minor: int
    collateral_minor: int
    loss_minor: int
    shares_minor: int


def cover(owed_minor: int, sources: Sources) -> Sources:
    """What each source gives: together never more than is owed, none more than it has."""
    given = []
    for there in sources:
        part = max(0, min(owed_minor, there))
        owed_minor -= part
        given.append(part)
    return Sources(*given)


def assess(missing_minor: int, receiving: Mapping[UUID, int], cap_ppm: int = SHARE_CAP_PPM) -> dict[UUID, int]:
    """What each of those who were to receive bears of what is missing: pro rata, none above its cap, nothing left over
    below the caps. The odd units go to the largest remainders, the lowest id first.
    """
    caps = {k: amount * cap_ppm // ledger.PPM for k, amount in receiving.items() if amount > 0}
    whole, total = sum(receiving[k] for k in caps), min(missing_minor, sum(caps.values()))
    if total <= 0:
        return {}
    shares = {k: min(caps[k], total * receiving[k] // whole) for k in caps}
    order = sorted(caps, key=lambda k: (-(total * receiving[k] % whole), k))
    while (rest := total - sum(shares.values())) > 0:
        for k in [k for k in order if shares[k] < caps[k]][:rest]:
            shares[k] += 1
    return {k: share for k, share in sorted(shares.items()) if share}


@dataclass(frozen=True, slots=True)
class Covered:
    """What others and its collateral paid of a merchant's position in a window, as far as it has not made it good."""

    collateral_minor: int = 0
    loss_minor: int = 0
    shares_minor: int = 0
    # by merchant: what it bears, and what it was given back of that
    borne: Mapping[UUID, int] = field(default_factory=dict)
    returned: Mapping[UUID, int] = field(default_factory=dict)
    # the record that assessed the shares: they are there when the window it fell in is settled
    assessed_at: int | None = None

    @property
    def outstanding_minor(self) -> int:
        return self.collateral_minor + self.loss_minor + self.shares_minor

    @property
    def undrawn_minor(self) -> int:
        """What was borne for it, was not given back and is not used."""
        return sum(self.borne.values()) - sum(self.returned.values()) - self.shares_minor


class MadeGood(NamedTuple):
    """Where a late payment goes: to what is still open, then to those who stood in for it, its own collateral last."""

    position_minor: int
    shares_minor: int
    loss_minor: int
    collateral_minor: int


def make_good(amount_minor: int, open_minor: int, covered: Covered) -> MadeGood:
    """All of the amount, which is no more than what is open and outstanding."""
    assert 0 < amount_minor <= open_minor + covered.outstanding_minor, (amount_minor, open_minor, covered)
    parts = []
    for owed in (open_minor, covered.shares_minor, covered.loss_minor, covered.collateral_minor):
        part = min(amount_minor, owed)
        amount_minor -= part
        parts.append(part)
    return MadeGood(*parts)


def given_back(covered: Covered, open_minor: int, shares_minor: int) -> dict[UUID, int]:
    """What each who bore a share is given back now, when so much is still open and so much of the shares still used.

    Of every share the same part as is needed no more, rounded down; all of it when nothing is needed.
    """
    borne = sum(covered.borne.values())
    if not borne:
        return {}
    free = borne - min(borne, open_minor + shares_minor)
    back = {k: share * free // borne - covered.returned.get(k, 0) for k, share in covered.borne.items()}
    return {k: amount for k, amount in sorted(back.items()) if amount > 0}


def covered(steps: Iterable[Mapping[str, Any]]) -> dict[UUID, Covered]:
    """By merchant what the steps of a window tell of its covers and of what was made good."""
    found: dict[UUID, Covered] = {}
    for step in steps:
        if step["step"] not in ("covered", "made_good"):
            continue
        facts, merchant = step["facts"], UUID(step["merchant"])
        was, sign = found.get(merchant, Covered()), 1 if step["step"] == "covered" else -1
        back = _amounts(facts.get("shares_returned", ()))
        borne = _amounts(facts.get("shares", ()))
        found[merchant] = Covered(
            was.collateral_minor + sign * int(facts["collateral_minor"]),
            was.loss_minor + sign * int(facts["loss_minor"]),
            was.shares_minor + sign * int(facts["shares_minor"]),
            borne or was.borne,
            {k: was.returned.get(k, 0) + back.get(k, 0) for k in was.returned.keys() | back.keys()},
            int(step["sequence"]) if borne else was.assessed_at,
        )
    return found


def _amounts(parts: Iterable[Mapping[str, Any]]) -> dict[UUID, int]:
    return {UUID(str(part["merchant"])): int(part["amount_minor"]) for part in parts}


def payable(merchant: UUID, balances: Mapping[UUID, int], receiving: Mapping[UUID, int]) -> int:
    """What may go out to a merchant while others' covered positions are still open: its part of the money that is there.

    `balances` are the positions' accounts now, `receiving` what each was to receive when the window was posted. The part
    is the same whoever is paid first, and rounded down.
    """
    full = {k: max(amount, balances[k]) for k, amount in receiving.items() if amount > 0 and k in balances}
    whole = sum(full.values())
    if merchant not in full or not whole:
        return 0
    gone = {k: full[k] - balances[k] for k in full}
    there = max(0, min(whole, sum(balances.values()) + sum(gone.values())))
    return max(0, min(balances[merchant], full[merchant] * there // whole - gone[merchant]))
