"""Earning: what rules are asked about a sale, on which facts, and what they answer. The one place that fills facts in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ledger import Book, Minor, Tx, days, ids
from merchants import contracts, insight, people, programme, sales, standing
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


# -- facts

#: The rules that are asked of a member at a merchant.
Asked = Mapping[sales.Pair, Sequence[programme.Programme]]


@dataclass(frozen=True, slots=True)
class Persons:
    """What is known of members where rules ask for it: their tiers, and by member the segments and occasions that they are
    in, by the names that rules have for them."""

    tiers: standing.Tiers | None = None
    segments: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    occasions: Mapping[UUID, frozenset[str]] = field(default_factory=dict)


def gather(
    tx: Tx, book: Book, ladders: standing.LaddersCache, asked: Asked
) -> tuple[dict[sales.Pair, sales.Before], Persons]:
    """Everything that rules ask of the members and merchants of a batch, each kind of it in one statement for all, and what
    no rule asks for in none. To be asked behind the locks of the members' wallets, which keep the past still."""
    past = {pair: found for pair, rules in asked.items() if (found := wanted(book, rules)) is not None}
    before = sales.purchases(tx, book, past) if past else {}
    of_tier = {member for (member, _), rules in asked.items() if any(each.of_tier for each in rules)}
    tiers = standing.tiers_of(tx, book, ladders.of(tx, book), of_tier) if of_tier else None
    return before, Persons(tiers, _segments(tx, asked), _occasions(tx, book, asked))


def _named(asked: Asked, names: Callable[[programme.Programme], frozenset[str]]) -> dict[UUID, frozenset[str]]:
    """By member, what rules name; members of whom they name nothing are left out."""
    found: dict[UUID, frozenset[str]] = {}
    for (member, _), rules in asked.items():
        for each in rules:
            if names(each):
                found[member] = found.get(member, frozenset()) | names(each)
    return found


def _segments(tx: Tx, asked: Asked) -> dict[UUID, frozenset[str]]:
    named = _named(asked, lambda rules: rules.segments)
    if not named:
        return {}
    versions = {name: _segment(name) for names in named.values() for name in names}
    inside = insight.members_in(tx, list(versions.values()), list(named))
    return {
        member: frozenset(name for name in names if (*versions[name], member) in inside)
        for member, names in named.items()
    }


def _segment(name: str) -> tuple[UUID, int]:
    """A version of a segment, as rules in force name it."""
    id, _, version = name.partition("@")
    found = ids.read("segment", id)
    assert found is not None, name
    return found, int(version)


def _occasions(tx: Tx, book: Book, asked: Asked) -> dict[UUID, frozenset[str]]:
    named = _named(asked, lambda rules: rules.occasions)
    if not named:
        return {}
    kinds = {name.removesuffix(people.occasions.WEEK) for names in named.values() for name in names}
    today = days.day_of(book.now, book.time_zone)
    found: dict[UUID, frozenset[str]] = {}
    for member, kind, anniversary in people.occasions_that_count(tx, book, named, kinds):
        of_today = people.occasions.names(kind, anniversary, today) & named[member]
        found[member] = found.get(member, frozenset()) | of_today
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
    member: people.Member,
    merchant_id: UUID,
    now: datetime,
    rules: Sequence[programme.Programme],
    before: sales.Before | None,
    persons: Persons,
) -> programme.Facts:
    """What rules may know of a member at a merchant at `now`, which is of the network's time zone: what they ask for."""
    of_past = past_of(before, now.date(), rules) if before is not None else programme.Past()
    tiers = persons.tiers if any(each.of_tier for each in rules) else None
    return programme.Facts(
        now,
        member.kind,
        tiers.at(merchant_id, member.id) if tiers is not None else None,
        _of_these(persons.segments.get(member.id), (each.segments for each in rules)),
        _of_these(persons.occasions.get(member.id), (each.occasions for each in rules)),
        of_past,
    )


def _of_these(found: frozenset[str] | None, asked: Iterable[frozenset[str]]) -> frozenset[str]:
    """What the rules of one merchant ask for: in a batch those of others may ask for more."""
    return found.intersection(frozenset().union(*asked)) if found else frozenset()


def past_of(before: sales.Before, today: date, rules: Sequence[programme.Programme]) -> programme.Past:
    windows = {window for each in rules for window in each.windows}
    furthest = max(each.furthest for each in rules if each.of_past)
    return past(before, today, windows, furthest, first=any(each.of_first for each in rules))


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
    return known.told(
        tier=any(each.of_tier for each in rules),
        segments=any(each.segments for each in rules),
        occasions=any(each.occasions for each in rules),
        past=any(each.of_past for each in rules),
    )


def told(fired: tuple[programme.Fired, ...], terms: contracts.Terms | None) -> tuple[programme.Fired, ...]:
    """The rules that a sale's record and answer name: the first of them that counted, where they are of the long form."""
    return fired[:LARGEST_TOLD] if names_rules(terms) else ()


def names_rules(terms: contracts.Terms | None) -> bool:
    return terms is not None and programme.rules_of(terms.id, terms.rules).names_rules
