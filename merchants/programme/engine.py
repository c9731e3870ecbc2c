"""What rules give a basket, and why. Pure, exact, and rounded down once, at the end.

Every rule stands in an index under the rarest thing that it asks for, so that a basket meets those that may apply and no
others. The rest of what a rule asks is looked at in the order of `rules.When`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger import LARGEST_AMOUNT, Points
from merchants.programme.basket import Basket, Facts, Line
from merchants.programme.rules import MARGIN, MEASURE, MONEY, NET, UNITS, VISITS, Bounds, Fixed, Multiplier, Rate, Rule

#: Why a sale earns nothing, in the order in which they are looked at.
NOTHING_PAID: Final = "nothing_paid"
BELOW_MINIMUM: Final = "below_minimum"
TERMS_EXCLUDE: Final = "terms_exclude"
BELOW_ONE_POINT: Final = "below_one_point"

#: Why a rule whose conditions hold does not count.
OUTDONE: Final = "best_of"
EXCLUDED: Final = "exclusive"


class Fired(NamedTuple):
    """A rule that counted, and its whole points. Those of all rules sum to what the sale earns."""

    rule: str
    points: int


class Skipped(NamedTuple):
    """A rule that did not count: the first of its conditions that does not hold, or what took its place."""

    rule: str
    why: str


class Earned(NamedTuple):
    """Points of a sale, with the rules they come from; when there are none, the reason."""

    points: Points
    reason: str | None = None
    fired: tuple[Fired, ...] = ()


class Explained(NamedTuple):
    earned: Earned
    skipped: tuple[Skipped, ...]


class Looked:
    """A basket while rules look at it."""

    __slots__ = ("basket", "facts", "rest", "whole")

    def __init__(self, basket: Basket, facts: Facts) -> None:
        covered = sum(line.amount for line in basket.lines)
        self.basket = basket
        self.facts = facts
        # lines that come to more than the total (it was rounded, or a discount is not among them) share it
        self.whole = max(basket.total, covered)
        self.rest = self.whole - covered


Test = tuple[str, Callable[[Looked], bool]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule, ready: what is asked of the sale, which lines it is about (None: all), and what is asked behind that."""

    rank: int
    rule: Rule
    before: tuple[Test, ...]
    chooses: Callable[[Line], bool] | None
    # whether what no line covers is a part of what the rule is about
    takes_rest: bool
    behind: tuple[Test, ...]


class Hit(NamedTuple):
    """A rule that fires: the lines it is about, and what it gives as a fraction."""

    compiled: Compiled
    lines: Sequence[Line]
    rest: int
    points: int
    over: int


@dataclass(frozen=True, slots=True)
class Part:
    """The rules for a kind of person, indexed."""

    rules: tuple[Compiled, ...]
    minimum: int
    cap_points: int | None
    always: tuple[Compiled, ...]
    indexed: Mapping[str, Mapping[object, tuple[Compiled, ...]]]

    def met(self, look: Looked) -> Iterable[Compiled]:
        """The rules that may apply, in their order."""
        indexed = self.indexed
        if not indexed:
            return self.always
        found: dict[int, Compiled] = {}
        for name, table in indexed.items():
            for key in _KEYS[name](look):
                for compiled in table.get(key, ()):
                    found[compiled.rank] = compiled
        if not found:
            return self.always
        for compiled in self.always:
            found[compiled.rank] = compiled
        return [found[rank] for rank in sorted(found)]


