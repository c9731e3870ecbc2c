"""What members see beside their points: tiers and what they may use, notices, what they saved, themselves, shops."""

import re
from typing import Any

import pytest

from tests.gateway.network import Api, Member, new_key
from tests.wallet_app.visitor import Visitor, number_of


@pytest.fixture
def ann(visitor: Visitor) -> Visitor:
    visitor.join(given_name="Ann", marketing="yes")
    return visitor


def bought(api: Api, who: Visitor, *amounts: int, shop: str = "cafe") -> Member:
    member = Member(api, "", number_of(who), "", "")
    for amount in amounts:
        api.sell(member, amount=amount, shop=shop)
    return member


def look(api: Api) -> None:
    """Have done what is due."""
    api.advance(api.clock().isoformat())


# -- tiers


@pytest.fixture(scope="module")
def climbing(api: Api) -> str:
    """The cafe's ladder and the network's, and something for those on the cafe's first tier."""
    silver: dict[str, Any] = {
        "id": "silver",
        "name": {"fa": "نقره‌ای", "en": "Silver"},
        "requires": {"all": {"spend": 10_000, "visits": 2}},
        "benefits": [{"name": "tea", "text": {"fa": "چای رایگان", "en": "Free tea"}}],
    }
    gold = silver | {"id": "gold", "name": {"fa": "طلایی", "en": "Gold"}, "requires": {"any": {"spend": 90_000}}}
    ladder = {"period": {"calendar": "jalali", "length": "year"}, "tiers": [silver, gold]}
    api.done("POST", "/v1/ladders", ladder, by=api.shops["cafe"].key, key=new_key())
    own = {"period": {"rolling_days": 90}, "tiers": [gold]}
    api.done("POST", f"/v1/operator/books/{api.book}/ladders", own, by=api.maker, key=new_key())
    lounge = {"kind": "experience", "name": {"fa": "سالن", "en": "Lounge"}, "who": "tiers", "tiers": ["silver"]}
    told = api.call("POST", "/v1/entitlements", lounge | {"capacity": {}}, by=api.shops["cafe"].key, key=new_key())
    assert told.status_code == 200, told.text
    return str(told.json()["id"])


def test_tiers_tell_what_is_held_and_what_is_missing(api: Api, ann: Visitor, climbing: str) -> None:
    bought(api, ann, 6_000)
    look(api)
    seen = ann.get("/wallet/standing")
    assert "No tier yet." in seen.text
    assert "$40.00 to go" in seen.text
    assert "All of these:" in seen.text
    assert 'value="60"' in seen.body
    assert "Lounge" not in seen.text
    assert "tier-line" not in ann.get("/wallet/").body
    bought(api, ann, 6_000)
    look(api)
    seen = ann.get("/wallet/standing")
    assert "Silver since" in seen.text
    assert "Free tea" in seen.text
    assert "If you buy nothing more, it ends on" in seen.text
    assert "On the way to Gold" in seen.text
    assert "Lounge" in seen.text
    assert "Silver" in ann.get("/wallet/").text
    ann.language = "fa"
    seen = ann.get("/wallet/standing")
    assert "نقره‌ای" in seen.text
    assert not re.search("[0-9]", seen.text)


def test_what_one_earned_is_nobody_elses_to_see(api: Api, ann: Visitor, climbing: str) -> None:
    bought(api, ann, 6_000, 6_000)
    look(api)
    ben = Visitor(api)
    ben.join()
    assert "Silver since" not in ben.get("/wallet/standing").text


# -- notices


def test_notices_are_told_newest_first_and_page_by_page(api: Api, ann: Visitor, climbing: str) -> None:
    assert "Nothing yet." in ann.get("/wallet/notices").text
    member = bought(api, ann, 6_000, 6_000)
    look(api)
    asked = {"branch": api.shops["cafe"].branch, "member": member.number, "points": 1, "capture": True}
    for _ in range(25):
        body = asked | {"external_reference": new_key()}
        api.done("POST", "/v1/redemptions", body, by=api.shops["cafe"].key, key=new_key())
        ann.send(ann.get("/wallet/approvals").form("/approve"))
    first = ann.get("/wallet/notices")
    assert first.text.count("A shop asked for points") == 25
    older = re.search(r'href="([^"]*from=[^"]*)"', first.body)
    assert older is not None
    second = ann.get(older[1])
    assert "You are Silver now." in second.text
    ben = Visitor(api)
    ben.join()
    assert "A shop asked" not in ben.get("/wallet/notices").text
    # a cursor is its member's own
    assert ben.get(older[1]).status == 400
    ann.language = "fa"
    assert "اکنون در سطح نقره‌ای هستید" in ann.get(older[1]).text


