"""A shop that has not paid in: prefund, collateral, loss fund, shares of the others, and what is unpaid."""

from collections.abc import Iterator
from uuid import UUID

import pytest

import ledger
import settlement
from ledger import Refusal
from ledger.errors import LimitExceeded, NotFound, StateConflict
from settlement.covers.waterfall import Sources
from tests.audit import failing
from tests.world import APPROVER, MAKER, World


@pytest.fixture
def mill(database_url: str) -> Iterator[World]:
    world = failing.begun(database_url)
    yield world
    assert world.audit() == []
    world.close()


def money(world: World) -> dict[str, int]:
    return {
        "prefund": world.account("prefund", "mill"),
        "collateral": world.account("collateral", "mill"),
        "loss": world.account("loss"),
        "shares": world.account("shares"),
        "position": world.account("position", "mill", 1),
        "due": world.account("due", "mill", 1),
    }


def test_each_source_gives_what_it_has_and_what_nobody_pays_is_told(mill: World) -> None:
    done = failing.cover(mill, 1, "mill")
    assert (done.owed_minor, done.paid) == (1_000, Sources(50, 250, 300, 0))
    # a tenth of what each was to receive, and no more
    assert {share.merchant_id: share.amount_minor for share in done.shares} == {
        mill.shops["cafe"]: 60,
        mill.shops["gym"]: 40,
    }
    assert done.unpaid_minor == 300
    # its own prefund alone frees points
    assert done.released_points == 50
    assert money(mill) == {"prefund": 0, "collateral": 0, "loss": 0, "shares": 0, "position": -400, "due": 950}


