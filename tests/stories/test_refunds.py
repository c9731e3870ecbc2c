"""Refunds: points go back the way they came, what was spent meanwhile is owed, and what is owed is repaid by what comes."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

import ledger
from deploy.house import House
from merchants import trade
from tests.audit.story import close, window
from tests.world import SPEND_KEY, World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A deferred cafe, a prefunded bakery, a barber with points of its own; after each story all of it is proven."""
    world.shop("cafe", mode="deferred", purchase_fee_ppm=10_000, redemption_fee_ppm=20_000)
    world.shop("bakery", mode="prefunded", bought=10_000, redemption_fee_ppm=15_000)
    world.shop("barber", mode="closed_loop", unit_value_minor=3)
    world.member("ann")
    world.member("bob")
    yield world
    assert world.audit() == []


def items(world: World, reason: str) -> list[tuple[object, ...]]:
    """(window, kind, points, value, fee base, fee rate) of a reason's items."""
    world.house.drain(world.book_id)
    return world.rows(
        "select window_number, kind, points, value_minor, fee_base_minor, fee_ppm from settlement.item"
        " where book_id = %s and reason = %s order by sequence, ordinal",
        world.book_id,
        reason,
    )


# -- refunds of sales


@pytest.mark.row("A4")
@pytest.mark.parametrize(("shop", "home"), [("cafe", "credit"), ("bakery", "pool"), ("barber", "own")])
def test_a_whole_refund_takes_all_points_home(town: World, shop: str, home: str) -> None:
    before = town.account(home, shop)
    bought = town.earn("ann", at=shop, points=120)
    done = town.refund(bought)
    assert (done.points, done.returned, done.owed, done.left, done.available) == (120, 120, 0, 0, 0)
    assert town.account(home, shop) == before
    assert town.balance("ann") == 0


@pytest.mark.row("A4")
def test_slices_of_a_refund_take_back_exactly_what_the_whole_would(town: World) -> None:
    bought = town.sale("ann", "cafe", 1_099)
    assert bought.points == 10
    taken = [town.refund(bought, amount).points for amount in (100, 100, 399, 499, 1)]
    assert taken == [0, 1, 4, 4, 1]
    assert sum(taken) == 10
    assert town.refusal("sale_refund", town.refund_of(bought, 1)) == "refund_exceeds_original"
    assert town.rows("select refunded_minor, points_taken_back from merchants.sale") == [(1_099, 10)]


@pytest.mark.row("A4")
def test_the_purchase_fee_of_a_refund_is_the_one_of_the_sale_in_the_window_of_the_refund(town: World) -> None:
    bought = town.sale("ann", "cafe", 10_000)
    window(town, 1)
    town.refund(bought, 4_000)
    assert items(town, "purchase") == [(1, "purchase_fee", 0, 0, 10_000, 10_000)]
    assert items(town, "refund") == [(2, "purchase_fee", 0, 0, -4_000, 10_000)]
    window(town, 2)


@pytest.mark.row("A5")
def test_what_was_spent_before_the_refund_is_owed(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=100)
    town.redeem("ann", "bakery", 70)
    done = town.refund(bought)
    assert (done.points, done.returned, done.owed) == (100, 30, 70)
    assert (town.wallet("ann").owed, town.owed("ann", "cafe"), town.account("claim", "cafe")) == (70, 70, 70)


@pytest.mark.row("A5")
def test_held_points_are_owed_and_their_void_repays(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=100)
    hold = town.hold("ann", "bakery", 60)
    assert town.refund(bought, 8_000).owed == 40
    assert town.void(hold, "bakery").available == 20
    assert (town.balance("ann"), town.owed("ann", "cafe"), town.account("accepted", "cafe")) == (20, 0, 40)


@pytest.mark.row("A5")
def test_a_lapse_repays_too(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=50)
    town.hold("ann", "bakery", 50)
    assert town.refund(bought).owed == 50
    town.later(minutes=20)
    assert (town.balance("ann"), town.wallet("ann").owed, town.account("accepted", "cafe")) == (0, 0, 50)


