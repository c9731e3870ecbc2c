"""A house in a temporary home with a small Iranian network on it, and a member who bought there for half a year."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy.commands.operator import make_key
from deploy.pages.screens import Place
from deploy.soak.house import HOST, House, idempotency_key

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BEGINNING: Final = datetime.fromisoformat("2025-03-25T08:00:00+00:00")
MONTHS: Final = 6
PHONE: Final = "+989121234567"

_SHOPS: Final = (("کافه پامنار", "کافه"), ("سوپرمارکت بهار", "خواربار"), ("فروشگاه زنجیره‌ای افق آسمان بلند", "پوشاک"))
_SILVER: Final[dict[str, Any]] = {
    "id": "silver",
    "name": {"fa": "نقره‌ای", "en": "Silver"},
    "requires": {"all": {"spend": 30_000_000, "visits": 4}},
    "benefits": [{"name": "tea", "text": {"fa": "چای رایگان با هر خرید", "en": "Free tea with every purchase"}}],
}
_GOLD: Final[dict[str, Any]] = {
    "id": "gold",
    "name": {"fa": "طلایی", "en": "Gold"},
    "requires": {"any": {"spend": 400_000_000, "points_earned": 6_000}},
}


@contextlib.contextmanager
def made(browser: Browser) -> Iterator[Place]:
    """The house, until it is left."""
    os.environ.pop("MANEX_DATABASE_URL", None)  # nobody else's database is for this
    home = Path(tempfile.mkdtemp(prefix="manex-pages-"))
    try:
        with House(home / "home", 1) as house:
            yield _furnished(house, browser)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _furnished(house: House, browser: Browser) -> Place:
    house.maker = make_key(house.url, "pages", frozenset({"maker"})).secret
    book = {"network": "pages", "mode": "test", "currency": "IRR", "exponent": 0, "face_value": 1_000}
    book |= {"points_life_days": 365, "time_zone": "Asia/Tehran", "clock": _said(BEGINNING)}
    house.book = house.done("POST", "/v1/operator/books", book, house.maker)["id"]
    shops = [_shop(house, name, category) for name, category in _SHOPS]
    ladder = {"period": {"calendar": "jalali", "length": "year"}, "tiers": [_SILVER, _GOLD], "grace_days": 10}
    _post(house, "/v1/ladders", ladder, shops[0]["key"])
    _post(house, f"/v1/operator/books/{house.book}/ladders", ladder, house.maker)
    table = {"kind": "experience", "name": {"fa": "میز کنار پنجره", "en": "The table by the window"}, "who": "tiers"}
    _post(house, "/v1/entitlements", table | {"tiers": ["silver"], "capacity": {"per_member": 3}}, shops[0]["key"])
    house.done("POST", f"/v1/operator/books/{house.book}/next-offers", {}, house.maker)
    number = _joined(house, shops[0])
    for month, visit in itertools.product(range(MONTHS), range(3)):
        _advance(house, BEGINNING + timedelta(days=month * 30 + visit * 9 + 1))
        _bought(house, shops[(month + visit) % len(shops)], number, 7_000_000 + 1_300_000 * ((month * 3 + visit) % 5))
    _advance(house, BEGINNING + timedelta(days=MONTHS * 30))
    for name, activation in (("دو برابر در عید", "auto"), ("هدیهٔ بهار", "activate")):
        _offered(house, shops[0], name, activation)
    asks = {"branch": shops[1]["branch"], "external_reference": "asks", "member": number, "points": 30, "capture": True}
    _post(house, "/v1/redemptions", asks, shops[1]["key"])
    return _place(house, browser, shops[0])


def _offered(house: House, shop: dict[str, str], name: str, activation: str) -> None:
    """An offer of the shop's for everybody who bought there."""
    rules = {"points": 1, "per_minor": 50_000}
    body = {"name": name, "audience": {"kind": "shop"}, "holdout_ppm": 10_000, "budget_points": 5_000}
    body |= {"variants": [{"name": "all", "share_ppm": 990_000, "rules": rules}], "activation": activation}
    made = _post(house, "/v1/offers", body | {"caps": {"per_member": {"times": 3}}}, shop["key"])
    _post(house, f"/v1/offers/{made['id']}/launch", {}, shop["key"])


