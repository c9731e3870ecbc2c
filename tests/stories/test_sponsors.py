"""Sponsors and the network give points at shops' sales: out of budgets, as lots of their own, with debts of their own."""

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import ledger
from deploy.house import House
from merchants import contracts, people, safety, trade
from tests.audit.story import close, window
from tests.world import SPEND_KEY, World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A cafe on credit, a prefunded bakery; a prefunded bank and the network on credit; all proven after each story."""
    world.shop("cafe", mode="deferred", purchase_fee_ppm=10_000, redemption_fee_ppm=20_000)
    world.shop("bakery", mode="prefunded", bought=10_000, redemption_fee_ppm=15_000)
    world.sponsor("bank", mode="prefunded", bought=10_000)
    world.sponsor("network", kind="network", mode="deferred", line=1_000)
    world.member("ann")
    world.member("bob")
    yield world
    assert world.audit() == []


def parts(done: trade.SaleDone) -> list[tuple[int, str | None]]:
    return [(bonus.points, bonus.refused) for bonus in done.bonuses]


def suspend(town: World, shop: str) -> None:
    town.do("merchant_suspend", safety.Act(town.shops[shop], town.operator, "a story"))


def resume(town: World, shop: str) -> None:
    town.do("merchant_resume", safety.Act(town.shops[shop], town.operator, "a story"))


def debts(world: World) -> list[tuple[object, ...]]:
    names = {id: name for name, id in world.shops.items()}
    return [
        (names[creditor], points, remaining)
        for creditor, points, remaining in world.rows(
            "select creditor_id, points, remaining from ledger.debt order by batch_id, n, id"
        )
    ]


# -- budgets


@pytest.mark.parametrize(("mode", "home"), [("prefunded", "pool"), ("deferred", "credit"), ("closed_loop", "own")])
def test_a_budget_is_set_aside_where_its_sponsor_issues_from_and_goes_back_there(
    town: World, mode: str, home: str
) -> None:
    town.sponsor("club", mode=mode, bought=1_000 if mode == "prefunded" else 0)
    before = town.account(home, "club")
    given = town.sponsorship("club", budget=300)
    assert (town.budget(given), town.account(home, "club")) == (300, before - 300)
    assert town.audit() == []
    assert town.change_budget(given, 200) == 500
    assert town.change_budget(given, -100) == 400
    bought = town.sale("ann", "cafe", 10_000)
    assert parts(bought) == [(100, None)]
    assert (town.budget(given), town.account(home, "club")) == (300, before - 400), "an earn leaves the home alone"
    assert town.end(given).budget_points == 0
    assert (town.budget(given), town.account(home, "club")) == (0, before - 100)
    town.refund(bought)
    assert (town.budget(given), town.account(home, "club")) == (0, before), "and what comes back goes home"


def test_what_a_budget_may_not_take(town: World) -> None:
    assert town.refusal("sponsorship", town.sponsorship_of("bank", budget=10_001)) == "limit_exceeded"
    assert town.refusal("sponsorship", town.sponsorship_of("network", budget=1_001)) == "limit_exceeded"
    given = town.sponsorship("network", budget=900)
    more = contracts.ChangeBudget(given.merchant_id, given.id, 101)
    assert town.refusal("sponsorship_budget", more) == "limit_exceeded"
    less = contracts.ChangeBudget(given.merchant_id, given.id, -901)
    assert town.refusal("sponsorship_budget", less) == "limit_exceeded"
    assert (town.budget(given), town.account("credit", "network")) == (900, -900)
    town.end(given)
    assert (
        town.refusal("sponsorship_budget", contracts.ChangeBudget(given.merchant_id, given.id, 1)) == "state_conflict"
    )
    assert town.refusal("sponsorship_end", contracts.EndSponsorship(given.merchant_id, given.id)) == "state_conflict"


def test_a_budget_that_was_set_aside_is_there_whatever_becomes_of_the_credit_line(town: World) -> None:
    given = town.sponsorship("network", budget=1_000)
    town.do("contract", contracts.NewContract(town.shops["network"], "deferred", credit_line_points=10))
    assert parts(town.sale("ann", "cafe", 10_000)) == [(100, None)]
    more = contracts.ChangeBudget(given.merchant_id, given.id, 1)
    assert town.refusal("sponsorship_budget", more) == "limit_exceeded"
    assert town.change_budget(given, -900) == 0


def test_a_sponsorship_asked_for_in_anothers_name_is_not_found_and_leaves_no_account(town: World) -> None:
    """The audit, after the story, knows a budget only of the sponsor whose sponsorship it is of."""
    given = town.sponsorship("bank", budget=10)
    stranger = town.shops["network"]
    assert town.refusal("sponsorship_budget", contracts.ChangeBudget(stranger, given.id, 5)) == "not_found"
    assert town.refusal("sponsorship_end", contracts.EndSponsorship(stranger, given.id)) == "not_found"
    assert town.rows("select owner_id from ledger.account where kind = 'budget'") == [(town.shops["bank"],)]


def test_who_may_sponsor_and_how(town: World) -> None:
    def code(by: str, at: list[str] | None = None, **more: object) -> str:
        return town.refusal("sponsorship", town.sponsorship_of(by, at, **more))  # type: ignore[arg-type]

    now = town.book.now
    assert code("cafe") == "state_conflict", "a shop gives at its own sales"
    assert code("bank", points=101, per_minor=100) == "validation_failed"
    assert code("bank", []) == "validation_failed"
    assert code("bank", ["cafe", "cafe"]) == "validation_failed"
    assert code("bank", ["bank"]) == "validation_failed"
    assert code("bank", ends=now) == "validation_failed"
    suspend(town, "bank")
    assert code("bank") == "state_conflict"
    resume(town, "bank")
    with town.house.db.tx("door") as tx:
        bare = contracts.add_merchant(tx, town.book, "bare", "sponsor", None, now)
    assert isinstance(bare, contracts.Merchant)
    town.shops["bare"] = bare.id
    assert code("bare") == "state_conflict", "without a contract"
    strange = contracts.NewSponsorship(ledger.ids.new(), None, {"points": 1, "per_minor": 100})
    assert town.refusal("sponsorship", strange) == "not_found"


def test_sponsorships_are_not_without_number(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts.sponsorships, "LARGEST_OPEN", 5)
    monkeypatch.setattr(contracts.sponsorships, "LARGEST_AT_SHOP", 3)
    town.sponsorship("bank")
    first = town.sponsorship("bank", ["cafe"])
    town.sponsorship("network", ["cafe", "bakery"])
    assert town.refusal("sponsorship", town.sponsorship_of("bank", ["bakery", "cafe"])) == "limit_exceeded"
    assert town.refusal("sponsorship", town.sponsorship_of("bank")) == "limit_exceeded", "the cafe is every shop too"
    town.sponsorship("bank", ["bakery"])
    town.end(first)
    town.sponsorship("bank", ["cafe"])
    with town.house.db.tx("door") as tx:
        assert len(contracts.list_sponsorships(tx, town.book, town.shops["bank"])) == 4
    monkeypatch.setattr(contracts.sponsorships, "LARGEST_AT_SHOP", 9)
    town.sponsorship("bank", ["bakery"])
    assert town.refusal("sponsorship", town.sponsorship_of("bank", ["bakery"])) == "limit_exceeded"


# -- giving


def test_beside_the_shops_own_lot_each_sponsorship_gives_one_of_its_sponsors(town: World) -> None:
    town.sponsor("card", mode="deferred", points_life_days=400)
    bank = town.sponsorship("bank", ["cafe"], budget=500)
    card = town.sponsorship("card", budget=500, points=2)
    town.sponsorship("network", ["bakery"], budget=500)
    bought = town.sale("ann", "cafe", 10_000)
    assert (bought.points, bought.available) == (400, 400)
    assert parts(bought) == [(100, None), (200, None)]
    names = {id: name for name, id in town.shops.items()}
    lots = town.rows("select issuer_id, funding, points, rule_id, sale_id, expires_at from ledger.lot order by id")
    soon, late = (town.book.now + dt.timedelta(days=days) for days in (120, 400))
    assert [(names[issuer], *facts) for issuer, *facts in lots] == [
        ("cafe", "deferred", 100, bought.terms_id, bought.id, soon),
        ("bank", "prefunded", 100, bank.id, bought.id, soon),
        ("card", "deferred", 200, card.id, bought.id, late),
    ]
    assert [(b.lot_id, b.expires_at) for b in bought.bonuses] == [
        row[:2]
        for row in town.rows("select id, expires_at from ledger.lot where rule_id <> %s order by id", bought.terms_id)
    ]
    (told,) = town.rows("select payload -> 'points', payload -> 'bonuses' from ledger.record where kind = 'sale'")
    assert told[0] == 400
    assert [(b["points"], b["refused"]) for b in told[1]] == [(100, None), (200, None)]


def test_a_bonus_is_given_whole_or_not_at_all(town: World) -> None:
    given = town.sponsorship("bank", budget=150)
    assert parts(town.sale("ann", "cafe", 10_000)) == [(100, None)]
    short = town.sale("ann", "cafe", 10_000)
    assert (short.points, parts(short)) == (100, [(0, "budget_too_small")])
    assert parts(town.sale("ann", "cafe", 5_000)) == [(50, None)]
    assert parts(town.sale("ann", "cafe", 100)) == [(0, "budget_too_small")]
    assert (town.budget(given), town.balance("ann")) == (0, 100 + 100 + 50 + 1 + 100 + 50)
    town.change_budget(given, 1)
    assert parts(town.sale("ann", "cafe", 100)) == [(1, None)]


def test_a_shop_that_has_run_dry_does_not_stop_a_sponsor_nor_one_sponsor_another(town: World) -> None:
    town.shop("kiosk", mode="deferred", line=50)
    town.sponsorship("bank", budget=10)
    town.sponsorship("network", budget=500)
    bought = town.sale("ann", "kiosk", 10_000)
    assert (bought.points, bought.refused, bought.lot_id) == (100, "issuing_limit_reached", None)
    assert parts(bought) == [(0, "budget_too_small"), (100, None)]
    back = town.refund(bought, 5_000)
    assert (back.points, back.returned) == (50, 50)


def test_who_is_suspended_gives_nothing(town: World) -> None:
    town.sponsorship("bank", budget=500)
    town.sponsorship("network", budget=500)
    suspend(town, "bank")
    bought = town.sale("ann", "cafe", 1_000)
    assert (bought.points, parts(bought)) == (20, [(0, "merchant_suspended"), (10, None)])
    suspend(town, "cafe")
    bought = town.sale("ann", "cafe", 1_000)
    assert (bought.points, bought.refused, parts(bought)) == (0, "merchant_suspended", []), "nor do its sponsors"
    resume(town, "bank")
    assert parts(town.sale("ann", "bakery", 1_000)) == [(10, None), (10, None)]


def test_sales_that_earn_nothing_of_a_sponsor(town: World) -> None:
    town.sponsorship(
        "bank", budget=500, minimum_minor=500, cap_points=20, categories={"FUEL": {"points": 0, "per_minor": 1}}
    )
    assert parts(town.sale(None, "cafe", 10_000)) == [], "to nobody we know"
    assert parts(town.sale("ann", "cafe", 0)) == []
    assert parts(town.sale("ann", "cafe", 499)) == []
    fuel = (trade.Line(ledger.Minor(2_000), "FUEL"),)
    assert parts(town.sale("ann", "cafe", 2_000, lines=fuel)) == []
    assert parts(town.sale("ann", "cafe", 900_000)) == [(20, None)]
    paid = town.redeem("ann", "cafe", 20)
    points = (trade.Payment("points", paid.value, paid.id), trade.Payment("card", ledger.Minor(1_000)))
    assert parts(town.sale("ann", "cafe", 1_020, payments=points)) == [(10, None)], "of the money part"


def test_a_sponsorship_has_its_time(town: World) -> None:
    now, day = town.book.now, dt.timedelta(days=1)
    given = town.sponsorship("bank", budget=500, begins=now + day, ends=now + 3 * day)
    assert parts(town.sale("ann", "cafe", 1_000)) == []
    town.advance(now + day)
    assert parts(town.sale("ann", "cafe", 1_000)) == [(10, None)]
    town.advance(now + 3 * day - dt.timedelta(seconds=1))
    assert parts(town.sale("ann", "cafe", 1_000)) == [(10, None)]
    pool = town.account("pool", "bank")
    town.advance(now + 4 * day)
    assert parts(town.sale("ann", "cafe", 1_000)) == []
    assert (town.budget(given), town.account("pool", "bank")) == (0, pool + 480), "what is left goes back by itself"
    assert town.rows("select state, ended_at from merchants.sponsorship") == [("ended", now + 3 * day)]
    assert town.refusal("sponsorship_end", contracts.EndSponsorship(given.merchant_id, given.id)) == "state_conflict"


def test_a_quote_tells_what_a_sale_then_gives(town: World) -> None:
    town.sponsorship("bank", budget=150)
    town.sponsorship("network", budget=500, points=2)
    for total in (10_000, 10_000, 4_900):
        with town.house.db.tx("door") as tx:
            book = ledger.read_book(tx, town.book_id)
            network = town.house.networks.of(tx, book)
            member = people.find(tx, book, id=town.members["ann"])
            quoted = trade.quote(tx, book, network, town.shops["cafe"], (), ledger.Minor(total), member)
        bought = town.sale("ann", "cafe", total)
        assert (quoted.points, quoted.refused) == (bought.points, bought.refused)
        assert [(b.giver_id, b.points, b.refused) for b in quoted.bonuses] == [
            (b.giver_id, b.points, b.refused) for b in bought.bonuses
        ]


# -- refunds


def test_each_lot_gives_back_its_own_share_however_the_refund_is_sliced(town: World) -> None:
    town.sponsorship("bank", budget=5_000, points=3, per_minor=700)
    bought = town.sale("ann", "cafe", 1_099)
    assert (bought.points - parts(bought)[0][0], parts(bought)) == (10, [(4, None)])
    taken: list[tuple[int, ...]] = []
    refunded = 0
    for amount in (100, 100, 399, 499, 1):
        refunded += amount
        done = town.refund(bought, amount)
        taken.append(tuple(part.points for part in done.parts))
        assert [sum(column) for column in zip(*taken, strict=True)] == [10 * refunded // 1_099, 4 * refunded // 1_099]
        assert done.points == sum(taken[-1]) == done.returned
    assert town.balance("ann") == 0
    assert town.rows("select points_taken_back from merchants.sale") == [(14,)]
    assert town.rows("select points, taken_back, returned from merchants.bonus") == [(4, 4, 4)]


def test_what_was_spent_is_owed_to_the_issuer_of_each_lot_and_repaid_to_it(town: World) -> None:
    town.sponsorship("bank", budget=1_000)
    bought = town.sale("ann", "cafe", 10_000)
    town.redeem("ann", "bakery", 130)
    done = town.refund(bought, 5_000)
    assert [(p.points, p.returned, p.owed) for p in done.parts] == [(50, 0, 50), (50, 50, 0)]
    assert (done.points, done.returned, done.owed) == (100, 50, 50)
    done = town.refund(bought, 5_000)
    assert [(p.points, p.returned, p.owed) for p in done.parts] == [(50, 0, 50), (50, 20, 30)]
    assert debts(town) == [("cafe", 50, 50), ("cafe", 50, 50), ("bank", 30, 30)]
    assert (town.owed("ann", "cafe"), town.owed("ann", "bank")) == (100, 30)
    assert town.rows("select points, taken_back, returned from merchants.bonus") == [(100, 100, 70)]
    bakery = town.sale("ann", "bakery", 6_000)  # sixty of the shop, and as many of the bank
    assert (bakery.points, bakery.available) == (120, 0)
    assert debts(town) == [("cafe", 50, 0), ("cafe", 50, 0), ("bank", 30, 10)]
    assert (town.account("accepted", "cafe"), town.account("accepted", "bank")) == (100, 20)
    window(town, 1)
    assert (town.account("accepted", "cafe"), town.account("accepted", "bank")) == (0, 0), (
        "a sponsor settles like a shop"
    )


def test_two_bonuses_of_one_sponsor_at_one_sale_are_one_debt(town: World) -> None:
    town.sponsorship("bank", budget=1_000)
    town.sponsorship("bank", budget=1_000, points=2)
    bought = town.sale("ann", "cafe", 1_000)
    town.redeem("ann", "bakery", 40)
    done = town.refund(bought)
    assert [(p.points, p.owed) for p in done.parts] == [(10, 10), (10, 10), (20, 20)]
    assert debts(town) == [("cafe", 10, 10), ("bank", 30, 30)]


def test_a_sponsors_expired_points_count_as_returned_once(town: World) -> None:
    town.shop("club", mode="deferred", points_life_days=400)
    town.sponsorship("bank", budget=1_000)
    bought = town.sale("ann", "club", 10_000)
    town.redeem("ann", "bakery", 30)  # the bank's go first
    town.later(days=130)
    assert town.balance("ann") == 100
    done = town.refund(bought, 5_000)
    assert [(p.points, p.returned, p.owed) for p in done.parts] == [(50, 50, 0), (50, 50, 0)]
    done = town.refund(bought, 5_000)
    assert [(p.points, p.returned, p.owed) for p in done.parts] == [(50, 50, 0), (50, 20, 30)]
    assert debts(town) == [("bank", 30, 30)]


def test_of_all_that_a_sale_brings_the_soonest_to_expire_repays_first(town: World) -> None:
    town.shop("club", mode="deferred", points_life_days=400)
    bought = town.sale("ann", "cafe", 1_000)
    town.redeem("ann", "bakery", 10)
    town.refund(bought)
    town.sponsorship("bank", budget=1_000)
    arrived = town.sale("ann", "club", 500)
    assert (arrived.points, arrived.available, town.owed("ann", "cafe")) == (10, 0, 0)
    again = town.sale("ann", "cafe", 1_000)
    town.redeem("ann", "bakery", 20)
    town.refund(again, 400)
    town.sale("ann", "club", 500)
    left = town.rows("select issuer_id, remaining from ledger.lot where remaining > 0")
    assert left == [(town.shops["club"], 2)], "the bank's five went first, then three of the club's"


# -- settlement


def test_a_window_with_a_prefunded_sponsor_the_network_on_credit_and_shops(town: World) -> None:
    bank = town.sponsorship("bank", ["cafe"], budget=3_000, points=3)
    town.sponsorship("network", budget=900, points=2)
    bought = town.sale("ann", "cafe", 20_000)
    assert (bought.points, parts(bought)) == (1_200, [(600, None), (400, None)])
    backing = town.account("backing", "bank")
    town.redeem("ann", "bakery", 1_000)
    town.redeem("ann", "cafe", 150)
    close(town, 1)
    town.house.drain(town.book_id)
    positions = dict(
        town.rows("select party_id, position_minor from settlement.position where book_id = %s", town.book_id)
    )
    assert sum(positions.values()) == 0
    owed = {
        (debtor, creditor): points
        for debtor, creditor, points in town.rows(
            "select debtor_id, creditor_id, points from settlement.bilateral where points <> 0"
        )
    }
    names = {id: name for name, id in town.shops.items()}
    assert {(names[d], names[c]): points for (d, c), points in owed.items()} == {
        ("cafe", "bakery"): 200,
        ("bank", "bakery"): 600,
        ("network", "bakery"): 200,
        ("network", "cafe"): 150,
    }
    assert positions[town.shops["bank"]] == -600
    assert positions[town.shops["network"]] == -350
    window(town, 1)
    assert (town.account("backing", "bank"), town.account("mint", "bank")) == (backing - 600, -10_000 + 600)
    assert town.account("credit", "network") == -900 + 350, "what it paid is paid; its budget and its open lots remain"
    assert town.account("position", "network", 1) == 0
    assert town.audit() == []
    town.refund(bought, 10_000)
    assert debts(town) == [("cafe", 100, 100), ("bank", 300, 300), ("network", 150, 150)]
    town.end(bank)
    window(town, 2)


def test_budgets_are_released_before_funding_or_value_may_change(town: World) -> None:
    """The hook for whatever changes a contract's mode or value: every budget of the issuer goes back where it came from."""
    first, second = town.sponsorship("bank", budget=300), town.sponsorship("bank", budget=200)
    town.sale("ann", "cafe", 1_000)

    class Change:
        exclusive = True

        def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: object) -> "Change":  # noqa: ARG002 - the protocol's
            bank = town.shops["bank"]
            self.needs = ledger.Needs(
                accounts=ledger.budgets.names(tx, book.id, [bank]) | {ledger.AccountName("pool", bank)}
            )
            return self

        def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
            drafts = ledger.budgets.release_all(working, request.actor, working.issuers[town.shops["bank"]])
            return ledger.Accepted([draft.payload["points"] for draft in drafts])

        def write(self, tx: ledger.Tx, working: ledger.Working) -> None: ...

    committer = ledger.Committer(town.url, {"change": Change()})
    done = committer.post(town.request("change", None)).decision
    committer.close()
    assert isinstance(done, ledger.Accepted)
    assert sorted(done.value) == [190, 290]
    assert (town.budget(first), town.budget(second), town.account("pool", "bank")) == (0, 0, 10_000 - 20)


