"""Templates: escaped by default, strict about what they are told, speaking one language each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup, escape

import ledger
from gateway.web import languages
from gateway.web.languages import Language

#: What finds the words of templates; the same for whoever gathers them for a translator.
EXTENSIONS: Final = ("jinja2.ext.i18n",)


def environments(
    folders: Sequence[Path], known: Mapping[str, Language], globals: Mapping[str, Any]
) -> dict[str, jinja2.Environment]:
    """An environment for each language; a later folder's templates come before an earlier one's."""
    loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(folder / "templates") for folder in reversed(folders)])
    found = {}
    for code, language in known.items():
        env = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=EXTENSIONS,
            auto_reload=False,
        )
        env.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
        env.globals |= {"language": language, "now_utc": lambda: datetime.now(UTC), **globals}
        env.filters |= _filters(language)
        found[code] = env
    return found


def _filters(language: Language) -> dict[str, Any]:
    def money(minor: int, book: ledger.Book) -> Markup:
        return bdi(language.money(minor, book.currency, book.exponent))

    def day(at: datetime, book: ledger.Book) -> Markup:
        year = not language.same_year(at, book.now, book.time_zone)
        return _time(at, language.day(at, book.time_zone, year))

    def on(at: date, book: ledger.Book, before: bool = False) -> Markup:
        """A calendar's day, or the day before it: the last one of what ends before it."""
        at -= timedelta(days=before)
        today = book.now.astimezone(ZoneInfo(book.time_zone)).date()
        told = language.calendar_day(at, language.year_of(at) != language.year_of(today))
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), told)

    def moment(at: datetime, book: ledger.Book) -> Markup:
        year = not language.same_year(at, book.now, book.time_zone)
        told = f"{language.day(at, book.time_zone, year)}، " if language.code == "fa" else ""
        told = told or f"{language.day(at, book.time_zone, year)}, "
        return _time(at, told + language.clock(at, book.time_zone))

    def clock(at: datetime, book: ledger.Book) -> Markup:
        return _time(at, language.clock(at, book.time_zone))

    def left(at: datetime, book: ledger.Book) -> int:
        return languages.days_until(at, book.now, book.time_zone)

    return {
        "number": language.number,
        "digits": language.digits,
        "money": money,
        "day": day,
        "date": on,
        "moment": moment,
        "clock": clock,
        "days_left": left,
        "month_of": lambda at: language.calendar_day(at).partition(" ")[2],
        "month": lambda at, book: language.month(at, book.time_zone),
        "code": code,
        "say": language.gettext,
        "grouped": grouped,
    }


def bdi(text: str) -> Markup:
    """Text that keeps its own direction, whatever stands around it."""
    return Markup("<bdi>{}</bdi>").format(text)


def code(text: str) -> Markup:
    """A code that is read out or typed: Latin, left to right."""
    return Markup('<bdi dir="ltr" class="code">{}</bdi>').format(text)


def grouped(number: str) -> str:
    """Digits in fours, to be read out."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def _time(at: datetime, told: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(escape(at.isoformat()), told)
