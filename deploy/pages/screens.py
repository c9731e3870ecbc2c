"""Every screen of the wallet, and how a person gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

#: What a stranger sees.
STRANGERS: Final = ("sign-in", "code", "join")
SCREENS: Final = (
    *STRANGERS,
    *("home", "card", "approvals", "history", "receipt", "notices", "standing", "next-offers", "offers"),
    *("gifts", "gift", "household", "shops", "club", "profile", "export", "new-phone", "safety", "more"),
    *("nothing-here", "offline"),
)
#: Where members are most of the time.
MAIN: Final = ("sign-in", "home", "card", "history", "receipt", "shops", "club", "standing", "profile")

LANGUAGES: Final = ("fa", "en")
LOOKS: Final = ("light", "dark")
WIDTHS: Final = (360, 1280)


class Way(NamedTuple):
    """One way of looking at a screen."""

    screen: str
    language: str
    look: str
    width: int

    def __str__(self) -> str:
        return f"{self.screen} {self.language} {self.look} {self.width}"


def every_way(screens: Sequence[str]) -> list[Way]:
    return [
        Way(screen, language, look, width)
        for screen in screens
        for language in LANGUAGES
        for look in LOOKS
        for width in WIDTHS
    ]


@dataclass(frozen=True, slots=True)
class Place:
    """A network with the wallet before it, and a member who has been there for a while."""

    base: str
    #: the member's, as Playwright has them
    cookies: Sequence[Any]
    #: paths below /wallet/
    receipt: str
    club: str
    #: the code that was sent to a telephone
    code_of: Callable[[str], str]
    #: telephones of nobody yet
    phones: Iterator[str]

    def context(self, browser: Browser, way: Way, **more: Any) -> BrowserContext:
        made = browser.new_context(
            viewport={"width": way.width, "height": 740},
            color_scheme="dark" if way.look == "dark" else "light",
            locale="fa-IR" if way.language == "fa" else "en-GB",
            reduced_motion="reduce",
            **more,
        )
        made.set_default_timeout(20_000)
        if way.screen not in STRANGERS:
            made.add_cookies(list(self.cookies))
        return made

    def go(self, page: Page, screen: str) -> None:
        """Bring a page to a screen, as a person gets there."""
        at = f"{self.base}/wallet/"
        if screen in ("code", "join"):
            phone = next(self.phones)
            page.goto(f"{at}sign-in")
            page.fill("#phone", phone)
            page.click("main button")
            page.wait_for_selector("#code")
            if screen == "join":
                page.fill("#code", self.code_of(phone))
                page.click("main button.wide")
                page.wait_for_selector("[name=terms]")
        elif screen == "gift":
            page.goto(f"{at}gifts")
            page.fill("#to", "123456789012")
            page.fill("#points", "۵")
            page.click("main button.wide")
            page.wait_for_selector("#spend_code", state="attached")
        elif screen == "export":
            page.goto(f"{at}profile")
            page.click("#export button")
            page.wait_for_selector("#code, #export [role=alert]")
        elif screen == "new-phone":
            page.goto(f"{at}profile")
            page.fill("#new-phone", next(self.phones))
            page.click("#phone button")
            page.wait_for_selector("#new_code, #phone [role=alert]")
        else:
            page.goto(at + {"home": "", "receipt": self.receipt, "club": self.club}.get(screen, screen))
