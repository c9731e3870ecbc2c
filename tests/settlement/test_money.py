"""A window's points and money: who is paid by whom, in which order, and what is left where."""

from typing import Any

import pytest

import ledger
import settlement
from ledger.errors import LimitExceeded, NotFound, StateConflict


@pytest.fixture
def trio(world: Any) -> Any:
    """The bakery prefunds, cafe and gym owe later; no fees."""
    world.shop("bakery", "prefunded")
    world.shop("cafe", "deferred")
    world.shop("gym", "deferred")
    world.stock("bakery", 1_000)
    world.earn("ann", "bakery", 100)
    world.earn("ben", "cafe", 100)
    world.earn("eve", "gym", 100)
    return world


def open_(world: Any, number: int = 1) -> dict[str, int]:
    return {name: row.open_minor for name, row in world.positions(number).items() if row.open_minor}


@pytest.mark.row("G1")
def test_a_redemption_says_who_owes_whom_for_which_lots(trio: Any) -> None:
    trio.earn("ann", "cafe", 50)
    trio.redeem("ann", "gym", 120)
    trio.close()
    rows = trio.sql(
        "select i.issuer_id, i.acceptor_id, i.points, i.value_minor, l.issuer_id, l.points"
        " from settlement.item i join ledger.lot l on l.id = i.lot_id order by ordinal"
    )
    bakery, cafe, gym = (trio.shops[n].id for n in ("bakery", "cafe", "gym"))
    assert rows == [(bakery, gym, 100, 10_000, bakery, 100), (cafe, gym, 20, 2_000, cafe, 50)]


@pytest.mark.row("G3")
def test_positions_sum_to_zero_and_the_matrix_explains_each(trio: Any) -> None:
    trio.redeem("ann", "cafe", 100)
    trio.redeem("ben", "gym", 60)
    trio.redeem("eve", "cafe", 30)
    trio.close()
    positions = {name: row.position.position_minor for name, row in trio.positions().items()}
    assert positions == {"bakery": -10_000, "cafe": 7_000, "gym": 3_000, "operator": 0}
    matrix = trio.read(settlement.bilateral, trio.book_id, 1)
    assert sorted(row.value_minor for row in matrix) == [3_000, 6_000, 10_000]
    totals = trio.window().totals
    assert (totals["gross_minor"], totals["bilateral_minor"], totals["multilateral_minor"]) == (19_000, 13_000, 10_000)


@pytest.mark.row("G4")
def test_prefunded_points_are_paid_from_their_backing_when_the_window_is_posted(trio: Any) -> None:
    trio.redeem("ann", "cafe", 100)
    trio.fund()
    assert open_(trio) == {"cafe": 10_000}
    assert trio.balance("backing", "bakery") == 90_000
    assert (trio.balance("mint", "bakery"), trio.balance("accepted", "cafe")) == (-900, 0)
    trio.identities()
    trio.pay()
    assert trio.window().state == "settled"
    assert trio.balance("bank") == -100_000 + 10_000
    trio.identities()


