"""Earning anywhere and spending anywhere, told on the ledger itself."""

import datetime as dt

import pytest

import ledger
from merchants import trade
from tests.world import World


@pytest.mark.row("A1")
def test_a_sale_earns_at_once_and_its_lot_says_who_owes_what(world: World) -> None:
    world.shop("cafe", points_per_dollar=2)
    world.member("ann")
    done = world.sale("ann", at="cafe", total=1_250)
    assert done.points == 25
    assert world.balance("ann") == 25
    (lot,) = world.rows("select issuer_id, funding, unit_value_minor, rule_id, sale_id, expires_at from ledger.lot")
    assert lot == (world.shops["cafe"], "deferred", 1, done.terms_id, done.id, world.book.now + dt.timedelta(days=120))


@pytest.mark.row("A1")
def test_the_same_sale_under_the_same_key_posts_once(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    sale = world.sale_of("ann", "cafe", 1_000, reference="till-1-0001")
    first = world.ask("sale", sale, key="key-of-the-sale-0001", principal=world.shops["cafe"])
    again = world.ask("sale", sale, key="key-of-the-sale-0001", principal=world.shops["cafe"])
    assert again.replayed
    assert (again.status, again.body) == (first.status, first.body)
    assert world.balance("ann") == 10


@pytest.mark.row("A1")
def test_the_same_reference_under_another_key_is_refused_with_the_sale_it_names(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    sale = world.sale_of("ann", "cafe", 1_000, reference="till-1-0001")
    first = world.do("sale", sale, principal=world.shops["cafe"])
    refused = world.ask("sale", sale, principal=world.shops["cafe"]).decision
    assert refused == ledger.errors.DuplicateReference(ledger.ids.show("sale", first.id))
    assert world.balance("ann") == 10


@pytest.mark.row("A1")
def test_a_sale_to_nobody_and_a_zero_sale_are_recorded_and_earn_nothing(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    assert world.sale(None, at="cafe", total=5_000).points == 0
    nothing = world.sale("ann", at="cafe", total=0)
    assert (nothing.points, nothing.refused) == (0, "nothing_paid")
    assert world.rows("select count(*) from merchants.sale") == [(2,)]


@pytest.mark.row("G4")
def test_a_sale_beyond_the_credit_line_is_recorded_and_earns_nothing(world: World) -> None:
    world.shop("cafe", line=15)
    world.member("ann")
    assert world.sale("ann", at="cafe", total=1_000).points == 10
    beyond = world.sale("ann", at="cafe", total=600)
    assert (beyond.points, beyond.refused) == (0, "issuing_limit_reached")
    assert world.sale("ann", at="cafe", total=500).points == 5
    assert world.account("credit", "cafe") == -15


@pytest.mark.row("G4")
def test_a_prefunded_shop_issues_what_it_bought_and_no_more(world: World) -> None:
    world.shop("cafe", mode="prefunded", bought=12)
    world.member("ann")
    assert world.sale("ann", at="cafe", total=1_000).points == 10
    assert world.sale("ann", at="cafe", total=300).refused == "issuing_limit_reached"
    assert (world.account("pool", "cafe"), world.account("mint", "cafe")) == (2, -12)
    assert world.account("backing", "cafe") == 12


@pytest.mark.row("A2")
def test_points_of_several_issuers_are_spent_soonest_expiry_first(world: World) -> None:
    for shop in ("cafe", "books", "taxi"):
        world.shop(shop)
    world.member("ann")
    world.earn("ann", "cafe", 30)
    world.later(days=1)
    world.earn("ann", "books", 20)
    held = world.redeem("ann", "taxi", 40, capture=False)
    assert [(s.issuer_id, s.points) for s in held.slices] == [(world.shops["cafe"], 30), (world.shops["books"], 10)]
    assert (world.wallet("ann").available, world.wallet("ann").held) == (10, 40)
    taken = world.capture(held, at="taxi")
    assert (taken.state, taken.points, taken.value) == ("captured", 40, 40)
    assert world.account("accepted", "taxi") == 40
    assert (world.wallet("ann").available, world.wallet("ann").held) == (10, 0)


@pytest.mark.row("A2")
def test_a_voided_hold_gives_the_very_lots_back(world: World) -> None:
    world.shop("cafe")
    world.shop("books")
    world.member("ann")
    world.earn("ann", "cafe", 30)
    held = world.hold("ann", "books", 25)
    assert world.balance("ann") == 5
    assert world.void(held, at="books").state == "voided"
    assert world.balance("ann") == 30
    assert world.refusal("capture", trade.Capture(world.shops["books"], held.id)) == "state_conflict"


@pytest.mark.row("A2")
def test_a_hold_lapses_at_its_deadline_and_is_not_captured_after(world: World) -> None:
    world.shop("cafe", hold_minutes=15)
    world.member("ann")
    world.earn("ann", "cafe", 30)
    held = world.hold("ann", "cafe", 30)
    world.advance(held.deadline)
    assert world.balance("ann") == 30
    assert world.refusal("capture", trade.Capture(world.shops["cafe"], held.id)) == "state_conflict"
    assert world.rows("select state from ledger.hold") == [("lapsed",)]


@pytest.mark.row("A2")
def test_more_than_the_wallet_holds_is_refused_and_nothing_moves(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", "cafe", 30)
    refused = world.ask("redemption", world.redemption_of("ann", "cafe", 31)).decision
    assert refused == ledger.errors.InsufficientPoints(ledger.Points(31), ledger.Points(30))
    assert world.balance("ann") == 30
    # the code was not used up by the refusal
    assert world.redeem("ann", "cafe", 30).points == 30


@pytest.mark.row("A2")
def test_a_redemption_by_value_takes_whole_points_worth_no_more(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", "cafe", 30)
    assert world.redeem("ann", "cafe", value=12).value == 12
    assert world.refusal("redemption", world.redemption_of("ann", "cafe", value=19)) == "insufficient_points"


def test_a_spend_code_counts_once_and_no_older_one_after_it(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", "cafe", 100)
    now, before = world.code("ann"), world.code("ann", steps=-1)
    world.do("redemption", world.redemption_of("ann", "cafe", 10, code=now))
    assert world.refusal("redemption", world.redemption_of("ann", "cafe", 10, code=now)) == "code_already_used"
    assert world.refusal("redemption", world.redemption_of("ann", "cafe", 10, code=before)) == "code_already_used"
    wrong = f"{(int(world.code('ann', 1)) + 1) % 1_000_000:06d}"
    assert world.refusal("redemption", world.redemption_of("ann", "cafe", 10, code=wrong)) == "consent_required"
    assert world.balance("ann") == 90


def test_a_shop_that_guesses_spend_codes_is_not_heard_for_a_while_and_the_others_are(world: World) -> None:
    world.shop("cafe")
    world.shop("thief")
    world.member("ann")
    world.earn("ann", "cafe", 100)
    right = {int(world.code("ann", step)) for step in (-1, 0, 1)}
    wrong = [f"{n:06d}" for n in range(20) if n not in right]
    for code in wrong[:5]:
        assert world.refusal("redemption", world.redemption_of("ann", "thief", 10, code=code)) == "consent_required"
    # now even the right code is not heard there, so guessing on is no use
    assert world.refusal("redemption", world.redemption_of("ann", "thief", 10)) == "otp_locked"
    assert world.redeem("ann", "cafe", 10).state == "captured"
    world.later(minutes=15)
    assert world.redeem("ann", "thief", 10).state == "captured"


def test_a_hold_pays_for_no_sale_until_it_is_captured(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", "cafe", 500)
    held = world.hold("ann", "cafe", 500)
    payments = (trade.Payment("points", ledger.Minor(500), held.id), trade.Payment("card", ledger.Minor(500)))
    assert world.refusal("sale", world.sale_of("ann", "cafe", 1_000, payments=payments)) == "state_conflict"
    world.capture(held, at="cafe")
    assert world.sale("ann", at="cafe", total=1_000, payments=payments).points == 5


def test_a_basket_paid_in_points_and_money_earns_on_the_money(world: World) -> None:
    world.shop("cafe")
    world.member("ann")
    world.earn("ann", "cafe", 500)
    paid = world.redeem("ann", "cafe", 500)
    part = trade.Payment("points", ledger.Minor(500), paid.id)
    rest = trade.Payment("card", ledger.Minor(1_500))
    done = world.sale("ann", at="cafe", total=2_000, payments=(part, rest))
    assert (done.money, done.points) == (1_500, 15)
    again = world.sale_of("ann", "cafe", 2_000, payments=(part, rest))
    assert world.refusal("sale", again) == "state_conflict"


@pytest.mark.row("A7")
def test_points_expire_at_their_time_by_a_posting_to_where_they_came_from(world: World) -> None:
    world.shop("cafe")
    world.shop("gym", mode="prefunded", bought=50)
    world.member("ann")
    world.earn("ann", "cafe", 30)
    world.earn("ann", "gym", 20)
    world.advance(world.book.now + dt.timedelta(days=120) - dt.timedelta(seconds=1))
    assert world.balance("ann") == 50
    world.later(seconds=1)
    assert world.balance("ann") == 0
    assert (world.account("credit", "cafe"), world.account("pool", "gym")) == (0, 50)
    assert world.rows("select kind, payload->>'points' from ledger.record where kind = 'expiry'") == [("expiry", "50")]


@pytest.mark.row("A7")
def test_points_that_expire_while_held_may_be_captured_until_the_deadline(world: World) -> None:
    world.shop("cafe", hold_minutes=60)
    world.member("ann")
    world.earn("ann", "cafe", 30)
    world.advance(world.book.now + dt.timedelta(days=120) - dt.timedelta(minutes=30))
    first, second = world.hold("ann", "cafe", 10), world.hold("ann", "cafe", 20)
    world.later(minutes=35)
    assert world.capture(first, at="cafe").points == 10
    world.advance(second.deadline)
    # what came back had expired meanwhile: it goes home with no grace
    assert world.wallet("ann").available == 0
    assert world.account("credit", "cafe") == -10


def test_a_contract_may_lengthen_the_life_of_points_and_never_shorten_it(world: World) -> None:
    world.shop("cafe", points_life_days=300)
    world.member("ann")
    done = world.sale("ann", at="cafe", total=1_000)
    assert done.expires_at == world.book.now + dt.timedelta(days=300)
    with pytest.raises(AssertionError, match="must be 120"):
        world.shop("books", points_life_days=30)


def test_more_lots_than_one_record_can_tell_of_are_spent_a_part_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("merchants.trade.spending.MOST_LOTS", 3)
    world.shop("cafe")
    world.member("ann")
    world.member("bob")
    for _ in range(5):
        world.earn("ann", at="cafe", points=10)
    refused = {
        kind: world.refusal(kind, body)
        for kind, body in {
            "redemption": world.redemption_of("ann", "cafe", 31),
            "voucher": world.voucher_of("ann", "cafe", 31),
            "gift": world.gift_of("ann", "bob", 31),
        }.items()
    }
    assert refused == dict.fromkeys(refused, "limit_exceeded")
    assert world.refusal("redemption", world.redemption_of("ann", "cafe", value=40)) == "limit_exceeded"
    assert world.redeem("ann", "cafe", 30).points == 30
    assert world.redeem("ann", "cafe", 20).points == 20
    assert world.audit() == []
