"""Who may use an entitlement, and how often: decided from what was used, without a database."""

import datetime as dt
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants.benefits.deciding import Capacity, Counts, Entitlement, Grant, Holder, PerPeriod, left, refused

NOW = dt.datetime(2017, 3, 20, 21, 0, tzinfo=dt.UTC)
ANN = Holder(UUID(int=1))


def entitlement(used: int = 0, who: str = "everybody", **capacity: int | None) -> Entitlement:
    per_period = capacity.pop("per_period", None)
    period = None if per_period is None else PerPeriod(per_period, "month")
    most = Capacity(**capacity, per_period=period)
    return Entitlement(UUID(int=9), UUID(int=8), "other", {}, who, (), most, NOW, None, "open", used, NOW)


@given(
    most=st.tuples(*[st.one_of(st.none(), st.integers(1, 4))] * 4),
    used=st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)),
)
def test_there_is_room_until_one_limit_is_reached_and_left_says_how_much(
    most: tuple[int | None, ...], used: tuple[int, int, int, int]
) -> None:
    total, per_day, per_member, per_period = most
    of = entitlement(used[0], total=total, per_day=per_day, per_member=per_member, per_period=per_period)
    counts = Counts(*used[1:])
    rooms = [limit - count for limit, count in zip(most, used, strict=True) if limit is not None]
    assert left(of, ANN, counts, NOW) == (max(0, min(rooms)) if rooms else None)
    assert (refused(of, ANN, counts, NOW) is None) is all(room > 0 for room in rooms)


def test_of_several_grants_the_next_use_is_of_the_one_that_ends_first() -> None:
    def grant(id: int, uses: int | None, used: int = 0, days: int | None = None, ended: bool = False) -> Grant:
        ends = None if days is None else NOW + dt.timedelta(days=days)
        return Grant(UUID(int=id), UUID(int=9), ANN.member_id, uses, ends, NOW, NOW if ended else None, used)

    holder = Holder(
        ANN.member_id, None, [grant(1, None), grant(2, 2, days=9), grant(3, 1, days=5), grant(4, 1, 1, days=2)]
    )
    of = entitlement(who="granted")
    chosen = holder.grant(NOW)
    assert chosen is not None
    assert (chosen.id.int, left(of, holder, Counts(), NOW)) == (3, None)
    counted = Holder(ANN.member_id, None, [grant(2, 2, days=9), grant(3, 1, days=0), grant(5, 7, ended=True)])
    assert left(of, counted, Counts(), NOW) == 2
    assert refused(of, Holder(ANN.member_id), Counts(), NOW) is not None


@pytest.mark.parametrize(
    ("length", "calendar", "zone", "begin"),
    [
        # half past midnight of Nowruz in Tehran
        ("day", "gregorian", "Asia/Tehran", "2017-03-20T20:30:00+00:00"),
        ("day", "gregorian", "UTC", "2017-03-20T00:00:00+00:00"),
        ("month", "jalali", "Asia/Tehran", "2017-03-20T20:30:00+00:00"),
        ("year", "jalali", "UTC", "2016-03-20T00:00:00+00:00"),
        ("quarter", "gregorian", "UTC", "2017-01-01T00:00:00+00:00"),
    ],
)
def test_periods_begin_where_the_network_is(length: str, calendar: str, zone: str, begin: str) -> None:
    assert PerPeriod(1, length, calendar).begin(NOW, zone).isoformat() == begin
