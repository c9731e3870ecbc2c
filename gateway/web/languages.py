"""How pages speak in a language: words, digits, amounts of money, dates in its calendar. Pure."""

import gettext
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from persiantools import digits
from persiantools.jdatetime import JalaliDate

from gateway.web.catalogue import later as N_
from gateway.web.catalogue import translations

CODES: Final = ("fa", "en")
DEFAULT: Final = "fa"

_GREGORIAN: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_JALALI: Final = (
    *("فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور"),
    *("مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"),
)


class Shown(NamedTuple):
    """A currency that people count in another unit than it is kept in: `per` of its own units make one of `unit`."""

    per: int
    unit: str


#: Iran keeps rial and counts toman. The words stand in the catalogue.
SHOWN: Final = {"IRR": Shown(10, N_("toman"))}

_MARKS: Final = str.maketrans({",": "٬", ".": "٫"})


@dataclass(frozen=True, slots=True)
class Language:
    """`code` is fa or en, `direction` rtl or ltr."""

    code: str
    direction: str
    words: gettext.NullTranslations

    @property
    def other(self) -> str:
        return CODES[1 - CODES.index(self.code)]

    def gettext(self, text: str) -> str:
        return self.words.gettext(text)

    def digits(self, text: str) -> str:
        """Digits and their marks as the language writes them."""
        return str(digits.en_to_fa(text.translate(_MARKS))) if self.code == "fa" else text

    def number(self, whole: int) -> str:
        # a minus sign of the language's own direction
        sign = ("\u200e\u2212" if self.code == "fa" else "\u2212") if whole < 0 else ""
        return sign + self.digits(f"{abs(whole):,}")

    def money(self, minor: int, currency: str, exponent: int) -> str:
        """An amount as people say it: in toman where the network keeps rial, with no decimals that are nought there."""
        shown = SHOWN.get(currency)
        per = (shown.per if shown else 1) * int(10**exponent)
        places = len(str(per)) - 1
        whole, rest = divmod(abs(minor), per)
        decimals = f"{rest:0{places}}" if places else ""
        if shown:
            decimals = decimals.rstrip("0")
        sign = "\u2212" if minor < 0 else ""
        amount = sign + self.digits(f"{whole:,}" + (f".{decimals}" if decimals else ""))
        if shown:
            return f"{amount} {self.gettext(shown.unit)}"
        if self.code == "fa":
            return f"{amount} {Locale('fa').currencies.get(currency, currency)}"
        symbol = Locale("en").currency_symbols.get(currency, currency)
        return f"{amount} {symbol}" if len(symbol) > 1 else f"{sign}{symbol}{amount.removeprefix(sign)}"

    def day(self, at: datetime, zone: str, year: bool = True) -> str:
        """A day in the language's calendar, its month by name."""
        return self.calendar_day(at.astimezone(ZoneInfo(zone)).date(), year)

    def calendar_day(self, here: date, year: bool = True) -> str:
        """A calendar's day."""
        if self.code == "fa":
            there = JalaliDate.to_jalali(here)  # type: ignore[no-untyped-call]
            told = f"{there.day} {_JALALI[there.month - 1]}" + (f" {there.year}" if year else "")
        else:
            told = f"{here.day} {_GREGORIAN[here.month - 1]}" + (f" {here.year}" if year else "")
        return self.digits(told)

    def short_month(self, day: date) -> str:
        """The month in which a calendar's day lies, short enough for a drawing."""
        name = self.calendar_day(day, year=False).partition(" ")[2]
        return name if self.code == "fa" else name[:3]

    def clock(self, at: datetime, zone: str) -> str:
        return self.digits(f"{at.astimezone(ZoneInfo(zone)):%H:%M}")

    def month(self, at: datetime, zone: str) -> str:
        """A month and its year."""
        return self.day(at, zone).partition(" ")[2]

    def same_year(self, one: datetime, other: datetime, zone: str) -> bool:
        here, there = (at.astimezone(ZoneInfo(zone)).date() for at in (one, other))
        return self.year_of(here) == self.year_of(there)

    def year_of(self, day: date) -> int:
        """The year of the language's calendar in which a day lies."""
        return int(JalaliDate.to_jalali(day).year) if self.code == "fa" else day.year  # type: ignore[no-untyped-call]


def days_until(at: datetime, now: datetime, zone: str) -> int:
    """How many nights lie between now and a time, on the network's calendar."""
    there, here = (t.astimezone(ZoneInfo(zone)).date() for t in (at, now))
    return max(0, (there - here) // timedelta(days=1))


def load(folders: Sequence[Path]) -> dict[str, Language]:
    """Every language, with the words of all folders."""
    return {code: Language(code, "rtl" if code == "fa" else "ltr", translations(folders, code)) for code in CODES}


def preferred(accept: str) -> str:
    """The first of ours that an Accept-Language header names; Persian where it names none."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept[:400].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        code = tag.strip().lower().partition("-")[0]
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if code in CODES and weight > 0:
            ranked.append((-weight, place, code))
    return min(ranked)[2] if ranked else DEFAULT