@pytest.mark.row("A4")
def test_expired_points_count_as_returned_once(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=100)
    town.redeem("ann", "bakery", 60)
    town.later(days=121)
    first, second = town.refund(bought, 3_000), town.refund(bought, 7_000)
    assert (first.returned, first.owed) == (30, 0)
    assert (second.returned, second.owed) == (10, 60)


@pytest.mark.row("A4")
def test_points_past_their_time_that_no_sweep_has_seen_count_as_returned(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=100)
    assert bought.expires_at is not None
    town.do("set_clock", ledger.due.SetClock(bought.expires_at))
    done = town.refund(bought)
    assert (done.returned, done.owed) == (100, 0)


@pytest.mark.row("A4")
def test_a_sale_without_member_or_points_is_refunded_without_moving_any(town: World) -> None:
    nobody = town.refund(town.sale(None, "cafe", 5_000), 2_000)
    nothing = town.refund(town.sale("ann", "cafe", 99))
    assert (nobody.points, nobody.available, nothing.points, nothing.available) == (0, None, 0, 0)
    records = town.rows(
        "select count(*), count(e.amount) from ledger.record r left join ledger.entry e using (batch_id, n)"
        " where kind = 'refund'"
    )
    assert records == [(2, 0)]


@pytest.mark.row("A4")
def test_only_the_money_part_of_a_sale_is_refunded_as_a_sale(town: World) -> None:
    town.earn("ann", at="bakery", points=500)
    paid = town.redeem("ann", "cafe", 300)
    parts = (trade.Payment("points", paid.value, paid.id), trade.Payment("card", ledger.Minor(700)))
    bought = town.sale("ann", "cafe", 1_000, payments=parts)
    assert town.refusal("sale_refund", town.refund_of(bought, 701)) == "refund_exceeds_original"
    assert town.refund(bought).points == 7
    assert town.give_back(paid, "cafe").available == 500


def paid_with(town: World, redemption: UUID | str, worth: int = 300) -> trade.Sale:
    """A basket of ann's at the cafe, a part of it paid with a redemption."""
    parts = (("points", worth, redemption), ("card", 1_000 - worth, None))
    payments = tuple(trade.Payment(type, ledger.Minor(amount), named) for type, amount, named in parts)
    return town.sale_of("ann", "cafe", 1_000, payments=payments)


def together(town: World, *asked: ledger.Request) -> list[str]:
    """What one batch answers: the refusals' codes, or that it is done."""
    return [getattr(outcome.decision, "code", "done") for outcome in town.house.committer.post_all(asked)]


@pytest.mark.row("A4")
@pytest.mark.parametrize("given_back", [1, 299, 300])
def test_a_redemption_that_was_refunded_pays_for_no_sale_any_more(town: World, given_back: int) -> None:
    town.earn("ann", at="bakery", points=600)
    paid, other = town.redeem("ann", "cafe", 300), town.redeem("ann", "cafe", 300)
    town.give_back(paid, "cafe", given_back)
    refused = town.ask("sale", paid_with(town, paid.id)).decision
    assert isinstance(refused, ledger.Refusal)
    assert (refused.code, refused.detail) == ("state_conflict", "the redemption is refunded")
    assert town.do("sale", paid_with(town, other.id)).money == 700


@pytest.mark.row("A4")
def test_in_one_batch_what_comes_first_counts_a_refund_or_the_sale_it_would_have_paid(town: World) -> None:
    town.earn("ann", at="bakery", points=600)
    first, second = town.redeem("ann", "cafe", 300), town.redeem("ann", "cafe", 300)
    answers = together(
        town,
        town.request("redemption_refund", town.give_back_of(first, "cafe", 1)),
        town.request("sale", paid_with(town, first.id)),
        town.request("sale", paid_with(town, second.id)),
        town.request("redemption_refund", town.give_back_of(second, "cafe")),
    )
    assert answers == ["done", "state_conflict", "done", "done"]