@dataclass(frozen=True, slots=True)
class Programme:
    """Rules, ready to be asked. `windows`: the numbers of days that they count the past over. `segments` and `occasions`:
    those that they name."""

    everybody: Part
    by_kind: Mapping[str, Part]
    # the long form, whose rules have names of their own
    names_rules: bool
    # the long form, and what differs by kind: what it decides on is kept with the sale
    keeps_facts: bool
    of_past: bool
    # whether it asks for a first purchase, however long ago another was
    of_first: bool
    windows: frozenset[int]
    # how many days back it looks, today included
    furthest: int
    # whether it asks for the member's tier
    of_tier: bool = False
    segments: frozenset[str] = frozenset()
    occasions: frozenset[str] = frozenset()

    @property
    def asks_of_member(self) -> bool:
        """Whether it asks for more of a member than the kind of person."""
        return self.of_past or self.of_tier or bool(self.segments) or bool(self.occasions)

    def of(self, kind: str) -> Part:
        return self.by_kind.get(kind, self.everybody)


# -- asking


def earned(programme: Programme, basket: Basket, facts: Facts) -> Earned:
    """The points of a basket, and the rules that gave them.

    Only the money part earns, and money pays the same share of every line: a line earns amount x rate x money / total,
    and so do its units and measures. The sum is exact and rounded down once, at the end.
    """
    return _asked(programme, basket, facts, None)


def explained(programme: Programme, basket: Basket, facts: Facts) -> Explained:
    """The same, with every rule that did not count, and why."""
    skipped: list[Skipped] = []
    return Explained(_asked(programme, basket, facts, skipped), tuple(skipped))


def _asked(programme: Programme, basket: Basket, facts: Facts, skipped: list[Skipped] | None) -> Earned:
    assert 0 <= basket.money <= basket.total, (basket.money, basket.total)
    if basket.money == 0:
        return Earned(Points(0), NOTHING_PAID)
    part = programme.of(facts.kind)
    if basket.money < part.minimum:
        return Earned(Points(0), BELOW_MINIMUM)
    look = Looked(basket, facts)
    hits: list[Hit] = []
    for compiled in part.met(look) if skipped is None else part.rules:
        found = _hit(compiled, look)
        if isinstance(found, Hit):
            hits.append(found)
        elif skipped is not None:
            skipped.append(Skipped(compiled.rule.id, found))
    counted = _multiplied(_stacked(hits, skipped), look)
    # a point is worth a minor unit at least: no sale of this size may earn more than the largest amount there is
    largest = max(LARGEST_AMOUNT, basket.money)
    return _rounded(counted, largest if part.cap_points is None else min(part.cap_points, largest))


def _hit(compiled: Compiled, look: Looked) -> Hit | str:
    """What a rule gives by itself, or the first condition that does not hold."""
    for name, holds in compiled.before:
        if not holds(look):
            return name
    lines: Sequence[Line] = look.basket.lines
    rest = look.rest
    if compiled.chooses is not None:
        lines = [line for line in lines if compiled.chooses(line)]
        rest = look.rest if compiled.takes_rest else 0
        if not lines and not rest:
            return _lines_condition(compiled.rule)
    amount = compiled.rule.when.amount
    if amount is not None and not _within(amount, _sum(lines, rest) * look.basket.money, look.whole):
        return "amount"
    for name, holds in compiled.behind:
        if not holds(look):
            return name
    points, over = _gives(compiled.rule, lines, rest, look)
    return Hit(compiled, lines, rest, points, over)


def _lines_condition(rule: Rule) -> str:
    if rule.when.product is not None:
        return "product"
    return "category" if rule.when.category is not None else "not_category"


def _sum(lines: Iterable[Line], rest: int) -> int:
    return sum(line.amount for line in lines) + rest


def _gives(rule: Rule, lines: Sequence[Line], rest: int, look: Looked) -> tuple[int, int]:
    """What a rate or fixed points give on these lines, capped, as a fraction. A multiplier gives nothing by itself."""
    effect = rule.effect
    if isinstance(effect, Multiplier):
        return 0, 1
    if isinstance(effect, Fixed):
        points, over = effect.points, 1
    else:
        amount, whole = _base(rule.basis, lines, rest, look)
        points, over = amount * effect.points, whole * effect.per
    cap = rule.cap_points
    return (points, over) if cap is None or points <= cap * over else (cap, 1)


