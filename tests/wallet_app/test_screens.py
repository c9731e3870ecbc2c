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
    assert "Points given to you $5.00" in home.text
    assert "Paid with points $1.20" in home.text
    chart = re.search(r'<svg class="chart".*?</svg>', home.body)
    assert chart is not None
    assert chart[0].count("<rect") == 2
    assert chart[0].count("<text") == 6
    assert home.body.count('<th scope="row">') == 6