# -- what was saved


def test_what_was_given_and_paid_this_month_is_on_the_home_page(api: Api, ann: Visitor) -> None:
    assert '<svg class="chart"' not in ann.get("/wallet/").body
    bought(api, ann, 50_000)
    body = {"branch": api.shops["cafe"].branch, "member": number_of(ann), "points": 120, "capture": True}
    api.done(
        "POST", "/v1/redemptions", body | {"external_reference": new_key()}, by=api.shops["cafe"].key, key=new_key()
    )
    ann.send(ann.get("/wallet/approvals").form("/approve"))
    home = ann.get("/wallet/")
    assert "Given in points $5.00" in home.text
    assert "Paid with points $1.20" in home.text
    chart = re.search(r'<svg class="chart".*?</svg>', home.body)
    assert chart is not None
    assert chart[0].count("<rect") == 2
    assert chart[0].count("<text") == 6
    assert home.body.count('<th scope="row">') == 6


# -- a shop's club


def test_a_shops_page_tells_what_it_gives_and_what_is_good_there(api: Api, ann: Visitor, climbing: str) -> None:
    bought(api, ann, 6_000, 6_000)
    look(api)
    at = re.search(r'href="(/wallet/shops/mer_\w+)"><bdi>cafe', ann.get("/wallet/shops").body)
    assert at is not None
    seen = ann.get(at[1])
    assert "1 point for every $1.00 paid" in seen.text
    assert "120 points worth $1.20" in seen.text
    assert "Your tier here Silver Free tea" in seen.text
    assert "Lounge" in seen.text
    grocer = ann.get(f"/wallet/shops/{api.shops['grocer'].id}")
    assert "By the ladder of the network." in grocer.text
    assert "Lounge" not in grocer.text
    for nobody in ("mer_" + "0" * 32, "cafe", api.book):
        assert ann.get(f"/wallet/shops/{nobody}").status == 404
    ann.language = "fa"
    assert not re.search("[0-9]", ann.get(at[1]).text)


# -- oneself


def test_days_are_told_by_either_calendar_and_forgotten(api: Api, ann: Visitor) -> None:
    form = ann.get("/wallet/profile").form("/profile/occasions")
    told = ann.send(form, kind="birthday", month="jalali-12", day="30", year="۱۳۷۵")
    assert told.path == "/wallet/profile?done=occasion"
    assert "30 Esfand 1375" in told.text
    assert told.status == 200
    told = ann.send(form, kind="own", month="gregorian-6", day="5", year="", name="  Our   shop ")
    assert "Our shop" in told.text
    for fault, words in (
        ({"kind": "birthday", "month": "jalali-1", "day": "1"}, "You have told that day already"),
        ({"kind": "wedding_anniversary", "month": "jalali-7", "day": "31"}, "That month has no such day."),
        ({"kind": "wedding_anniversary", "month": "lunar-1", "day": "1"}, "Please choose a month."),
        ({"kind": "wedding_anniversary", "month": "jalali-1", "day": "1", "year": "soon"}, "Please check the year"),
        ({"kind": "own", "month": "jalali-1", "day": "1"}, "Another day needs a name"),
    ):
        refused = ann.send(form, **fault)
        assert refused.status == 422, fault
        assert words in refused.text
    ann.language = "fa"
    seen = ann.get("/wallet/profile")
    assert "۳۰ اسفند ۱۳۷۵" in seen.text
    assert not re.search("[0-9]", seen.text)
    ann.language = "en"
    gone = re.search(r'name="which" value="(birthday [^"]*)"', seen.body)
    assert gone is not None
    assert "30 Esfand" not in ann.post("/wallet/profile/occasions/remove", {"which": gone[1]}).text
    ben = Visitor(api)
    ben.join()
    assert "Our shop" not in ben.get("/wallet/profile").text


def test_all_that_is_kept_is_a_file_behind_a_code(api: Api, ann: Visitor) -> None:
    bought(api, ann, 5_000)
    page = ann.send(ann.get("/wallet/profile").form("/profile/export/code"))
    form = page.form("/profile/export")
    assert ann.send(form, code="000000").status == 403
    told = ann.send(form, code=ann.code_of(ann.phone))
    assert told.headers["content-type"] == "application/json"
    assert told.headers["content-disposition"].startswith("attachment")
    assert told.headers["cache-control"] == "no-store"
    assert '"given_name": "Ann"' in told.body


