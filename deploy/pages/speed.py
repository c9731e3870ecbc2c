"""How soon a screen is there, whether it moves, and what it weighs, cold, on a phone of the middle range."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy.pages.screens import LANGUAGES, Place, Way

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession

#: A phone of the middle range on a mobile network, as page tests commonly have it.
CPU_SLOWER: Final = 4
DOWN_BITS: Final = 1_600_000
UP_BITS: Final = 750_000
ROUND_TRIP_MS: Final = 150
#: How long after the page's end a shift or a larger paint still counts.
SETTLED_MS: Final = 500

_WATCH: Final = """
window.seen = {lcp: 0, cls: 0};
new PerformanceObserver(l => l.getEntries().forEach(e => seen.lcp = e.startTime))
  .observe({type: 'largest-contentful-paint', buffered: true});
new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) seen.cls += e.value; }))
  .observe({type: 'layout-shift', buffered: true});
"""


class Weight(msgspec.Struct, frozen=True):
    """Bytes as they came over the line, headers included."""

    html: int
    js: int
    css: int
    total: int


class Speed(msgspec.Struct, frozen=True):
    """Medians of the rounds. `lcp_ms` is None where the browser told of no paint."""

    screen: str
    language: str
    lcp_ms: float | None
    cls: float
    weight: Weight


def measure(
    browser: Browser, place: Place, screens: Sequence[str], rounds: int, say: Callable[[str], None]
) -> list[Speed]:
    """Each screen in each language, each time in a browser that was never there."""
    found = []
    for screen in screens:
        for language in LANGUAGES:
            way = Way(screen, language, "light", 360)
            seen = [_look(browser, place, way) for _ in range(rounds)]
            paints = [lcp for lcp, _, _ in seen if lcp]
            found.append(
                Speed(
                    screen,
                    language,
                    round(statistics.median(paints)) if paints else None,
                    round(statistics.median(cls for _, cls, _ in seen), 4),
                    seen[-1][2],
                )
            )
            say(f"{screen} {language}")
    return found


def _look(browser: Browser, place: Place, way: Way) -> tuple[float, float, Weight]:
    # the worker fetches what the page has already: it would count the same bytes twice
    context = place.context(browser, way, service_workers="block")
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        line = context.new_cdp_session(page)
        sizes = _weighed(line)
        _throttle(line)
        place.go(page, way.screen)
        page.wait_for_load_state("load")
        page.wait_for_timeout(SETTLED_MS)
        seen = page.evaluate("window.seen")
        return seen["lcp"], seen["cls"], sizes()
    finally:
        context.close()


def _throttle(line: CDPSession) -> None:
    line.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWER})
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": ROUND_TRIP_MS,
            "downloadThroughput": DOWN_BITS / 8,
            "uploadThroughput": UP_BITS / 8,
        },
    )


def _weighed(line: CDPSession) -> Callable[[], Weight]:
    """Begins to weigh what comes; what it was, when asked."""
    kinds: dict[str, str] = {}
    bytes_of: dict[str, int] = {}

    def came(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def ended(event: dict[str, Any]) -> None:
        bytes_of[event["requestId"]] = round(event["encodedDataLength"])

    line.on("Network.responseReceived", came)
    line.on("Network.loadingFinished", ended)
    line.send("Network.enable")

    def told() -> Weight:
        def of(*wanted: str) -> int:
            return sum(size for id, size in bytes_of.items() if kinds.get(id) in wanted)

        return Weight(of("Document"), of("Script"), of("Stylesheet"), sum(bytes_of.values()))

    return told


def as_document(found: Sequence[Speed], rounds: int, version: str) -> dict[str, Any]:
    return {
        "browser": f"Chromium {version}",
        "profile": {
            "cpu_slower": CPU_SLOWER,
            "down_bits_a_second": DOWN_BITS,
            "up_bits_a_second": UP_BITS,
            "round_trip_ms": ROUND_TRIP_MS,
            "width": 360,
            "cache": "cold",
        },
        "rounds": rounds,
        "screens": msgspec.to_builtins(list(found)),
    }