def _shop(house: House, name: str, category: str) -> dict[str, str]:
    at = f"/v1/operator/books/{house.book}/merchants"
    id = house.done("POST", at, {"name": name, "category": category}, house.maker)["id"]
    of = f"/v1/operator/merchants/{id}"
    street = {"reference": "main", "name": "شعبهٔ مرکزی", "city": "تهران"}
    branch = house.done("POST", f"{of}/branches", street, house.maker)["id"]
    online = {"reference": "web", "name": "فروش اینترنتی", "channel": "online"}
    house.done("POST", f"{of}/branches", online, house.maker)
    key = house.done("POST", f"{of}/api-keys", {"label": "tills"}, house.maker)["secret"]
    contract = {"mode": "deferred", "credit_line_points": 1_000_000, "purchase_fee_ppm": 10_000}
    house.done("POST", f"{of}/contracts", contract | {"redemption_fee_ppm": 20_000}, house.maker)
    terms = {"points": 1, "per": 100_000, "minimum": 500_000, "categories": {"لبنیات": {"points": 2, "per": 100_000}}}
    house.done("POST", f"{of}/terms", terms, house.maker)
    return {"id": id, "branch": branch, "key": key}


def _joined(house: House, shop: dict[str, str]) -> str:
    who = {"phone": PHONE, "given_name": "سارا", "family_name": "رضایی"}
    number = str(house.done("POST", "/v1/members", who, shop["key"])["number"])
    token = house.signed_in(PHONE)
    agreed = [{"purpose": purpose, "given": True} for purpose in ("marketing", "profiling")]
    house.done("PUT", "/v1/me/consents", {"consents": agreed}, token)
    days = [{"kind": "birthday", "calendar": "jalali", "month": 12, "day": 30, "year": 1375}]
    house.done("PUT", "/v1/me/occasions", {"occasions": days}, token)
    _post(house, "/v1/me/household", {}, token)
    return number


def _bought(house: House, shop: dict[str, str], number: str, amount: int) -> None:
    halves = [("لبنیات", amount // 2), ("نان", amount - amount // 2)]
    body = {
        "branch": shop["branch"],
        "external_reference": idempotency_key(),
        "member": number,
        "total": {"amount": amount, "currency": "IRR"},
        "lines": [{"category": name, "amount": {"amount": part, "currency": "IRR"}} for name, part in halves],
    }
    _post(house, "/v1/sales", body, shop["key"])


def _place(house: House, browser: Browser, shop: dict[str, str]) -> Place:
    base = f"http://{HOST}:{house.port}"

    def code_of(phone: str) -> str:
        house.clock()  # by a fresh connection: this one may have been idle for long
        sent = f"/v1/operator/books/{house.book}/one-time-codes?phone={phone.replace('+', '%2B')}"
        return str(house.done("GET", sent, by=house.maker)["data"][0]["code"])

    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{base}/wallet/sign-in?book={house.book}")
    page.fill("#phone", PHONE)
    page.click("main button")
    page.wait_for_selector("#code")
    page.fill("#code", code_of(PHONE))
    page.click("main button.wide")
    page.wait_for_selector("#balance")
    receipt = re.findall(r"history/rec_\w+", page.content())[-1]
    cookies = context.cookies()
    context.close()
    phones = (f"+98912000{n:04}" for n in itertools.count())
    return Place(base, cookies, receipt, f"shops/{shop['id']}", code_of, phones)


def _advance(house: House, to: datetime) -> None:
    at = f"/v1/operator/books/{house.book}/test-clock"
    house.done("POST", at, {"advance_to": _said(to)}, house.maker)


def _post(house: House, path: str, body: Any, by: str) -> Any:
    return house.done("POST", path, body, by, Idempotency_Key=idempotency_key())


def _said(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