@pytest.mark.row("G4")
def test_deferred_points_wait_until_their_issuer_has_paid(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.fund()
    assert open_(trio) == {"cafe": -6_000, "gym": 6_000}
    assert (trio.balance("credit", "cafe"), trio.balance("due", "cafe", 1)) == (-100, 60)
    trio.identities()
    trio.pay(1, "cafe")
    assert (trio.balance("credit", "cafe"), trio.balance("due", "cafe", 1)) == (-40, 0)
    trio.identities()


def test_a_part_payment_frees_its_share_rounded_down_and_the_last_one_the_rest(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.fund()
    trio.pay(1, "cafe", 1_050)
    assert trio.balance("due", "cafe", 1) == 50  # 60 x 1,050 / 6,000 is 10.5
    trio.identities()
    trio.pay(1, "cafe", 4_000)
    assert trio.balance("due", "cafe", 1) == 10  # 50 x 4,000 / 4,950 is 40.4
    trio.pay(1, "cafe")
    assert (trio.balance("due", "cafe", 1), trio.balance("credit", "cafe")) == (0, -40)
    trio.identities()


def test_an_issuer_that_has_nothing_to_pay_gets_its_credit_back_at_once(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.redeem("ann", "cafe", 100)
    trio.fund()
    assert open_(trio) == {"cafe": 4_000, "gym": 6_000}
    assert (trio.balance("credit", "cafe"), trio.balance("due", "cafe", 1)) == (-40, 0)
    trio.identities()


def test_own_points_go_home_and_nobody_owes(trio: Any) -> None:
    trio.shop("club", "closed_loop")
    trio.earn("kit", "club", 30)
    for member, shop in (("ann", "bakery"), ("ben", "cafe"), ("kit", "club")):
        trio.redeem(member, shop, 30)
    trio.fund()
    assert trio.window().state == "settled"
    assert (trio.balance("pool", "bakery"), trio.balance("credit", "cafe"), trio.balance("own", "club")) == (
        930,
        -70,
        0,
    )
    assert trio.window().totals["gross_minor"] == 0
    trio.identities()


def test_own_points_of_another_value_are_retired_and_their_money_is_the_merchants_again(trio: Any) -> None:
    trio.redeem("ann", "bakery", 30)
    trio.sql("update ledger.issuer set mode = 'deferred' where merchant_id = %s", [trio.shops["bakery"].id])
    trio.sql("update ledger.book set settings_revision = settings_revision + 1")
    trio.fund()
    assert (trio.balance("mint", "bakery"), trio.balance("prefund", "bakery")) == (-970, 3_000)
    trio.identities()


def test_a_prefund_pays_first_and_frees_the_points(trio: Any) -> None:
    trio.ask("topup", settlement.Topup(trio.shops["cafe"].id, 1_500, "psp", "card"))
    trio.redeem("ben", "gym", 60)
    trio.fund()
    assert open_(trio) == {"cafe": -4_500, "gym": 6_000}
    assert (trio.balance("prefund", "cafe"), trio.balance("psp"), trio.balance("due", "cafe", 1)) == (0, -1_500, 45)
    (paid,) = trio.read(settlement.payments, trio.book_id, 1)
    assert (paid.direction, paid.source, paid.amount_minor) == ("pay_in", "prefund", 1_500)
    trio.identities()


def test_nobody_is_paid_out_before_everybody_has_paid_in(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.fund()
    assert trio.pay(1, "gym") == StateConflict("window", "waiting for pay-ins")
    trio.pay(1, "cafe")
    assert isinstance(trio.pay(1, "gym"), ledger.Accepted)
    assert trio.window().state == "settled"
    assert trio.pay(1, "gym") == StateConflict("position", "paid")


def test_marking_a_window_paid_books_pay_ins_first_and_only_once(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.fund()
    done = trio.pay(key="pay-window-1-0001")
    assert [(p.direction, p.amount_minor, p.open_minor) for p in done.value.payments] == [
        ("pay_in", 6_000, 0),
        ("pay_out", 6_000, 0),
    ]
    assert trio.pay(1).value.payments == ()
    asker = trio.asker(trio.maker, "pay-window-1-0001")
    again = settlement.windows.mark_paid(trio.db, trio.committer, trio.book_id, number=1, asker=asker)
    assert again.replayed
    assert len(trio.events("payment")) == 2


def test_a_payment_is_of_an_open_position_and_never_more(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.fund()
    assert trio.pay(1, "cafe", 6_001) == LimitExceeded("position", 6_000, 6_001)
    assert trio.pay(1, "bakery") == NotFound("position")


@pytest.mark.row("G3")
def test_fees_are_carried_from_window_to_window_and_nothing_is_lost(world: Any) -> None:
    world.shop("cafe", "deferred", purchase_ppm=1_500, redemption_ppm=333)
    world.shop("gym", "deferred", redemption_ppm=7_777)
    exact = {"cafe": 0, "gym": 0}
    for number in range(1, 6):
        world.earn("ann", "cafe", 17, 1_333 + number)
        world.earn("eve", "gym", 11, 500)
        world.redeem("ann", "gym", 13)
        world.redeem("eve", "cafe", 7)
        exact["cafe"] += (1_333 + number) * 1_500 + 700 * 333
        exact["gym"] += 1_300 * 7_777
        world.fund(number)
        world.pay(number)
        assert world.window(number).state == "settled"
        world.identities()
    for name, millionths in exact.items():
        rows = [world.positions(number)[name].position for number in range(1, 6)]
        assert sum(row.fee.minor for row in rows) * ledger.PPM + rows[-1].fee.carry_out == millionths
        assert all(abs(row.fee.carry_out) <= ledger.PPM // 2 for row in rows)
    assert world.balance("fees") == sum(world.positions(n)["operator"].position.position_minor for n in range(1, 6)) > 0


def test_live_shows_the_open_window_and_what_stands_by(trio: Any) -> None:
    trio.redeem("ben", "gym", 60)
    trio.fund()
    trio.redeem("eve", "cafe", 10)
    settlement.drain(trio.db, trio.book_id)
    with trio.db.tx("door") as tx:
        live = settlement.live(tx, ledger.read_book(tx, trio.book_id), trio.shops["cafe"].id)
    assert live is not None
    assert (live.window_number, live.receivable_minor, live.position_minor, live.items) == (2, 1_000, 1_000, 1)
    assert (live.owed_minor, live.credit_used_points, live.credit_line_points) == (-6_000, 100, 1_000_000)


# -- funding

REFUSED_PURCHASES = [
    ("deferred", 10, StateConflict("contract", "deferred")),
    ("prefunded", 11, LimitExceeded("prefund", 1_000, 1_100)),
    (None, 10, NotFound("merchant")),
]


@pytest.mark.row("G4")
@pytest.mark.parametrize(("mode", "points", "refusal"), REFUSED_PURCHASES)
def test_points_are_bought_by_prefunded_shops_for_money_they_have(
    world: Any, mode: str | None, points: int, refusal: ledger.Refusal
) -> None:
    merchant = world.shop("shop", mode).id if mode else ledger.ids.new()
    if mode:
        world.ask("topup", settlement.Topup(merchant, 1_000, "bank", "first"))
    assert world.ask("purchase", settlement.Purchase(merchant, ledger.Points(points))).decision == refusal


def test_a_topup_and_a_purchase_say_what_they_left(world: Any) -> None:
    shop = world.shop("shop", "prefunded").id
    topup = world.ask("topup", settlement.Topup(shop, 1_250, "bank", "first")).decision.value
    bought = world.ask("purchase", settlement.Purchase(shop, ledger.Points(12))).decision.value
    assert (topup.prefund_minor, bought.value_minor, bought.pool_points, bought.prefund_minor) == (1_250, 1_200, 12, 50)
    assert world.ask("topup", settlement.Topup(ledger.ids.new(), 5, "bank", "x")).decision == NotFound("merchant")
    world.identities()