def _base(basis: str, lines: Sequence[Line], rest: int, look: Looked) -> tuple[int, int]:
    """How much of its basis is in these lines, and was paid in money, as a fraction."""
    money, total = look.basket.money, look.basket.total
    if basis == MONEY:
        return _sum(lines, rest) * money, look.whole
    if basis == VISITS:
        return 1, 1
    if basis == NET:
        return (sum(max(0, line.amount - line.discount) for line in lines) + rest) * money, look.whole
    if basis == MARGIN:
        # of a line that does not say what it cost, and of what no line tells, nobody knows the margin
        margins = (line.amount - line.discount - line.cost for line in lines if line.cost is not None)
        return sum(max(0, margin) for margin in margins) * money, look.whole
    if basis == UNITS:
        return sum(line.quantity for line in lines) * money, total
    measure = basis.removeprefix(MEASURE)
    return sum(line.measures.get(measure, 0) for line in lines) * money, total


def _stacked(hits: list[Hit], skipped: list[Skipped] | None) -> list[Hit]:
    """Those that count: the first exclusive one alone, else of each group the one that gives most."""
    if len(hits) < 2:
        return hits
    alone = next((hit for hit in hits if hit.compiled.rule.exclusive), None)
    best: dict[str, Hit] = {}
    if alone is None:
        for hit in hits:
            if (group := hit.compiled.rule.best_of) is not None:
                before = best.get(group)
                if before is None or _outdoes(hit, before):
                    best[group] = hit
        if not best:
            return hits
    kept = []
    for hit in hits:
        rule = hit.compiled.rule
        if alone is not None and hit is not alone:
            why = EXCLUDED
        elif alone is None and rule.best_of is not None and best[rule.best_of] is not hit:
            why = OUTDONE
        else:
            kept.append(hit)
            continue
        if skipped is not None:
            skipped.append(Skipped(rule.id, why))
    return kept


def _outdoes(hit: Hit, other: Hit) -> bool:
    """Whether a hit gives more: a multiplier by its percent, all else by its points. Groups do not mix them."""
    ours, theirs = hit.compiled.rule.effect, other.compiled.rule.effect
    if isinstance(ours, Multiplier) and isinstance(theirs, Multiplier):
        return ours.percent > theirs.percent
    return hit.points * other.over > other.points * hit.over


def _multiplied(hits: list[Hit], look: Looked) -> list[Hit]:
    """The hits with what each multiplier adds to the rates on the lines that both are about."""
    if not any(isinstance(hit.compiled.rule.effect, Multiplier) for hit in hits):
        return hits
    done = []
    rates = [hit for hit in hits if isinstance(hit.compiled.rule.effect, Rate)]
    for hit in hits:
        effect = hit.compiled.rule.effect
        if not isinstance(effect, Multiplier):
            done.append(hit)
            continue
        points, over = _added([_shared(rate, hit, look) for rate in rates])
        points, over = points * (effect.percent - 100), over * 100
        cap = hit.compiled.rule.cap_points
        if cap is not None and points > cap * over:
            points, over = cap, 1
        done.append(hit._replace(points=points, over=over))
    return done


def _shared(rate: Hit, multiplier: Hit, look: Looked) -> tuple[int, int]:
    """What a rate gives on the lines of a multiplier; no more than it gives at all."""
    chooses = multiplier.compiled.chooses
    if chooses is None:
        return rate.points, rate.over
    lines = [line for line in rate.lines if chooses(line)]
    rest = rate.rest if multiplier.compiled.takes_rest else 0
    if not lines and not rest:
        return 0, 1
    return _gives(rate.compiled.rule, lines, rest, look)


