"""Obligations, fees and netting by property: exact, zero-sum, blind to order."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from ledger.stream import Event
from settlement import fees, netting, obligations, proof, schedule, store
from settlement.netting import Charge, Flow
from settlement.papers import statements
from settlement.sealed import sealing
from settlement.steps import Window, window_id
from settlement.store import ItemRow

BOOK = UUID(int=1)
OPERATOR = UUID(int=2)
MERCHANTS = [UUID(int=10 + i) for i in range(5)]
AT = datetime(2017, 1, 2, tzinfo=UTC)

merchants = st.sampled_from(MERCHANTS)
carries = st.dictionaries(merchants, st.integers(-500_000, 500_000), max_size=5)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """A capture or a sale; refunds are negative points, which the same rules bear."""
    acceptor = draw(merchants)
    payload: dict[str, object]
    if draw(st.booleans()):
        payload = {"money_minor": draw(st.integers(-1_000, 100_000)), "purchase_fee_ppm": draw(st.integers(0, 50_000))}
        kind = "sale"
    else:
        kind = "capture"
        payload = {
            "redemption_fee_ppm": draw(st.integers(0, 50_000)),
            "slices": [
                {
                    "lot": str(UUID(int=draw(st.integers(1, 2**64)))),
                    "issuer": str(issuer),
                    "funding": draw(st.sampled_from(["prefunded", "deferred"])),
                    "unit_value_minor": draw(st.sampled_from([1, 100, 250])),
                    "points": draw(st.integers(-50, 500).filter(bool)),
                }
                for issuer in draw(st.lists(merchants, min_size=1, max_size=4))
            ],
        }
    return Event(0, BOOK, kind, AT, "till", acceptor, BOOK, BOOK, payload, 0, b"")


streams = st.lists(events(), max_size=25).map(lambda found: [e._replace(sequence=n) for n, e in enumerate(found)])


def summed(stream: list[Event]) -> tuple[list[obligations.Item], list[Flow], dict[UUID, Charge]]:
    """What the store's group-by gives, in plain Python."""
    items = [item for event in stream for item in obligations.items(event, OPERATOR)]
    flows: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
    charges: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    for item in items:
        if item.lot_id is not None:
            flow = flows[item[5], item[6], item[9], item[10]]  # issuer, acceptor, funding, unit value
            for i, amount in enumerate((item.points, item.value_minor, 1)):
                flow[i] += amount
        if item.fee_payer_id is not None:
            charges[item.fee_payer_id][0] += item.fee_millionths
            charges[item.fee_payer_id][1] += item.fee_payer_id not in (item.issuer_id, item.acceptor_id)
    return items, [Flow(*k, *v) for k, v in flows.items()], {k: Charge(*v) for k, v in charges.items()}


@given(streams, carries)
@pytest.mark.row("G3")
def test_positions_sum_to_zero_and_the_matrix_explains_each(stream: list[Event], carry: dict[UUID, int]) -> None:
    _, flows, charges = summed(stream)
    netted = netting.net(flows, charges, carry, OPERATOR)
    explained: dict[UUID, int] = defaultdict(int)
    for row in netted.bilateral:
        assert row.value_minor >= 0
        explained[row.creditor_id] += row.value_minor
        explained[row.debtor_id] -= row.value_minor
    assert sum(p.position_minor for p in netted.positions) == 0
    assert {p.party_id: p.position_minor for p in netted.positions} == {
        p.party_id: explained[p.party_id] for p in netted.positions
    }


@given(streams, carries, st.randoms(use_true_random=False))
def test_netting_is_blind_to_order(stream: list[Event], carry: dict[UUID, int], random: Random) -> None:
    _, flows, charges = summed(stream)
    told = netting.net(flows, charges, carry, OPERATOR)
    random.shuffle(flows)
    shuffled = netting.net(flows, dict(reversed(charges.items())), dict(reversed(carry.items())), OPERATOR)
    assert shuffled == told
    assert netting.positions_hash(BOOK, 1, reversed(shuffled.positions)) == netting.positions_hash(
        BOOK, 1, told.positions
    )


@given(streams)
def test_multilateral_never_exceeds_bilateral_nor_that_the_gross(stream: list[Event]) -> None:
    _, flows, charges = summed(stream)
    totals = netting.net(flows, charges, {}, OPERATOR).totals
    assert 0 <= totals["multilateral_minor"] <= totals["bilateral_minor"] <= totals["gross_minor"]


@given(st.lists(st.integers(-(10**15), 10**15), max_size=30))
def test_fees_over_any_windows_lose_nothing_but_the_carry(windows: list[int]) -> None:
    carry = paid = 0
    for millionths in windows:
        fee = fees.of_window(millionths, carry)
        assert fee.millionths + fee.carry_in == fee.minor * ledger.PPM + fee.carry_out
        paid, carry = paid + fee.minor, fee.carry_out
        assert abs(carry) <= ledger.PPM // 2
    assert paid * ledger.PPM + carry == sum(windows)


