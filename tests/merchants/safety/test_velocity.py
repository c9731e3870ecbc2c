"""Rolling limits as arithmetic: never more than `most` in any window, and room again soon after."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from merchants.safety.velocity import STEPS, Counts, Limit, Name, Steps, names

ANN = UUID(int=7)
OF = {"member": ANN}
BEGINNING = datetime(2017, 1, 1, tzinfo=UTC)

passings = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=60)


def passed(limits: list[Limit], asked: list[tuple[int, int]]) -> list[tuple[datetime, int]]:
    """What passes of (seconds after the one before, points), each in a batch of its own."""
    stored: dict[Name, Steps] = {name: {} for name in names(limits, OF, ["redeem_points"])}
    now, done = BEGINNING, []
    for seconds, points in asked:
        now += timedelta(seconds=seconds)
        counts = Counts(limits, {name: dict(steps) for name, steps in stored.items()}, now)
        if counts.met(OF, {"redeem_points": points}) is None:
            counts.add(OF, {"redeem_points": points})
            done.append((now, points))
            stored |= {name: counts.kept(name) for name in counts.changed}
    assert all(len(steps) <= STEPS + 1 for steps in stored.values())
    return done


@given(asked=passings, minutes=st.integers(1, 200), most=st.integers(1, 150))
def test_no_window_holds_more_than_the_limit(asked: list[tuple[int, int]], minutes: int, most: int) -> None:
    done = passed([Limit("member", "redeem_points", minutes, most)], asked)
    for at, _ in done:
        window = [points for when, points in done if at - timedelta(minutes=minutes) < when <= at]
        assert sum(window) <= most


@given(asked=passings, minutes=st.integers(1, 200), most=st.integers(1, 150))
def test_what_is_older_than_the_window_and_a_step_never_refuses(
    asked: list[tuple[int, int]], minutes: int, most: int
) -> None:
    limit = Limit("member", "redeem_points", minutes, most)
    done, now = passed([limit], asked), BEGINNING
    whole = timedelta(minutes=minutes + limit.step_minutes * 2)
    left = iter(done)
    following = next(left, None)
    for i, (seconds, points) in enumerate(asked):
        now += timedelta(seconds=seconds)
        if following is not None and following == (now, points):
            following = next(left, None)
            continue
        lately = sum(p for when, p in passed([limit], asked[:i]) if when > now - whole)
        assert lately + points > most


def test_of_several_limits_the_first_in_the_list_that_has_no_room_is_told() -> None:
    limits = [Limit("member", "redeem_points", 5, 50), Limit("member", "redeem_points", 600, 60)]
    held: dict[Name, Steps] = {name: {} for name in names(limits, OF, ["redeem_points"])}
    counts = Counts(limits, held, BEGINNING)
    assert len(held) == 2
    counts.add(OF, {"redeem_points": 45})
    met = counts.met(OF, {"redeem_points": 20})
    assert met is not None
    assert (met.limit, met.refusal.allowed, met.refusal.asked) == (limits[0], 5, 20)
    assert counts.met(OF, {"redeem_points": 5}) is None
    assert counts.met(OF, {"earn_points": 1_000}) is None
    assert counts.met({"key": ANN}, {"redeem_points": 1_000}) is None
