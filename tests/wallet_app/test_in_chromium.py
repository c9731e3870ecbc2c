"""The wallet in a real browser: every screen seen once and accessible, the till's journey with and without scripts and
network, the keyboard alone, what pages weigh and that nothing leaves the origin. One browser for all of it."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from deploy import postgres
from gateway.server import Keys
from tests.gateway.network import new_key
from tests.wallet_app.house import House, browser, served, wanted
from tests.wallet_app.visitor import Visitor, number_of

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}

#: Each screen once; each pair of language, look and width on some of them.
SCREENS = (
    ("sign-in", "fa", "light", 360),
    ("code", "en", "dark", 360),
    ("join", "fa", "dark", 1280),
    ("", "fa", "light", 360),
    ("card", "en", "dark", 1280),
    ("approvals", "fa", "dark", 360),
    ("history", "en", "light", 360),
    ("receipt", "fa", "light", 1280),
    ("gifts", "en", "dark", 360),
    ("gift", "fa", "light", 360),
    ("household", "fa", "dark", 1280),
    ("shops", "en", "light", 1280),
    ("safety", "fa", "light", 360),
    ("more", "en", "light", 360),
    ("nothing-here", "fa", "dark", 360),
    ("offline", "en", "light", 360),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def house(chromium: Browser, server: postgres.Server, template: str, server_keys: Keys) -> Iterator[House]:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_wallet template {template}")
    with served(server.dsn("manex_wallet"), server_keys) as made:
        yield made


@pytest.fixture(scope="module")
def ann(house: House) -> Visitor:
    made = Visitor(house.api)
    made.join(given_name="Ann", family_name="Lee")
    house.sell(number_of(made), 20_000)
    return made


@pytest.fixture
def context(chromium: Browser, house: House, ann: Visitor) -> Iterator[BrowserContext]:
    made = _context(chromium, house, ann)
    yield made
    made.close()


def _context(
    chromium: Browser,
    house: House,
    who: Visitor | None,
    *,
    language: str = "en",
    look: str = "light",
    width: int = 360,
    scripts: bool = True,
) -> BrowserContext:
    made = chromium.new_context(
        viewport={"width": width, "height": 740},
        color_scheme="dark" if look == "dark" else "light",
        locale="fa-IR" if language == "fa" else "en-GB",
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    made.set_default_timeout(10_000)
    if who is not None:
        made.add_cookies([{"name": n, "value": v, "url": house.base} for n, v in who.cookies.items()])
    return made


def _go(page: Page, house: House, ann: Visitor, screen: str, phone: str) -> None:
    """Bring a page to a screen, as a person gets there."""
    if screen in ("code", "join"):
        page.goto(f"{house.base}/wallet/sign-in")
        page.fill("#phone", phone)
        page.click("main button")
        if screen == "join":
            page.fill("#code", ann.code_of(phone))
            page.click("main button.wide")
            page.wait_for_selector("[name=terms]")
    elif screen == "receipt":
        page.goto(house.base + re.findall(r"/wallet/history/rec_\w+", ann.get("/wallet/history").body)[-1])
    elif screen == "gift":
        page.goto(f"{house.base}/wallet/gifts")
        page.fill("#to", "123456789012")
        page.fill("#points", "۵")
        page.click("main button.wide")
    else:
        page.goto(f"{house.base}/wallet/{screen}")


def _faults_of(page: Page) -> list[str]:
    """What the page's scripts break, and what its policy stops; filled while the page lives."""
    found: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            found.append(message.text)

    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", said)
    return found


def test_every_screen_is_accessible_and_fits(chromium: Browser, house: House, ann: Visitor) -> None:
    house.ask(number_of(ann), 5)
    axe = Axe()
    faults: list[str] = []
    for i, (screen, language, look, width) in enumerate(SCREENS):
        stranger = screen in ("sign-in", "code", "join")
        made = _context(chromium, house, None if stranger else ann, language=language, look=look, width=width)
        page = made.new_page()
        broken = _faults_of(page)
        _go(page, house, ann, screen, f"+155501002{i:02}")
        found = axe.run(page, options=RULES)
        faults += [
            f"{screen or 'home'} {language} {look} {width}: {v['id']} {[n['html'][:120] for n in v['nodes']][:3]}"
            for v in found.response["violations"]
        ]
        faults += [f"{screen}: {said}" for said in broken]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append(f"{screen or 'home'} {language} {look}: wider than {width}")
        made.close()
    assert faults == []


def test_the_till_without_scripts(chromium: Browser, house: House, ann: Visitor) -> None:
    """The card is shown and earns; the shop asks, and the answer is two pages away."""
    number = number_of(ann)
    made = _context(chromium, house, ann, scripts=False)
    page = made.new_page()
    page.goto(f"{house.base}/wallet/")
    page.click("text=Show my card")
    expect(page.locator(".number")).to_have_text(" ".join(number[i : i + 4] for i in (0, 4, 8)))
    house.sell(number, 3_000, "grocer")
    house.ask(number, 7)
    page.click("nav >> text=Home")
    page.locator("article", has_text="7 points").get_by_role("button", name="Approve").click()
    expect(page.locator("main [role=status]").first).to_contain_text("Approved")
    made.close()