# -- many at once


def test_a_budget_is_never_overspent_by_many_at_once(town: World) -> None:
    given = town.sponsorship("bank", budget=1_037)
    for i in range(8):
        town.member(f"member {i}")
    with contextlib.closing(House.open(town.url, SPEND_KEY)) as other:
        committers = (town.house.committer, other.committer)

        def buy(i: int) -> list[ledger.Outcome]:
            asked = [
                town.request("sale", town.sale_of(f"member {i}", "cafe", 1_000), principal=town.shops["cafe"])
                for _ in range(25)
            ]
            return [committers[i % 2].post(request) for request in asked]

        with ThreadPoolExecutor(8) as threads:
            outcomes = [outcome for made in threads.map(buy, range(8)) for outcome in made]
    told = Counter(
        bonus.refused
        for outcome in outcomes
        if isinstance(outcome.decision, ledger.Accepted)
        for bonus in outcome.decision.value.bonuses
    )
    assert told == {None: 103, "budget_too_small": 97}
    assert town.budget(given) == 7
    assert town.rows("select count(*), sum(points)::bigint from merchants.bonus") == [(103, 1_030)]


def test_a_refund_of_one_sale_by_many_at_once_takes_each_lot_once(town: World) -> None:
    town.sponsorship("bank", budget=1_000)
    bought = town.sale("ann", "cafe", 10_000)
    town.redeem("ann", "bakery", 120)
    with contextlib.closing(House.open(town.url, SPEND_KEY)) as other:
        committers = (town.house.committer, other.committer)

        def give_back(i: int) -> ledger.Outcome:
            asked = town.request("sale_refund", town.refund_of(bought, 1_000), principal=town.shops["cafe"])
            return committers[i % 2].post(asked)

        with ThreadPoolExecutor(8) as threads:
            done = [outcome.decision for outcome in threads.map(give_back, range(12))]
    assert sum(isinstance(decision, ledger.Accepted) for decision in done) == 10
    assert town.rows("select points, taken_back, returned from merchants.bonus") == [(100, 100, 80)]
    assert (town.owed("ann", "cafe"), town.owed("ann", "bank")) == (100, 20)