def test_what_is_there_is_paid_out_to_each_its_part_whoever_comes_first(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    assert failing.pay(mill, 1, "gym").amount_minor == 240  # 400 x 600 / 1,000
    assert failing.pay(mill, 1, "cafe").amount_minor == 360
    refused = failing.marked(mill, 1, merchant_id=mill.shops["cafe"])
    assert refused == LimitExceeded("position", 0, 240)


def test_marking_all_paid_says_nothing_of_who_is_covered(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    done = failing.paid(mill, 1)
    assert {(p.direction, p.amount_minor) for p in done} == {("pay_out", 360), ("pay_out", 240)}
    assert failing.paid(mill, 1) == ()
    assert money(mill)["position"] == -400
    failing.pay(mill, 1, "mill", 400)
    failing.paid(mill, 1)
    # what the others paid for it is not said to have come in
    assert (money(mill)["position"], money(mill)["due"], money(mill)["loss"]) == (0, 550, 0)


def test_a_returned_payout_is_open_again_and_stays_so_until_somebody_pays_it(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    failing.pay(mill, 1, "gym")
    back = failing.returned(mill, 1, "gym")
    assert (back.amount_minor, back.open_minor) == (240, 400)
    again = failing.asked(mill, settlement.ReturnPayment(1, failing.OPERATOR, back.payment_id, "twice"))
    assert again == StateConflict("payment", "returned")
    # other windows go on without it
    mill.settle(mill.close_window())
    assert mill.account("position", "gym", 1) == 400
    assert mill.audit() == []
    assert failing.pay(mill, 1, "gym").amount_minor == 240


def test_a_settled_window_whose_payout_comes_back_is_being_paid_again(mill: World) -> None:
    failing.pay(mill, 1, "mill")
    failing.pay(mill, 1, "cafe")
    failing.pay(mill, 1, "gym")
    state = "select state from settlement.window where book_id = %s and number = 1"
    assert mill.rows(state, mill.book_id) == [("settled",)]
    failing.returned(mill, 1, "gym")
    assert mill.rows(state, mill.book_id) == [("paying",)]
    failing.pay(mill, 1, "gym")
    assert mill.rows(state, mill.book_id) == [("settled",)]


def test_shares_are_charged_in_the_next_window_and_used_when_it_is_settled(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    number = mill.close_window()
    failing.posted(mill, number)
    assert mill.account("position", "cafe", 2) == -60
    assert mill.account("shares") == 100
    # what is not paid in yet pays nothing
    early = failing.asked(mill, settlement.Cover(1, failing.OPERATOR, mill.shops["mill"], "now"))
    assert early == StateConflict("position", "without anything more to cover it")
    failing.paid(mill, 2)
    done = failing.cover(mill, 1, "mill")
    assert (done.paid, done.shares, done.unpaid_minor) == (Sources(0, 0, 0, 100), (), 300)
    assert (mill.account("shares"), mill.account("position", "mill", 1)) == (0, -300)


def test_what_it_makes_good_goes_back_to_those_who_stood_in_and_frees_its_points(database_url: str) -> None:
    world = failing.made_good(database_url)
    try:
        assert world.account("credit", "mill") == world.account("due", "mill", 1) == 0
        assert (world.account("collateral", "mill"), world.account("loss"), world.account("shares")) == (0, 300, 0)
        received = {
            shop: sum(
                row[0]
                for row in world.rows(
                    "select e.amount from ledger.entry e join ledger.account a on a.id = e.account_id"
                    " join ledger.record r on r.batch_id = e.batch_id and r.n = e.n"
                    " where a.book_id = %s and a.owner_id = %s and a.kind = 'position'"
                    " and r.kind in ('payment', 'payment_returned')",
                    world.book_id,
                    world.shops[shop],
                )
            )
            for shop in ("cafe", "gym")
        }
        assert received == {
            "cafe": -635,
            "gym": -370,
        }  # in all they have what they were to receive, with the adjustments
        assert world.audit() == []
    finally:
        world.close()


def test_what_others_paid_frees_nothing_and_a_part_of_it_made_good_frees_its_share_rounded_down(mill: World) -> None:
    failing.cover(mill, 1, "mill")
    assert money(mill)["due"] == 950
    done = failing.pay(mill, 1, "mill", 333)
    assert (done.released_points, done.open_minor) == (333, -617)
    assert failing.pay(mill, 1, "mill", 67).open_minor == -550
    assert money(mill)["position"] == 0
    # what is borne for it and not needed any more is given back in the window that is open
    assert mill.rows(
        "select sum(value_minor)::int from settlement.item where book_id = %s and reason = 'share'", mill.book_id
    ) == [(0,)]
    assert money(mill)["due"] == 550
    failing.pay(mill, 1, "mill")
    assert money(mill) == {"prefund": 0, "collateral": 250, "loss": 300, "shares": 0, "position": 0, "due": 0}


def test_an_adjustment_is_an_item_of_the_next_window_by_two_people(mill: World) -> None:
    cafe, gym = mill.shops["cafe"], mill.shops["gym"]
    id = failing.propose(mill, 1, gym, cafe, 30)

    def decide(by: settlement.Asker, operator: int, adjustment: UUID = id) -> object:
        body = settlement.DecideAdjustment(1, UUID(int=operator), adjustment, approves=True)
        return failing.asked(mill, body, by)

    assert decide(MAKER, 1) == settlement.SelfApproval()
    assert decide(APPROVER, 2, cafe) == NotFound("adjustment")
    assert isinstance(decide(APPROVER, 2), ledger.Accepted)
    assert decide(APPROVER, 2) == StateConflict("adjustment", "decided")
    number = mill.close_window()
    with mill.house.db.tx("settlement") as tx:
        positions = {row.position.party_id: row.position for row in settlement.positions(tx, mill.book, number)}
    assert (positions[cafe].position_minor, positions[gym].position_minor) == (30, -30)
    with mill.house.db.tx("door") as tx:
        told = settlement.statements.statement(tx, mill.book, number, cafe)
        assert told is not None
        document = settlement.statements.document(told, settlement.statements.items(tx, told))
    assert settlement.statements.check(document) == []
    open = settlement.ProposeAdjustment(3, failing.OPERATOR, gym, cafe, 1, "early")
    assert failing.asked(mill, open) == StateConflict("window", "open")


def refused(world: World) -> list[tuple[str, Refusal, Refusal]]:
    mill, cafe = world.shops["mill"], world.shops["cafe"]
    ask = failing.asked

    def cover(number: int, merchant: UUID) -> Refusal:
        found = ask(world, settlement.Cover(number, failing.OPERATOR, merchant, "late"))
        assert isinstance(found, Refusal), found
        return found

    def give_back(merchant: UUID, amount: int) -> Refusal:
        found = ask(world, settlement.GiveBack(failing.OPERATOR, merchant, amount, "x"))
        assert isinstance(found, Refusal), found
        return found

    return [
        ("a window nobody has heard of", cover(9, mill), NotFound("window")),
        ("a window that is open", cover(2, mill), StateConflict("window", "open")),
        ("somebody without a position", cover(1, world.operator), NotFound("position")),
        ("somebody who has nothing to pay", cover(1, cafe), StateConflict("position", "paid")),
        ("collateral of one who owes", give_back(mill, 1), StateConflict("merchant", "owing")),
        ("collateral nobody paid in", give_back(cafe, 1), LimitExceeded("collateral", 0, 1)),
        ("collateral of nobody", give_back(world.operator, 1), NotFound("merchant")),
    ]


def test_what_is_refused(mill: World) -> None:
    for case, found, expected in refused(mill):
        assert found == expected, case
    failing.act(mill, "merchant_resume", "mill")
    late = failing.asked(mill, settlement.Cover(1, failing.OPERATOR, mill.shops["mill"], "late"))
    assert late == StateConflict("merchant", "not suspended")
