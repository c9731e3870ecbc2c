"""What stored sales would have earned under other rules. Pure: sales and refunds in, in the order in which they came.

What a member bought before a sale is counted again as it was then, so rules that ask for visits, windows or a first
purchase are decided as they would have been at the till.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import ledger
from merchants import programme, sales
from merchants.trade import earning
from merchants.trade.commands import Line

#: No rule was asked, or what it gave was not issued. It would have been so under any rules.
STOPPED: Final = ("merchant_suspended", "branch_frozen", "issuing_limit_reached", "velocity_limit")


@dataclass(frozen=True, slots=True)
class Basket:
    """What a sale was of, and what it earned of the shop itself."""

    branch: UUID
    channel: str
    total: int
    lines: Sequence[Mapping[str, Any]]
    payments: Sequence[Mapping[str, Any]]
    own: int
    # the shop's own lot, when it earned
    lot: UUID | None
    refused: str | None
    terms: UUID | None
    # the kinds of person whose sales earned by the contract in force then
    earns_for: Sequence[str]
    facts: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale of a member; without a basket it matters only as something bought before. `place` is its place in the stream."""

    id: UUID
    place: tuple[int, int]
    at: datetime
    money: int
    refunded: int
    basket: Basket | None = None


class Refunded(NamedTuple):
    """`money`: all that could be refunded of the sale."""

    sale: UUID
    place: tuple[int, int]
    amount: int
    money: int


@dataclass(frozen=True, slots=True)
class History:
    """One member's purchases at one merchant, in their order; `ever`: whether there was one before all of them."""

    member: UUID
    merchant: UUID
    kind: str
    sold: Iterable[Sold]
    refunded: Sequence[Refunded]
    ever: bool


class Given(NamedTuple):
    """Points of a sale that were not taken back by refunds, and of them each rule's. Those of all rules sum to them."""

    points: int
    # what was issued, before any refund
    issued: int
    fired: tuple[programme.Fired, ...] = ()


class Replayed(NamedTuple):
    """A sale twice: as it was, and under the proposed rules. `left` is the money part that was not refunded.

    `stopped`: what let it earn nothing then, and so does now. `unknown`: the conditions that nobody can decide any more.
    """

    sold: Sold
    left: int
    before: Given
    after: Given
    stopped: str | None
    unknown: tuple[str, ...]


#: The programme of a version of terms.
Versions = Mapping[UUID, programme.Programme]


def replayed(history: History, proposed: programme.Programme, versions: Versions, zone: str) -> Iterator[Replayed]:
    """Each of a member's sales that has a basket, in their order."""
    pair = history.member, history.merchant
    pasts = earning.Pasts(before={pair: sales.Before(ever=history.ever)})
    so_far: dict[UUID, int] = {}
    came: Iterator[Sold | Refunded] = heapq.merge(history.sold, history.refunded, key=lambda event: event.place)
    for each in came:
        if isinstance(each, Refunded):
            so_far[each.sale] = so_far.get(each.sale, 0) + each.amount
            pasts.refunded(each.sale, pair, each.amount, whole=so_far[each.sale] == each.money)
            continue
        now = ledger.days.local(each.at, zone)
        if each.basket is not None:
            old = None if each.basket.terms is None else versions.get(each.basket.terms)
            yield _replayed(each, each.basket, history, pasts.before[pair], now, old, proposed)
        pasts.sold(each.id, pair, each.money, now.date())


def _replayed(
    sold: Sold,
    basket: Basket,
    history: History,
    bought: sales.Before,
    now: datetime,
    old: programme.Programme | None,
    proposed: programme.Programme,
) -> Replayed:
    left = sold.money - sold.refunded
    if basket.refused in STOPPED:
        nothing = Given(0, 0)
        return Replayed(sold, left, nothing, nothing, basket.refused, ())
    kept = basket.facts or {}
    kind = kept.get("kind", history.kind)
    if kind not in basket.earns_for:
        nothing = Given(0, 0)
        return Replayed(sold, left, _given(basket.own, (), sold), nothing, None, ())
    rules = [proposed] if old is None else [old, proposed]
    facts = _facts(kind, kept, bought, now, rules)
    looked_at = programme.Basket(
        [_line(line) for line in basket.lines],
        sold.money,
        basket.total,
        history.merchant,
        basket.branch,
        basket.channel,
        [payment["type"] for payment in basket.payments],
    )
    after = programme.earned(proposed, looked_at, facts)
    # which rules gave what was earned then is asked again; what was earned stands as it is recorded
    fired: tuple[programme.Fired, ...] = ()
    if old is not None:
        again = programme.earned(old, looked_at, facts)
        fired = again.fired if again.points == basket.own else ()
    unknown = tuple(unknowable(proposed, old, kept))
    return Replayed(sold, left, _given(basket.own, fired, sold), _given(after.points, after.fired, sold), None, unknown)


def _facts(
    kind: str,
    kept: Mapping[str, Any],
    bought: sales.Before,
    now: datetime,
    rules: Sequence[programme.Programme],
) -> programme.Facts:
    asking = any(each.of_past for each in rules)
    past = earning.past_of(bought, now.date(), rules) if asking else programme.Past()
    return programme.Facts(
        now,
        kind,
        kept.get("tier"),
        frozenset(kept.get("segments", ())),
        frozenset(kept.get("occasions", ())),
        past,
    )


def _line(told: Mapping[str, Any]) -> Line:
    return Line(
        ledger.Minor(told["amount"]),
        told.get("category"),
        told.get("sku"),
        told.get("quantity", 1),
        told.get("measures", {}),
        ledger.Minor(told.get("discount", 0)),
        told.get("cost"),
    )


def _given(issued: int, fired: tuple[programme.Fired, ...], sold: Sold) -> Given:
    """What refunds left of points: they take back floor(points x refunded / money), as a refund at the till does.

    What is left is shared among the rules by cumulative sums rounded down, so that no point is lost or told twice.
    """
    if issued == 0 or sold.refunded == 0:
        return Given(issued, issued, fired)
    points = left_of(issued, sold)
    shares, so_far, told = [], 0, 0
    for rule, given in fired:
        so_far += given
        now = so_far * points // issued
        shares.append(programme.Fired(rule, now - told))
        told = now
    return Given(points, issued, tuple(shares))


def left_of(issued: int, sold: Sold) -> int:
    """Points of a sale that its refunds do not take back."""
    return issued - ledger.points_back(issued, sold.money, sold.refunded, 0) if sold.refunded else issued


def unknowable(rules: programme.Programme, old: programme.Programme | None, kept: Mapping[str, Any]) -> Iterator[str]:
    """The conditions of rules that nobody can decide any more: a sale keeps of its member what the rules of its time asked
    for, and no more."""
    if rules.of_tier and "tier" not in kept and not (old is not None and old.of_tier):
        yield "tier"
    nothing = frozenset[str]()
    if not rules.segments <= (nothing if old is None else old.segments) | set(kept.get("segments", ())):
        yield "segment"
    if not rules.occasions <= (nothing if old is None else old.occasions) | set(kept.get("occasions", ())):
        yield "occasion"


def reach(rules: Iterable[programme.Programme]) -> int:
    """How many days before a sale these rules look, its own day included."""
    return max((each.furthest for each in rules if each.of_past), default=1)