def test_what_is_sent_again_changes_nothing(town: World) -> None:
    wanted = town.sponsorship_of("bank", budget=300)
    first = town.request("sponsorship", wanted, key="open-once-and-no-more")
    sale = town.request(
        "sale", town.sale_of("ann", "cafe", 10_000), key="sell-once-and-no-more", principal=town.shops["cafe"]
    )
    outcomes = [town.house.committer.post(request) for request in (first, sale)]
    with contextlib.closing(House.open(town.url, SPEND_KEY)) as other:
        again = [other.committer.post(request) for request in (first, sale)]
    assert [outcome.body for outcome in again] == [outcome.body for outcome in outcomes]
    assert all(outcome.replayed for outcome in again)
    assert town.rows("select count(*) from merchants.sponsorship") == [(1,)]
    assert town.rows("select name like 'budget%%', balance from ledger.account where kind = 'budget'") == [(True, 200)]
    assert town.balance("ann") == 200


def test_sponsorships_come_and_go_while_shops_sell_and_refund(town: World) -> None:
    """Sales, refunds and redemptions through two committers while budgets change and sponsorships open and end."""
    for i in range(4):
        town.member(f"member {i}")
    standing = town.sponsorship("network", ["cafe"], budget=100)
    with contextlib.closing(House.open(town.url, SPEND_KEY)) as other:
        committers = (town.house.committer, other.committer)

        def trade_on(i: int) -> int:
            given = 0
            for turn in range(12):
                asked = town.request("sale", town.sale_of(f"member {i}", "cafe", 1_000), principal=town.shops["cafe"])
                sold = committers[(i + turn) % 2].post(asked).decision
                assert isinstance(sold, ledger.Accepted)
                given += sum(bonus.points for bonus in sold.value.bonuses)
                if turn % 3 == i % 3:
                    back = town.refund_of(sold.value, 333)
                    done = committers[turn % 2].post(town.request("sale_refund", back, principal=town.shops["cafe"]))
                    assert isinstance(done.decision, ledger.Accepted)
            return given

        def sponsor_on(_: int) -> int:
            for turn in range(6):
                born = town.sponsorship("bank", budget=40)
                town.ask(
                    "sponsorship_budget", contracts.ChangeBudget(standing.merchant_id, standing.id, 25 - 10 * turn)
                )
                other.committer.post(
                    town.request("sponsorship_end", contracts.EndSponsorship(born.merchant_id, born.id))
                )
            return 0

        with ThreadPoolExecutor(5) as threads:
            work = [threads.submit(trade_on, i) for i in range(4)] + [threads.submit(sponsor_on, 0)]
            given = sum(w.result() for w in work)
    assert town.rows("select coalesce(sum(points), 0)::bigint from merchants.bonus") == [(given,)]
    assert given > 0
    assert town.rows("select count(*) from merchants.sponsorship where state = 'open'") == [(1,)]