def test_another_number_is_proven_by_both_and_signs_out_elsewhere(api: Api, ann: Visitor) -> None:
    there, new = Visitor(api, phone=ann.phone), Visitor(api)
    there.sign_in()
    profile = ann.get("/wallet/profile")
    assert ann.send(profile.form("/profile/phone/codes"), phone="call me").status == 422
    page = ann.send(profile.form("/profile/phone/codes"), phone=new.phone)
    form = page.form("/profile/phone")
    assert ann.send(form, code="000000", new_code=ann.code_of(new.phone)).status == 403
    done = ann.send(form, code=ann.code_of(ann.phone), new_code=ann.code_of(new.phone))
    assert done.path == "/wallet/profile?done=phone"
    assert there.get("/wallet/").path.startswith("/wallet/sign-in")
    assert new.sign_in().path == "/wallet/"


# -- offers


def offered(api: Api, activation: str, name: str) -> None:
    """An offer of the cafe's to everybody who bought there, but for one in a hundred."""
    cafe = api.shops["cafe"].key
    rules = {"points": 1, "per_minor": 50, "minimum_minor": 200}
    body = {"name": name, "audience": {"kind": "shop"}, "holdout_ppm": 10_000, "budget_points": 500}
    body |= {"variants": [{"name": "all", "share_ppm": 990_000, "rules": rules}], "activation": activation}
    made = api.done("POST", "/v1/offers", body | {"caps": {"per_member": {"times": 2}}}, by=cafe, key=new_key())
    api.done("POST", f"/v1/offers/{made['id']}/launch", {}, by=cafe, key=new_key())


def test_an_offer_is_activated_in_the_wallet_and_counts_from_then_on(api: Api, ann: Visitor) -> None:
    member = bought(api, ann, 1_000)
    assert "No offer for you" in ann.get("/wallet/offers").text
    offered(api, "auto", "By itself")
    while (page := ann.get("/wallet/offers")).body.count("/activate") < 1:
        offered(api, "activate", "Spring <b>present</b>")  # whoever is held out is offered another
    assert "Spring <b>present</b>" in page.text
    assert "2 more times" in page.text
    assert "1 point for every $0.50 paid" in page.text
    assert "On baskets of $2.00 or more." in page.text
    form = page.form("/activate")
    done = ann.send(form)
    assert "Activated." in done.text
    assert ann.send(form).status == 200, "sent twice it is done once"
    assert "/activate" not in done.body
    sold = api.sell(member, 1_000)
    assert {bonus["points"] for bonus in sold["earn"]["bonuses"]} == {20}
    assert "1 more time" in ann.get("/wallet/offers").text
    assert "Offers" in ann.get("/wallet/").text
    ann.language = "fa"
    assert "پیشنهادها" in (seen := ann.get("/wallet/offers").text)
    assert not re.search("[0-9]", seen)


# -- what is likely next


def test_what_is_likely_next_is_shown_to_whoever_agreed(api: Api, ann: Visitor) -> None:
    member = bought(api, ann)
    for _ in range(3):
        lines = [{"category": "tea", "amount": {"amount": 1_000, "currency": "USD"}}]
        api.sell(member, amount=1_000, lines=lines)
    api.done("POST", f"/v1/operator/books/{api.book}/next-offers", {}, by=api.maker)
    look(api)
    assert "I agree, show me" in ann.get("/wallet/next-offers").text
    assert "Likely next" not in ann.get("/wallet/").text
    shown = ann.post("/wallet/next-offers", {"show": "yes"})
    assert "tea" in shown.text
    assert re.search(r"You (took|buy) it", shown.text)
    assert "tea" in ann.get("/wallet/").text
    ann.language = "fa"
    assert not re.search("[0-9]", ann.get("/wallet/next-offers").text)
    ann.language = "en"
    off = ann.post("/wallet/next-offers", {"show": "no"})
    assert "Turned off." in off.text
    assert "tea" not in off.text + ann.get("/wallet/").text


# -- last, for who signs in anew would have to say to which of two networks


def test_a_shop_of_another_network_is_nowhere(api: Api, ann: Visitor) -> None:
    other = api.open_book("other-network")
    stranger = api.open_shop("stranger", other)
    assert ann.get(f"/wallet/shops/{stranger.id}").status == 404
    assert "stranger" not in ann.get("/wallet/shops").text