@pytest.mark.row("A4")
def test_a_queue_that_redeems_gives_back_and_then_sells_is_refused_the_sale(town: World) -> None:
    town.earn("ann", at="bakery", points=300)
    back = trade.RedemptionRefund(town.shops["cafe"], "till-1", "till-1-back", ledger.Points(100))
    answers = together(
        town,
        town.request("redemption", town.redemption_of("ann", "cafe", 300, reference="till-1")),
        town.request("redemption_refund", back),
        town.request("sale", paid_with(town, "till-1")),
    )
    assert answers == ["done", "done", "state_conflict"]


@pytest.mark.row("A4")
def test_a_spent_voucher_pays_for_a_sale_until_it_is_refunded(town: World) -> None:
    town.earn("ann", at="bakery", points=600)
    # what a voucher becomes has the voucher's own id, so that a sale of the same batch may name it
    one, two = town.voucher("ann", "cafe", 300), town.voucher("ann", "cafe", 300)
    answers = together(
        town,
        town.request("redemption", town.spend_of(one, "cafe", 200)),
        town.request("sale", paid_with(town, one.row.id, 200)),
        town.request("redemption", town.spend_of(two, "cafe", 200)),
    )
    assert answers == ["done", "done", "done"]
    town.do("redemption_refund", trade.RedemptionRefund(town.shops["cafe"], two.row.id, "back", ledger.Points(5)))
    assert town.refusal("sale", paid_with(town, two.row.id, 200)) == "state_conflict"


@pytest.mark.row("A4")
def test_a_refund_is_refused_for_anothers_sale_and_for_a_used_reference(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=10)
    mine = town.refund_of(bought, 100, "again")
    theirs = trade.SaleRefund(town.shops["bakery"], bought.id, "theirs", ledger.Minor(100))
    assert town.refusal("sale_refund", theirs) == "not_found"
    town.do("sale_refund", mine)
    assert town.refusal("sale_refund", mine) == "duplicate_reference"


# -- repaying


@pytest.mark.row("A5")
def test_later_points_repay_the_oldest_debt_first(town: World) -> None:
    at_cafe, at_bakery = town.earn("ann", at="cafe", points=40), town.earn("ann", at="bakery", points=40)
    town.redeem("ann", "bakery", 80)
    town.refund(at_bakery)
    town.refund(at_cafe)
    assert town.wallet("ann").owed == 80
    assert town.earn("ann", at="cafe", points=50).available == 0
    assert (town.owed("ann", "bakery"), town.owed("ann", "cafe")) == (0, 30)
    assert town.earn("ann", at="bakery", points=100).available == 70
    assert town.wallet("ann").owed == 0
    told = [
        (p["points"], p["value_minor"])
        for (p,) in town.rows("select payload from ledger.record where kind = 'repayment'")
    ]
    assert told == [(40, 40), (10, 10), (30, 30)]


@pytest.mark.row("A5")
def test_a_repayment_is_worth_the_arriving_lots_own_value_and_bears_no_fee(town: World) -> None:
    bought = town.earn("ann", at="bakery", points=40)
    town.redeem("ann", "bakery", 40)
    town.refund(bought)
    town.earn("ann", at="cafe", points=25)
    assert items(town, "repayment") == [(1, "slice", 25, 25, 0, 0)]
    window(town, 1)
    assert town.account("accepted", "bakery") == 0


@pytest.mark.row("A5")
def test_closed_loop_points_repay_their_own_shop_only(town: World) -> None:
    at_cafe, at_barber = town.earn("ann", at="cafe", points=40), town.earn("ann", at="barber", points=40)
    town.redeem("ann", "bakery", 40)
    town.redeem("ann", "barber", 40)
    town.refund(at_cafe)
    town.refund(at_barber)
    assert town.earn("ann", at="barber", points=60).available == 20
    assert (town.owed("ann", "cafe"), town.owed("ann", "barber")) == (40, 0)
    assert town.earn("ann", at="bakery", points=50).available == 30
    assert town.wallet("ann").owed == 0


