"""The ledger's pure rules, by property: rounding, which lots go first, canonical bytes, ids."""

import datetime as dt
import hashlib
import itertools
import uuid
from collections.abc import Callable
from fractions import Fraction

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

import ledger
from ledger import encoding, ids
from ledger.lots import Lot, Slice, first, last_first, points_back, spendable, take, take_back, take_value, worth

NOW = dt.datetime(2017, 5, 1, tzinfo=dt.UTC)


@given(st.integers(-(10**18), 10**18))
def test_half_even_keeps_every_millionth(millionths: int) -> None:
    units, rest = ledger.half_even(millionths)
    assert units * 1_000_000 + rest == millionths
    assert -500_000 <= rest <= 500_000
    assert units == round(Fraction(millionths, 1_000_000))


def a_lot(points: int, days: int, unit_value: int = 1, n: int = 0, issuer: int = 1) -> Lot:
    return Lot(
        id=ids.new(),
        member_id=uuid.UUID(int=9),
        issuer_id=uuid.UUID(int=issuer),
        batch_id=1,
        n=n,
        unit_value=unit_value,
        funding="prefunded",
        contract_id=uuid.UUID(int=5),
        points=max(points, 1),
        pending=0,
        remaining=points,
        held=0,
        earned_at=NOW,
        available_at=NOW,
        expires_at=NOW + dt.timedelta(days=days),
    )


lots = st.lists(
    st.builds(a_lot, points=st.integers(0, 50), days=st.integers(-3, 5), unit_value=st.integers(1, 7)), max_size=8
)


@given(lots, st.integers(1, 300))
def test_points_go_soonest_expiry_first_and_never_beyond_what_is_there(wallet: list[Lot], asked: int) -> None:
    usable = spendable(wallet, NOW, lambda _: True)
    taken = take(usable, asked)
    assert sum(s.points for s in taken) == min(asked, sum(lot.remaining for lot in usable))
    assert all(lot.expires_at > NOW and 0 < points <= lot.remaining for lot, points in taken)
    for (before, points), after in itertools.pairwise(taken):
        assert points == before.remaining, "a later lot was touched before an earlier one was empty"
        assert before.order < after.lot.order


@given(lots, st.integers(1, 300))
def test_points_for_a_value_are_worth_at_most_it_and_no_whole_point_more_would_fit(
    wallet: list[Lot], value: int
) -> None:
    usable = spendable(wallet, NOW, lambda _: True)
    taken = take_value(usable, value)
    left = value - worth(taken)
    assert left >= 0
    used = {s.lot.id: s.points for s in taken}
    assert all(lot.remaining == used.get(lot.id, 0) or lot.unit_value > left for lot in usable)


def test_a_slice_is_worth_its_own_unit_value() -> None:
    assert Slice(a_lot(10, 1, unit_value=100), ledger.Points(3)).value == 300


@given(st.integers(0, 10_000), st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(0, 900))
def test_however_a_refund_is_sliced_the_same_points_come_back_and_never_more_than_earned(
    points: int, slices: list[int], kept: int
) -> None:
    money = sum(slices) + kept
    refunded = before = 0
    for amount in slices:
        refunded += amount
        back = points_back(points, money, refunded, before)
        assert back >= 0
        before += back
    assert before == points_back(points, money, sum(slices), 0) <= points
    assert before + points_back(points, money, money, before) == points


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 100))
def test_what_is_taken_back_is_pending_then_in_the_wallet_then_expired_and_else_owed(
    points: int, pending: int, remaining: int, returned: int, counted: int
) -> None:
    lot = a_lot(remaining, 1)
    lot.pending, lot.returned = pending, returned
    counted = min(counted, returned)
    taken = take_back(lot, points, counted)
    assert sum(taken) == points == taken.returned + taken.owed
    assert taken.wallet == 0 or taken.pending == pending
    assert taken.expired == 0 or taken.wallet == remaining
    assert taken.owed == 0 or taken.expired == returned - counted
    assert (taken.pending <= pending, taken.wallet <= remaining, taken.expired <= returned - counted) == (True,) * 3


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.lists(st.integers(1, 40), max_size=8))
def test_a_redemption_comes_back_last_slice_first_however_its_refund_is_sliced(
    parts: list[int], refunds: list[int]
) -> None:
    slices = [Slice(a_lot(0, 1, n=n), ledger.Points(part)) for n, part in enumerate(parts)]
    restored: dict[int, int] = {}
    before = 0
    for points in refunds:
        back = last_first(slices, before, points)
        assert sum(s.points for s in back) == min(points, sum(parts) - before)
        before += sum(s.points for s in back)
        for piece in back:
            restored[piece.lot.n] = restored.get(piece.lot.n, 0) + piece.points
    for n, part in enumerate(parts):
        later = sum(parts[n + 1 :])
        assert restored.get(n, 0) == max(0, min(part, before - later))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 180))
def test_what_a_capture_takes_first_and_what_it_leaves_last_are_the_hold(parts: list[int], asked: int) -> None:
    slices = [Slice(a_lot(50, 1, n=n), ledger.Points(part)) for n, part in enumerate(parts)]
    points = min(asked, sum(parts))
    taken, rest = first(slices, points), last_first(slices, 0, sum(parts) - points)
    assert sum(s.points for s in taken) == points
    together = [0] * len(parts)
    for piece in (*taken, *rest):
        together[piece.lot.n] += piece.points
    assert together == parts
    assert [s.lot.n for s in taken] == list(range(len(taken))), "in their order, none passed over"
    assert not rest or rest[-1].lot.n >= taken[-1].lot.n


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(st.characters(max_codepoint=127, min_codepoint=1), max_size=5), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_canonical_bytes_are_rfc_8785(value: object) -> None:
    assert encoding.canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_times_and_ids_have_one_spelling() -> None:
    value = [NOW, dt.datetime(2017, 1, 1, 0, 0, 0, 5, tzinfo=dt.UTC), uuid.UUID(int=1)]
    assert encoding.canonical(value) == (
        b'["2017-05-01T00:00:00Z","2017-01-01T00:00:00.000005Z","00000000-0000-0000-0000-000000000001"]'
    )


def test_a_chain_hash_covers_the_one_before_the_sequence_and_the_content() -> None:
    base = encoding.chained(b"\0" * 32, 1, hashlib.sha256(b"x").digest())
    assert base != encoding.chained(b"\1" + b"\0" * 31, 1, hashlib.sha256(b"x").digest())
    assert base != encoding.chained(b"\0" * 32, 2, hashlib.sha256(b"x").digest())
    assert base != encoding.chained(b"\0" * 32, 1, hashlib.sha256(b"y").digest())


@given(st.sampled_from(sorted(ids.PREFIXES)), st.uuids())
def test_a_public_id_reads_back_and_nothing_else_does(what: str, value: uuid.UUID) -> None:
    shown = ids.show(what, value)
    assert ids.read(what, shown) == value
    refused: list[Callable[[str], str]] = [
        str.upper,
        lambda s: s[:-1],
        lambda s: s + "0",
        lambda s: s.replace("_", "-"),
    ]
    assert all(ids.read(what, spoil(shown)) is None for spoil in refused if spoil(shown) != shown)
    other = "lot" if what != "lot" else "sale"
    assert ids.read(other, shown) is None


def test_new_ids_are_in_the_order_of_their_making() -> None:
    made = [ids.new() for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000