@pytest.mark.parametrize(
    ("millionths", "minor"),
    [(500_000, 0), (500_001, 1), (1_500_000, 2), (2_500_000, 2), (-500_000, 0), (-1_500_000, -2), (0, 0)],
)
def test_half_a_unit_goes_to_the_even_one(millionths: int, minor: int) -> None:
    assert fees.of_window(millionths, 0).minor == minor


@given(streams, carries)
def test_the_items_of_a_statement_prove_its_position(stream: list[Event], carry: dict[UUID, int]) -> None:
    items, flows, charges = summed(stream)
    window = Window(window_id(BOOK, 1), 1, 1, "advised", 1, AT, 1, 9, AT, b"", b"", [], {})
    for position in netting.net(flows, charges, carry, OPERATOR).positions:
        party = position.party_id
        if party == OPERATOR:
            continue
        # the store hides the fees of others, and so must what is checked here
        mine = [
            ItemRow(BOOK, i if i.fee_payer_id == party else i._replace(fee_base_minor=0, fee_ppm=0, fee_millionths=0))
            for i in items
            if party in (i.issuer_id, i.acceptor_id, i.fee_payer_id)
        ]
        own, others = statements.by_counterparty([f for f in flows if party in f[:2]], party)
        told = statements.Statement(BOOK, _book(), window, party, position, own, others)
        document = statements.document(told, mine)
        assert statements.check(document) == []
        if mine:
            document["items"].pop()
            assert statements.check(document) != []


def test_what_makes_nobody_owe_makes_no_item() -> None:
    sale = Event(
        1, BOOK, "sale", AT, "till", MERCHANTS[0], None, BOOK, {"money_minor": 5, "purchase_fee_ppm": 0}, 1, b""
    )
    assert obligations.items(sale, OPERATOR) == []
    assert obligations.items(sale._replace(kind="hold", payload={}), OPERATOR) == []


WEEK = {"every": "week", "weekday": 0, "at": "00:00"}
DATES = {"every": "calendar", "dates": ["2017-06-21", "2017-03-20"], "at": "18:00"}
FOLLOWING = [
    (WEEK, "2017-01-01T12:00", "2017-01-02T00:00"),
    (WEEK, "2017-01-02T00:00", "2017-01-09T00:00"),
    (WEEK | {"weekday": 5, "at": "18:30"}, "2017-01-07T18:00", "2017-01-07T18:30"),
    (WEEK | {"weekday": 5, "at": "18:30"}, "2017-01-07T19:00", "2017-01-14T18:30"),
    ({"every": "day", "at": "03:00"}, "2017-01-02T02:59", "2017-01-02T03:00"),
    ({"every": "day", "at": "03:00"}, "2017-01-02T03:00", "2017-01-03T03:00"),
    (DATES, "2017-01-02T03:00", "2017-03-20T18:00"),
    (DATES, "2017-03-20T18:00", "2017-06-21T18:00"),
]


@pytest.mark.parametrize(("rule", "local", "closes"), FOLLOWING)
def test_a_window_closes_at_the_next_time_of_the_schedule(rule: dict[str, object], local: str, closes: str) -> None:
    assert schedule.following(datetime.fromisoformat(local), rule) == datetime.fromisoformat(closes)


def test_after_the_last_date_of_a_calendar_nothing_closes_by_itself() -> None:
    assert schedule.following(datetime(2017, 6, 21, 18), DATES) is None


@given(st.datetimes(datetime(2016, 1, 1), datetime(2030, 1, 1)), st.integers(0, 6), st.times())
def test_a_weekly_closing_is_within_a_week_ahead(local: datetime, weekday: int, at: object) -> None:
    found = schedule.following(local, {"every": "week", "weekday": weekday, "at": f"{at:%H:%M}"})
    assert found is not None
    assert timedelta(0) < found - local <= timedelta(days=7)
    assert found.weekday() == weekday


def _book() -> ledger.Book:
    return ledger.Book(1, BOOK, "Tehran", "test", "IRR", 0, 100, 365, None, "UTC", {}, OPERATOR, 0, AT)


@given(streams)
def test_a_leaf_is_that_of_the_line_its_merchant_reads(stream: list[Event]) -> None:
    """What is hashed by the million is written by another hand than what is handed out; they are the same."""
    for event in stream:
        for item in obligations.items(event, OPERATOR):
            leaves = dict(sealing.leaves_of(BOOK, item))
            assert leaves.keys() == {item.issuer_id, item.acceptor_id, item.fee_payer_id} - {None}
            for party, leaf in leaves.items():
                told = sealing.item_told(ItemRow(BOOK, store.as_seen(item, party)), party)
                assert leaf == proof.merkle.leaf(ledger.canonical(told))
