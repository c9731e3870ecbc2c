"""Every screen every way: accessible by axe's rules, as wide as the window, nothing broken and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from deploy.errors import Refusal
from deploy.home import TREE
from deploy.pages.screens import STRANGERS, Place, Way

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

RULES: Final = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    # styles are this origin's own and in no frame: nothing has to be fetched anew
    "preload": False,
    "iframes": False,
}


class Looked(msgspec.Struct, frozen=True):
    """What was wrong with one way of looking; nothing is as it should be."""

    way: str
    faults: tuple[str, ...]


def axe() -> Any:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        raise Refusal("axe is not installed: it comes with the tests' packages") from None
    return Axe()


def look(browser: Browser, place: Place, ways: Sequence[Way]) -> Iterator[Looked]:
    """Each way in turn, in a window of its own; those that differ in the screen alone share what a browser keeps."""
    rules = axe()
    contexts: dict[object, BrowserContext] = {}
    try:
        for way in ways:
            kind = (way.screen in STRANGERS, *way[1:])
            if kind not in contexts:
                contexts[kind] = place.context(browser, way, service_workers="block")
            page = contexts[kind].new_page()
            broken = watched(page, place.base)
            place.go(page, way.screen)
            page.wait_for_load_state("load")
            yield Looked(str(way), (*violations(rules, page), *broken, *_too_wide(page, way.width)))
            page.close()
    finally:
        for context in contexts.values():
            context.close()


def violations(rules: Any, page: Page) -> list[str]:
    found = rules.run(page, options=RULES)
    return [
        f"{each['id']}: {'; '.join(node['html'][:120] for node in each['nodes'][:3])}"
        for each in found.response["violations"]
    ]


def watched(page: Page, base: str) -> list[str]:
    """What the page's scripts break, what its policy stops, what it asks of others; filled while the page lives."""
    found: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            found.append(message.text)

    def asked(request: Request) -> None:
        there = urlsplit(request.url)
        if there.scheme in ("http", "https") and f"{there.scheme}://{there.netloc}" != base:
            found.append(f"asks {request.url}")

    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", said)
    page.on("request", asked)
    return found


def _too_wide(page: Page, width: int) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} wide"] if wide > width else []


# -- what was looked at before


def version() -> str:
    """Changes with anything that pages are made of."""
    made = hashlib.sha256()
    for folder in ("wallet_app", "gateway/web", "deploy/pages"):
        for path in sorted((TREE / folder).rglob("*")):
            if path.suffix in (".py", ".html", ".css", ".js", ".po"):
                made.update(path.read_bytes())
    return made.hexdigest()[:16]


def remembered(file: Path, of: str) -> list[Looked]:
    """What an earlier run of these very pages found, of which nothing has to be looked at again; each way once."""
    if not file.exists():
        return []
    first, *rest = file.read_text().splitlines() or [""]
    if first != json.dumps({"pages": of}):
        return []
    found: dict[str, Looked] = {}
    for line in rest:
        try:
            each = msgspec.json.decode(line, type=Looked)
        except msgspec.DecodeError:
            continue  # cut off when it was killed
        if not each.faults:
            found[each.way] = each
    return list(found.values())


def begin(file: Path, of: str, known: Sequence[Looked]) -> None:
    """The file as it goes on: what is known, and nothing that was cut off."""
    lines = [json.dumps({"pages": of}), *(msgspec.json.encode(each).decode() for each in known)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def remember(file: Path, each: Looked) -> None:
    with file.open("a") as out:
        out.write(msgspec.json.encode(each).decode() + "\n")
