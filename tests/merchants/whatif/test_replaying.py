"""Replaying without a database: what is kept with sales, what cannot be known, and how shares and changes are told."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants import programme
from merchants.whatif import replaying
from merchants.whatif.replaying import Basket, History, Refunded, Replayed, Sold
from merchants.whatif.summing import Sums

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
BASE = {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}}
GOLD = {"id": "gold", "effect": {"points": 5}, "when": {"tier": ["gold"]}}


def sold(n: int = 1, money: int = 1_000, refunded: int = 0, at: datetime = NOW, **more: Any) -> Sold:
    kept: dict[str, Any] = {
        "branch": UUID(int=9),
        "channel": "physical",
        "total": money,
        "lines": [],
        "payments": [{"type": "cash"}],
        "own": 10,
        "lot": None,
        "refused": None,
        "terms": None,
        "earns_for": ("natural", "legal"),
        "facts": None,
    }
    return Sold(UUID(int=n), (n, 0), at, money, refunded, Basket(**{**kept, **more}))


def replay(*sales: Sold, rules: list[Any], refunds: tuple[Refunded, ...] = (), **more: Any) -> list[Replayed]:
    told = {"member": UUID(int=1), "merchant": UUID(int=2), "kind": "natural", "ever": False, **more}
    history = History(sold=sales, refunded=refunds, **told)
    return list(replaying.replayed(history, programme.parse({"rules": rules}), {}, "Asia/Tehran"))


def test_a_tier_is_known_where_it_was_kept_and_nowhere_else() -> None:
    gold, silver, nobody_asked = replay(
        sold(1, facts={"kind": "natural", "tier": "gold"}),
        sold(2, facts={"kind": "natural", "tier": "silver"}),
        sold(3),
        rules=[BASE, GOLD],
    )
    assert [each.after.points for each in (gold, silver, nobody_asked)] == [15, 10, 10]
    assert [each.unknown for each in (gold, silver, nobody_asked)] == [(), (), ("tier",)]


def test_who_had_no_tier_when_rules_asked_for_one_is_known_to_have_none() -> None:
    asked = UUID(int=7)
    history = History(UUID(int=1), UUID(int=2), "natural", [sold(terms=asked, facts={"kind": "natural"})], (), False)
    rules = programme.parse({"rules": [BASE, GOLD]})
    (each,) = replaying.replayed(history, rules, {asked: rules}, "UTC")
    assert (each.unknown, each.before, each.after) == ((), each.after, each.before)


@pytest.mark.parametrize("reason", replaying.STOPPED)
def test_what_was_stopped_stays_so(reason: str) -> None:
    (each,) = replay(sold(own=0, refused=reason), rules=[BASE])
    assert (each.before.points, each.after.points, each.stopped) == (0, 0, reason)


def test_what_earned_nothing_without_terms_would_have_earned() -> None:
    (each,) = replay(sold(own=0, refused="no_terms"), rules=[BASE])
    assert (each.before.points, each.after.points, each.stopped) == (0, 10, None)


def test_persons_that_a_contract_leaves_out_earn_under_no_rules() -> None:
    (each,) = replay(sold(own=0, refused="terms_exclude", earns_for=("legal",)), rules=[BASE])
    assert each.after.points == 0


def test_refunds_count_from_when_they_came() -> None:
    """The first sale is refunded between the second and the third; two days lie between each."""
    third = {"id": "third", "effect": {"points": 7}, "when": {"visits": {"days": 30, "every": 2}}}
    days = [NOW + timedelta(days=n) for n in (0, 2, 4)]
    back = Refunded(UUID(int=1), (2, 5), 1_000, 1_000)
    found = replay(
        sold(1, refunded=1_000, at=days[0]), sold(2, at=days[1]), sold(3, at=days[2]), rules=[third], refunds=(back,)
    )
    assert [each.after.issued for each in found] == [0, 7, 7]
    assert [each.after.points for each in found] == [0, 7, 7]
    welcome = {"id": "welcome", "effect": {"points": 3}, "when": {"first_purchase": True}}
    assert [each.after.points for each in replay(sold(1), sold(2), rules=[welcome])] == [3, 0]
    assert [each.after.points for each in replay(sold(1), sold(2), rules=[welcome], ever=True)] == [0, 0]


@given(st.integers(1, 10_000), st.data(), st.lists(st.integers(1, 99), min_size=1, max_size=6))
def test_what_a_refund_leaves_is_shared_among_the_rules_whole(
    money: int, data: st.DataObject, rates: list[int]
) -> None:
    refunded = data.draw(st.integers(0, money))
    rules = [{"id": f"r{n}", "effect": {"rate": {"points": 1, "per": per}}} for n, per in enumerate(rates)]
    (each,) = replay(sold(money=money, refunded=refunded), rules=rules)
    assert each.after.points == each.after.issued - each.after.issued * refunded // money
    assert sum(fired.points for fired in each.after.fired) == each.after.points
    assert all(fired.points >= 0 for fired in each.after.fired)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_changes_are_told_as_if_all_were_laid_out(owns: list[int]) -> None:
    sums = Sums()
    for n, own in enumerate(owns, start=1):
        for each in replay(sold(n, own=own), rules=[{"id": "a", "effect": {"points": 20}}]):
            sums.add(each)
    changes = sorted(20 - own for own in owns)
    assert sums.median == changes[(len(changes) - 1) // 2]
    assert (sums.largest_gain, sums.largest_loss) == (max(0, changes[-1]), max(0, -changes[0]))
    assert (sums.gaining, sums.losing) == (sum(c > 0 for c in changes), sum(c < 0 for c in changes))
    assert sums.after.points - sums.before.points == sum(changes)
    assert Sums().median == Sums().per_million(0) == 0
