"""How much of its credit line a merchant has used, and when that is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
import settlement

LEVELS = [(0, 0, None), (1, 0, 90), (49, 100, None), (50, 100, 50), (74, 100, 50), (75, 100, 75), (89, 100, 75),
          (90, 100, 90), (130, 100, 90), (-5, 100, None), (2, 3, 50), (1, 3, None)]  # fmt: skip


@pytest.mark.parametrize(("used", "line", "level"), LEVELS)
def test_a_level_is_told_from_when_it_is_reached_until_it_falls_below(used: int, line: int, level: int | None) -> None:
    assert settlement.exposure_level(used, line) == level


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**6))
def test_more_used_never_tells_less(used: int, line: int, more: int) -> None:
    assert (settlement.exposure_level(used + more, line) or 0) >= (settlement.exposure_level(used, line) or 0)


def test_a_payment_lowers_the_exposure_and_settling_alone_does_not(world: Any) -> None:
    world.shop("cafe", "deferred")
    world.shop("gym", "deferred")
    world.sql("update ledger.issuer set credit_line_points = 100 where merchant_id = %s", [world.shops["cafe"].id])
    world.earn("ann", "cafe", 80)
    world.redeem("ann", "gym", 60)

    def told() -> tuple[int, int, int | None]:
        with world.db.tx("door") as tx:
            found = settlement.exposures(tx, ledger.read_book(tx, world.book_id))
        each = next(e for e in found if e.merchant_id == world.shops["cafe"].id)
        return each.used_points, each.due_points, each.level_percent

    assert told() == (80, 0, 75)
    world.fund()
    assert told() == (80, 60, 75)
    world.pay(1, "cafe", 3_000)
    assert told() == (50, 30, 50)
    world.pay(1, "cafe")
    assert told() == (20, 0, None)
    # no limit was moved for any of it
    assert world.sql(
        "select credit_line_points from ledger.issuer where merchant_id = %s", [world.shops["cafe"].id]
    ) == [(100,)]