@pytest.mark.row("A5")
def test_a_restored_redemption_repays(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=100)
    paid = town.redeem("ann", "bakery", 100)
    town.refund(bought)
    done = town.give_back(paid, "bakery", 60)
    assert (done.available, town.wallet("ann").owed) == (0, 40)
    assert (town.account("accepted", "bakery"), town.account("accepted", "cafe")) == (40, 60)


# -- refunds of redemptions


@pytest.mark.row("A4")
def test_the_last_consumed_slice_comes_back_first_to_its_own_lot(town: World) -> None:
    town.earn("ann", at="cafe", points=30)
    town.later(days=1)
    town.earn("ann", at="bakery", points=30)
    paid = town.redeem("ann", "cafe", 50)
    back = [town.give_back(paid, "cafe", points) for points in (15, 10)]
    shops = {id: name for name, id in town.shops.items()}
    assert [[(shops[s.issuer_id], s.points) for s in b.slices] for b in back] == [
        [("bakery", 15)],
        [("bakery", 5), ("cafe", 5)],
    ]
    assert (back[1].left, back[1].available) == (25, 35)
    assert town.refusal("redemption_refund", town.give_back_of(paid, "cafe", 26)) == "refund_exceeds_original"
    assert town.give_back(paid, "cafe").points == 25
    assert town.refusal("redemption_refund", town.give_back_of(paid, "cafe")) == "refund_exceeds_original"
    assert [(s.issuer_id, s.points) for s in town.redeem("ann", "bakery", 60).slices] == [
        (town.shops["cafe"], 30),
        (town.shops["bakery"], 30),
    ]


@pytest.mark.row("A4")
@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("issuer", ["cafe", "bakery", "barber"])
def test_a_redemption_is_refunded_before_and_after_its_window_is_settled(
    town: World, issuer: str, settled: bool
) -> None:
    at = "barber" if issuer == "barber" else "cafe"
    town.earn("ann", at=issuer, points=100)
    paid = town.redeem("ann", at, 80)
    if settled:
        window(town, 1)
    assert town.give_back(paid, at, 50).available == 70
    assert town.account("accepted", at) == (-50 if settled else 30)
    owed = 50 if issuer == "bakery" else 0
    expected = [(1 + settled, "slice", -50, -owed, -owed, 20_000 if owed else 0)]
    assert items(town, "refund") == expected
    assert town.audit() == []
    window(town, 1 + settled)
    assert town.account("accepted", at) == 0


@pytest.mark.row("A4")
def test_an_expired_lot_gets_grace_once(town: World) -> None:
    town.earn("ann", at="bakery", points=100)
    paid = town.redeem("ann", "cafe", 100)
    town.later(days=200)
    assert town.give_back(paid, "cafe", 60).available == 60
    (until, points) = town.wallet("ann").expiring[0]
    assert (points, (until - town.book.now).days) == (60, 30)
    town.later(days=31)
    assert town.balance("ann") == 0
    assert town.give_back(paid, "cafe").available == 0
    assert town.account("pool", "bakery") == 10_000


@pytest.mark.row("A4")
def test_points_restored_late_may_expire_before_the_window_of_their_refund_is_settled(town: World) -> None:
    town.earn("ann", at="bakery", points=100)
    paid = town.redeem("ann", "cafe", 100)
    window(town, 1)
    town.later(days=130)
    town.give_back(paid, "cafe", 40)
    town.later(days=31)
    town.give_back(paid, "cafe")
    assert town.audit() == []
    close(town, 2)


