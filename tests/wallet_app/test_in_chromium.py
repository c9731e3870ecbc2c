"""The wallet in a real browser: every screen seen once and accessible, the till's journey with and without scripts and
network, the keyboard alone, what pages weigh and that nothing leaves the origin. One browser for all of it."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Request, expect
from typer.testing import CliRunner

from deploy import postgres
from deploy.commands import bench, soak
from deploy.errors import Refusal
from deploy.pages import matrix, screens, speed
from deploy.pages.screens import Place, Way
from gateway.server import Keys
from tests.gateway.network import new_key
from tests.wallet_app.house import House, browser, served, wanted
from tests.wallet_app.visitor import Visitor, new_phone, number_of

MOVED = (
    "window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach(e => window.moved += e.value))"
    ".observe({type: 'layout-shift', buffered: true})"
)

#: Each screen once; each pair of language, look and width on some of them. `./manex soak pages` looks every way.
SCREENS = (
    Way("sign-in", "fa", "light", 360),
    Way("code", "en", "dark", 360),
    Way("join", "fa", "dark", 1280),
    Way("home", "fa", "light", 360),
    Way("card", "en", "dark", 1280),
    Way("approvals", "fa", "dark", 360),
    Way("history", "en", "light", 360),
    Way("receipt", "fa", "light", 1280),
    Way("notices", "en", "dark", 360),
    Way("standing", "fa", "light", 360),
    Way("next-offers", "en", "light", 1280),
    Way("offers", "fa", "dark", 360),
    Way("gifts", "en", "dark", 360),
    Way("gift", "fa", "light", 360),
    Way("household", "fa", "dark", 1280),
    Way("shops", "en", "light", 1280),
    Way("club", "fa", "dark", 360),
    Way("profile", "fa", "light", 360),
    Way("export", "en", "light", 360),
    Way("new-phone", "fa", "dark", 360),
    Way("safety", "fa", "light", 360),
    Way("more", "en", "light", 360),
    Way("nothing-here", "fa", "dark", 360),
    Way("offline", "en", "light", 360),
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


@pytest.fixture
def place(house: House, ann: Visitor) -> Place:
    """The house as `./manex soak pages` and `./manex bench pages` know theirs."""
    cookies = [{"name": n, "value": v, "url": house.base} for n, v in ann.cookies.items()]
    receipt = re.findall(r"history/rec_\w+", ann.get("/wallet/history").body)[-1]
    club = f"shops/{house.api.shops['cafe'].id}"
    return Place(house.base, cookies, receipt, club, ann.code_of, iter(new_phone, ""))


def test_every_screen_is_accessible_fits_and_asks_nobody_else(
    chromium: Browser, house: House, ann: Visitor, place: Place
) -> None:
    assert [way.screen for way in SCREENS] == list(screens.SCREENS)
    pairs = {(way.language, way.look) for way in SCREENS} | {(way.look, way.width) for way in SCREENS}
    assert len(pairs | {(way.language, way.width) for way in SCREENS}) == 12
    house.climb()
    house.sell(number_of(ann), 20_000)
    house.ask(number_of(ann), 5)
    faults = [f"{each.way}: {fault}" for each in matrix.look(chromium, place, SCREENS) for fault in each.faults]
    assert faults == []


def test_what_is_wrong_with_a_screen_is_seen_and_what_was_well_is_not_looked_at_again(
    chromium: Browser, place: Place, tmp_path: Path
) -> None:
    page = chromium.new_page()
    broken = matrix.watched(page, place.base)
    page.set_content("<img src='http://127.0.0.1:9/elsewhere.png'>")
    assert any("image-alt" in fault for fault in matrix.violations(matrix.axe(), page))
    assert any("elsewhere.png" in fault for fault in broken)
    page.close()
    file = tmp_path / "seen.jsonl"
    matrix.begin(file, "these", [])
    well, wrong = matrix.Looked("home fa light 360", ()), matrix.Looked("home fa dark 360", ("no alt",))
    for each in (well, wrong):
        matrix.remember(file, each)
    file.write_text(file.read_text() + '{"way": "cut o')
    assert matrix.remembered(file, "these") == [well]
    assert matrix.remembered(file, "others") == []


@pytest.fixture
def here(chromium: Browser, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands with this browser and this house, where they would make their own."""
    monkeypatch.setenv("MANEX_HOME", str(tmp_path))
    monkeypatch.setattr("deploy.pages.chromium.opened", lambda: contextlib.nullcontext(chromium))
    monkeypatch.setattr("deploy.pages.scene.made", lambda _: contextlib.nullcontext(place))


@pytest.mark.usefixtures("here")
def test_a_screen_is_measured_on_a_slow_phone(capsys: pytest.CaptureFixture[str]) -> None:
    bench._pages(["shops"], 1, True)
    told = json.loads(capsys.readouterr().out)
    assert [(each["screen"], each["language"]) for each in told["screens"]] == [("shops", "fa"), ("shops", "en")]
    for each in told["screens"]:
        weight = each["weight"]
        assert each["lcp_ms"] > speed.ROUND_TRIP_MS
        assert weight["total"] >= weight["html"] + weight["js"] + weight["css"] > 0
        assert 0 < weight["js"] < 70_000
        assert each["cls"] < 0.1
    with pytest.raises(Refusal, match="no such screen: nowhere"):
        bench._pages(["nowhere"], 1, True)


@pytest.mark.usefixtures("here")
def test_a_screen_is_looked_at_every_way_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(screens.every_way(["offline"])) == 8
    monkeypatch.setattr("deploy.pages.screens.LOOKS", ("dark",))
    monkeypatch.setattr("deploy.pages.screens.WIDTHS", (1280,))
    asked = ["pages", "--screen", "offline"]
    first = CliRunner().invoke(soak.app, [*asked, "--json"])
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == {"looked_at": 2, "wrong": []}
    assert "2 of 2: offline en dark 1280" in first.stderr
    second = CliRunner().invoke(soak.app, asked)
    assert "of 2: " not in second.stderr, "all of it was seen"
    assert "2 ways of 2 looked at, 0 wrong" in second.stdout


def test_without_a_chromium_the_commands_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MANEX_HOME", str(tmp_path))
    with pytest.raises(Refusal, match="there is no Chromium on this machine"):
        bench._pages(["shops"], 1, True)
    said = CliRunner().invoke(soak.app, ["pages"])
    assert isinstance(said.exception, Refusal)
    assert "there is no Chromium on this machine" in str(said.exception)


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
    page.add_init_script(MOVED)
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


def test_what_a_shop_asks_lies_over_the_card_and_moves_nothing(
    context: BrowserContext, house: House, ann: Visitor
) -> None:
    page = context.new_page()
    page.add_init_script(MOVED)
    house.sell(number_of(ann), 1_000)
    house.ask(number_of(ann), 2)
    page.goto(f"{house.base}/wallet/card")
    asked = page.locator("#asked article").first
    expect(asked.get_by_role("button", name="Approve")).to_be_in_viewport()
    assert page.evaluate("window.moved") < 0.1
    asked.get_by_role("button", name="Decline").click()
    expect(page.locator("main [role=status]").first).to_contain_text("Declined")


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