def _added(parts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    shared = math.lcm(*(over for _, over in parts))
    return sum(points * (shared // over) for points, over in parts), shared


def _rounded(hits: list[Hit], cap: int) -> Earned:
    """The sum rounded down, within its cap; each rule's share of it is what the sum grows by when the rule joins."""
    if len(hits) == 1:
        (hit,) = hits
        so_far, shared = hit.points, hit.over
        told = min(hit.points // hit.over, cap)
        fired: tuple[Fired, ...] = (Fired(hit.compiled.rule.id, told),)
    else:
        shared = math.lcm(*(hit.over for hit in hits))
        so_far = told = 0
        shares = []
        for hit in hits:
            so_far += hit.points * (shared // hit.over)
            now = min(so_far // shared, cap)
            shares.append(Fired(hit.compiled.rule.id, now - told))
            told = now
        fired = tuple(shares)
    if so_far == 0 or cap == 0:
        return Earned(Points(0), TERMS_EXCLUDE, fired)
    if so_far < shared:
        return Earned(Points(0), BELOW_ONE_POINT, fired)
    return Earned(Points(told), None, fired)


# -- getting ready


def ready(
    everybody: tuple[Sequence[Rule], int, int | None],
    by_kind: Mapping[str, tuple[Sequence[Rule], int, int | None]],
    *,
    names_rules: bool,
) -> Programme:
    """Rules with their minimum and cap, for everybody and for those kinds of person that have their own."""
    whens = [rule.when for part in (everybody, *by_kind.values()) for rule in part[0]]
    windows = frozenset(days for when in whens for days in when.windows)
    lately = (when.last_purchase + 1 for when in whens if when.last_purchase is not None)
    return Programme(
        _part(*everybody),
        {kind: _part(*part) for kind, part in by_kind.items()},
        names_rules,
        names_rules or bool(by_kind),
        any(when.of_past for when in whens),
        any(when.first_purchase is not None for when in whens),
        windows,
        max((1, *windows, *lately)),
        any(when.tier is not None for when in whens),
        frozenset(name for when in whens for name in when.segment or ()),
        frozenset(name for when in whens for name in when.occasion or ()),
    )


def _part(rules: Sequence[Rule], minimum: int, cap_points: int | None) -> Part:
    # by priority, then as they were written
    ordered = sorted(rules, key=lambda rule: -rule.priority)
    compiled = tuple(_compiled(rank, rule) for rank, rule in enumerate(ordered))
    always: list[Compiled] = []
    tables: dict[str, dict[object, list[Compiled]]] = {}
    for each in compiled:
        name = next((name for name in _KEYS if getattr(each.rule.when, name) is not None), None)
        if name is None:
            always.append(each)
            continue
        for key in _slots(each.rule) if name == "time" else getattr(each.rule.when, name):
            tables.setdefault(name, {}).setdefault(key, []).append(each)
    indexed = {name: {key: tuple(found) for key, found in table.items()} for name, table in tables.items()}
    return Part(compiled, minimum, cap_points, tuple(always), indexed)


def _slots(rule: Rule) -> list[tuple[int, int]]:
    """The hours of the week that a rule's time touches."""
    hours = rule.when.time
    assert hours is not None
    last = 23 if hours.end is None else (hours.end.hour if hours.end.minute else hours.end.hour - 1)
    return [(day, hour) for day in hours.weekdays for hour in range(hours.start.hour, last + 1)]


#: What rules are indexed by, the rarest first, and where a basket stands in it.
_KEYS: Final[Mapping[str, Callable[[Looked], Iterable[object]]]] = {
    "product": lambda look: {line.sku for line in look.basket.lines},
    "category": lambda look: {line.category for line in look.basket.lines},
    "branch": lambda look: (look.basket.branch,),
    "segment": lambda look: look.facts.segments,
    "merchant": lambda look: (look.basket.merchant,),
    "occasion": lambda look: look.facts.occasions,
    "tier": lambda look: (look.facts.tier,),
    "time": lambda look: ((look.facts.now.weekday(), look.facts.now.hour),),
    "payment": lambda look: look.basket.payments,
    "kind": lambda look: (look.facts.kind,),
    "channel": lambda look: (look.basket.channel,),
}


def _compiled(rank: int, rule: Rule) -> Compiled:
    when = rule.when
    return Compiled(
        rank,
        rule,
        tuple(_asked_of_sale(rule)),
        _chooser(rule) if when.of_lines else None,
        when.product is None and when.category is None,
        tuple(_asked_of_past(rule)),
    )


def _chooser(rule: Rule) -> Callable[[Line], bool]:
    products, categories, others = rule.when.product, rule.when.category, rule.when.not_category

    def chooses(line: Line) -> bool:
        return (
            (products is None or line.sku in products)
            and (categories is None or line.category in categories)
            and (others is None or line.category not in others)
        )

    return chooses


def _asked_of_sale(rule: Rule) -> Iterable[Test]:
    when, begins, ends = rule.when, rule.valid_from, rule.valid_until
    if begins is not None or ends is not None:
        yield (
            "valid",
            lambda look: (begins is None or begins <= look.facts.now) and (ends is None or look.facts.now < ends),
        )
    if (merchants := when.merchant) is not None:
        yield "merchant", lambda look: look.basket.merchant in merchants
    if (branches := when.branch) is not None:
        yield "branch", lambda look: look.basket.branch in branches
    if (channels := when.channel) is not None:
        yield "channel", lambda look: look.basket.channel in channels
    if (kinds := when.kind) is not None:
        yield "kind", lambda look: look.facts.kind in kinds
    if (tiers := when.tier) is not None:
        yield "tier", lambda look: look.facts.tier in tiers
    if (segments := when.segment) is not None:
        yield "segment", lambda look: not segments.isdisjoint(look.facts.segments)
    if (occasions := when.occasion) is not None:
        yield "occasion", lambda look: not occasions.isdisjoint(look.facts.occasions)
    if (payments := when.payment) is not None:
        yield "payment", lambda look: not payments.isdisjoint(look.basket.payments)
    if (hours := when.time) is not None:
        weekdays, start, end = hours

        def in_hours(look: Looked) -> bool:
            now = look.facts.now
            clock = now.time()
            return now.weekday() in weekdays and start <= clock and (end is None or clock < end)

        yield "time", in_hours
    if (bounds := when.basket) is not None:
        yield "basket", lambda look: _within(bounds, look.basket.money, 1)


def _asked_of_past(rule: Rule) -> Iterable[Test]:
    when = rule.when
    if (first := when.first_purchase) is not None:
        yield "first_purchase", lambda look: look.facts.past.first is first
    if (within := when.last_purchase) is not None:

        def soon(look: Looked) -> bool:
            days = look.facts.past.days_since_last
            return days is not None and days <= within

        yield "last_purchase", soon
    if (visits := when.visits) is not None:

        def visited(look: Looked) -> bool:
            count = look.facts.past.visits.get(visits.days, 0) + 1
            return (
                (visits.at_least is None or count >= visits.at_least)
                and (visits.at_most is None or count <= visits.at_most)
                and (visits.every is None or count % visits.every == 0)
            )

        yield "visits", visited
    if (spent := when.spent) is not None:

        def has_spent(look: Looked) -> bool:
            past, money = look.facts.past, look.basket.money
            now = past.spent.get(spent.days, 0) + money
            return (
                (spent.at_least is None or now >= spent.at_least)
                and (spent.at_most is None or now <= spent.at_most)
                # what was paid, refunded or not, must not have stood there before: or it would be reached again and again
                and (spent.reaches is None or past.paid.get(spent.days, 0) < spent.reaches <= now)
            )

        yield "spent", has_spent


def _within(bounds: Bounds, amount: int, over: int) -> bool:
    return (bounds.at_least is None or amount >= bounds.at_least * over) and (
        bounds.at_most is None or amount <= bounds.at_most * over
    )
