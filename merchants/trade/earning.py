"""Earning: what rules are asked about a sale, on which facts, and what they answer. The one place that fills facts in.

Whoever comes to know more of members (tiers, segments, occasions) tells it here, and takes the condition out of
`programme.AWAITED`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ledger import Book, Minor, days
from merchants import contracts, people, programme, sales
from merchants.trade.commands import Line, Payment

#: Rules that an answer names at most.
LARGEST_TOLD: Final = 20

NOBODY: Final = sales.Before()


@dataclass(slots=True)
class Pasts:
    """What a batch knows of members' purchases, where rules in force ask for it, and on which day a refunded sale was."""

    before: dict[sales.Pair, sales.Before] = field(default_factory=dict)
    days: dict[UUID, date] = field(default_factory=dict)

    def sold(self, sale: UUID, pair: sales.Pair, money: int, today: date) -> None:
        before = self.before.get(pair)
        if before is None or money == 0:
            return
        self.days[sale] = today
        day = before.days.setdefault(today, sales.Day())
        day.visits += 1
        day.spent += money
        day.paid += money
        before.ever = True

    def refunded(self, sale: UUID, pair: sales.Pair, amount: int, *, whole: bool) -> None:
        before, on = self.before.get(pair), self.days.get(sale)
        if before is None or on is None or (day := before.days.get(on)) is None:
            return  # nobody asks, or it was before all that anybody asks for
        day.spent -= amount
        day.visits -= whole


def asking(network: contracts.Network, merchant_id: UUID, now: datetime) -> list[programme.Programme]:
    """The rules that a sale at a merchant meets now: its terms, and the sponsorships there."""
    found = []
    if (terms := network.terms(merchant_id)) is not None:
        found.append(programme.rules_of(terms.id, terms.rules))
    if network.sponsorships:
        found += [programme.rules_of(s.id, s.rules) for s in network.sponsorships_at(merchant_id, now)]
    return found


def wanted(book: Book, rules: Iterable[programme.Programme]) -> sales.Wanted | None:
    """What of the past these rules ask for; None: nothing."""
    asked = [each for each in rules if each.of_past]
    if not asked:
        return None
    furthest = max(each.furthest for each in asked)
    since = days.start_of_day(book.now, book.time_zone, 1 - furthest)
    return sales.Wanted(since, any(each.of_first for each in asked))


def basket(
    merchant_id: UUID,
    branch: contracts.Branch | None,
    lines: tuple[Line, ...],
    payments: Sequence[Payment],
    money: Minor,
    total: Minor,
) -> programme.Basket:
    return programme.Basket(
        lines,
        money,
        total,
        merchant_id,
        None if branch is None else branch.id,
        "physical" if branch is None else branch.channel,
        [payment.type for payment in payments],
    )


def facts(
    member: people.Member, now: datetime, rules: Sequence[programme.Programme], before: sales.Before | None
) -> programme.Facts:
    """What rules may know of a member at `now`, which is of the network's time zone."""
    if before is None:
        return programme.Facts(now, member.kind)
    windows = {window for each in rules for window in each.windows}
    furthest = max(each.furthest for each in rules if each.of_past)
    found = past(before, now.date(), windows, furthest, first=any(each.of_first for each in rules))
    return programme.Facts(now, member.kind, past=found)


def past(before: sales.Before, today: date, windows: Iterable[int], furthest: int, *, first: bool) -> programme.Past:
    """The counts that rules ask for. What a clock ahead of ours sold tomorrow counts as today's."""
    visits, spent, paid = {}, {}, {}
    for window in sorted(windows):
        since = today - timedelta(days=window - 1)
        within = [day for on, day in before.days.items() if on >= since]
        visits[window] = sum(day.visits for day in within)
        spent[window] = sum(day.spent for day in within)
        paid[window] = sum(day.paid for day in within)
    earliest = today - timedelta(days=furthest - 1)
    last = max((on for on, day in before.days.items() if day.visits and on >= earliest), default=None)
    since_last = None if last is None else max(0, (today - last).days)
    return programme.Past(visits, spent, paid, not before.ever if first else None, since_last, furthest)


def kept(rules: Sequence[programme.Programme], known: programme.Facts) -> dict[str, Any] | None:
    """The facts that a sale's record keeps, so that what was decided can be decided again; None: the rules need none."""
    if not any(each.keeps_facts for each in rules):
        return None
    return known.told(past=any(each.of_past for each in rules))


def told(fired: tuple[programme.Fired, ...], terms: contracts.Terms | None) -> tuple[programme.Fired, ...]:
    """The rules that a sale's record and answer name: the first of them that counted, where they are of the long form."""
    return fired[:LARGEST_TOLD] if names_rules(terms) else ()


def names_rules(terms: contracts.Terms | None) -> bool:
    return terms is not None and programme.rules_of(terms.id, terms.rules).names_rules