def test_the_till_with_scripts_live_offline_and_cold(context: BrowserContext, house: House, ann: Visitor) -> None:
    """The phone makes codes, a till takes one; what changes is seen without asking; with no network the card still is."""
    number = number_of(ann)
    page = context.new_page()
    page.goto(f"{house.base}/wallet/card")
    page.click("#codes-enrol")
    expect(page.locator("#spend-code")).to_have_text(re.compile(r"\d{3} \d{3}"))
    code = (page.text_content("#spend-code") or "").replace(" ", "")
    page.goto(f"{house.base}/wallet/")
    page.wait_for_selector("html[data-live=on]")
    before = page.text_content("#balance .amount bdi")
    body = {
        "branch": house.api.shops["cafe"].branch,
        "external_reference": new_key(),
        "member": number,
        "spend_code": code,
        "points": 3,
        "capture": True,
    }
    cafe = house.api.shops["cafe"].key
    # two tills, one code: one of them has it
    twins = [
        house.api.call("POST", "/v1/redemptions", body | {"external_reference": new_key()}, by=cafe, key=new_key())
        for _ in range(2)
    ]
    assert sorted(answer.status_code for answer in twins) == [200, 409]
    expect(page.locator("#balance .amount bdi")).not_to_have_text(before or "")
    house.ask(number, 4)
    expect(page.locator("#asked")).to_contain_text("4 points")
    # the worker keeps the card once it has seen it
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()
    page.goto(f"{house.base}/wallet/card")
    page.wait_for_function("caches.match(location.origin + '/wallet/card').then(Boolean)")
    page.close()
    context.set_offline(True)
    cold = context.new_page()
    cold.goto(f"{house.base}/wallet/card")
    expect(cold.locator(".number")).to_contain_text(number[:4])
    expect(cold.locator("#spend-code")).to_have_text(re.compile(r"\d{3} \d{3}"))
    cold.goto(f"{house.base}/wallet/history")
    expect(cold.locator("h1")).to_contain_text("اینترنت")
    context.set_offline(False)
    # whoever signs out leaves nothing behind
    cold.goto(f"{house.base}/wallet/more")
    cold.click("text=Sign out")
    expect(cold.locator("h1")).to_contain_text("Sign in")
    assert cold.evaluate("caches.match(location.origin + '/wallet/card').then(Boolean)") is False
    ann.sign_in()


def test_the_keyboard_alone_signs_in_and_locks(chromium: Browser, house: House, ann: Visitor) -> None:
    made = _context(chromium, house, None, width=1280)
    page = made.new_page()
    page.goto(f"{house.base}/wallet/sign-in")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#phone")).to_be_focused()
    page.keyboard.type(ann.phone)
    page.keyboard.press("Enter")
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(ann.code_of(ann.phone))
    page.keyboard.press("Enter")
    page.wait_for_selector("#balance")
    page.goto(f"{house.base}/wallet/safety")
    lock = page.get_by_role("button", name="Lock my points")
    for _ in range(15):
        page.keyboard.press("Tab")
        if lock.evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("main [role=status]").first).to_contain_text("Locked")
    page.get_by_role("button", name="Unlock my points").click()
    page.wait_for_url("**done=unlocked")
    made.close()


def test_pages_are_light_stay_here_and_stand_still(context: BrowserContext, house: House) -> None:
    page = context.new_page()
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach(e => window.moved += e.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    for screen in ("", "card", "history", "safety"):
        page.goto(f"{house.base}/wallet/{screen}")
        page.wait_for_load_state("load")
        assert page.evaluate("window.moved") < 0.1, screen
    assert {request.url.split("/wallet/")[0] for request in asked} == {house.base}
    site = house.api.client.get("/wallet/sign-in").text
    version = re.findall(r"/wallet/static/(\w+)/", site)[0]
    weights = {}
    for name in ("manex.css", "app.js", "codes.js", "keep.js", "live.js"):
        answer = house.api.client.get(f"/wallet/static/{version}/{name}", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]
        weights[name] = int(answer.headers["content-length"])
    assert weights.pop("manex.css") < 40_000
    assert sum(weights.values()) < 70_000


def test_it_can_be_installed(context: BrowserContext, house: House) -> None:
    manifest = house.api.client.get("/wallet/manifest.webmanifest").json()
    assert manifest["start_url"] == "/wallet/"
    for icon in manifest["icons"]:
        picture = house.api.client.get(icon["src"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}


def test_where_there_is_no_chromium_nothing_is_skipped_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        wanted()
    monkeypatch.setenv("CI", "false")
    with pytest.raises(pytest.skip.Exception):
        wanted()