@pytest.mark.row("A4")
def test_only_ones_own_captured_redemption_is_refunded(town: World) -> None:
    town.earn("ann", at="cafe", points=100)
    paid, hold = town.redeem("ann", "cafe", 10), town.hold("ann", "cafe", 10)
    assert town.refusal("redemption_refund", town.give_back_of(paid, "bakery")) == "not_found"
    assert town.refusal("redemption_refund", town.give_back_of(hold, "cafe")) == "state_conflict"
    town.void(hold, "cafe")
    assert town.refusal("redemption_refund", town.give_back_of(hold, "cafe")) == "state_conflict"
    once = town.give_back_of(paid, "cafe", 1, "once")
    town.do("redemption_refund", once)
    assert town.refusal("redemption_refund", once) == "duplicate_reference"


# -- at the same moment


@pytest.mark.row("A4")
def test_tills_of_two_processes_refund_one_sale_while_its_points_come_and_go(town: World) -> None:
    bought = town.earn("ann", at="cafe", points=10)
    paid = town.redeem("ann", "bakery", 8)
    other = House.open(town.url, SPEND_KEY)
    asked = [town.request("sale_refund", town.refund_of(bought, 300)) for _ in range(6)]
    asked += [town.request("redemption_refund", town.give_back_of(paid, "bakery", 3)) for _ in range(6)]
    asked += [town.request("sale", town.sale_of("ann", "cafe", 100)) for _ in range(6)]
    with contextlib.closing(other), ThreadPoolExecutor(len(asked)) as threads:
        committers = (town.house.committer, other.committer)
        waiting = [threads.submit(committers[i % 2].post, request) for i, request in enumerate(asked)]
        told = [w.result().decision for w in waiting]
    done = [
        request.kind for request, decision in zip(asked, told, strict=True) if isinstance(decision, ledger.Accepted)
    ]
    assert Counter(done) == {"sale_refund": 3, "redemption_refund": 2, "sale": 6}
    refused = {decision.code for decision in told if isinstance(decision, ledger.Refusal)}
    assert refused == {"refund_exceeds_original"}
    # 10 - 8 + 6 restored + 6 earned - 9 taken back
    wallet = town.wallet("ann")
    assert wallet.available - wallet.owed == 5


@contextlib.contextmanager
def wallet_locked(town: World, member: str) -> Iterator[Callable[[int], None]]:
    """A member's wallet is locked; gives what waits until so many postings stand before a lock."""
    with psycopg.connect(town.url) as connection, psycopg.connect(town.url, autocommit=True) as looking:
        connection.execute(
            "select from ledger.account where kind = 'wallet' and owner_id = %s for update", [town.members[member]]
        )

        def until(postings: int) -> None:
            for _ in range(1_000):
                [(there,)] = looking.execute(
                    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                )
                if there == postings:
                    return
                time.sleep(0.01)
            raise AssertionError("they do not wait")

        yield until


@pytest.mark.row("A4")
@pytest.mark.parametrize("first", ["redemption_refund", "sale"])
def test_of_two_processes_the_first_decides_whether_a_redemption_pays_or_is_refunded(town: World, first: str) -> None:
    town.earn("ann", at="bakery", points=300)
    paid = town.redeem("ann", "cafe", 300)
    bodies = {"redemption_refund": town.give_back_of(paid, "cafe", 1), "sale": paid_with(town, paid.id)}
    asked = [town.request(kind, bodies[kind]) for kind in sorted(bodies, key=lambda kind: kind != first)]
    other = House.open(town.url, SPEND_KEY)
    with contextlib.closing(other), ThreadPoolExecutor(2) as threads:
        answers = []
        with wallet_locked(town, "ann") as until:
            for request, house in zip(asked, (town.house, other), strict=True):
                answers.append(threads.submit(house.committer.post, request))
                until(len(answers))
        told = [getattr(answer.result().decision, "code", "done") for answer in answers]
    assert told == ["done", "state_conflict" if first == "redemption_refund" else "done"]
