"""What pages are made of, without a network: words, numbers, dates, barcodes, pictures, what people type."""

import datetime as dt
import itertools
import re
import struct
import zlib
from pathlib import Path

import pytest
from babel.messages import pofile
from babel.messages.extract import extract_from_dir

from gateway import web
from gateway.api import shapes
from gateway.web import languages
from wallet_app import barcode, club, forms, icons, saved, standing, telling

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "gateway/web", ROOT / "wallet_app")
LANGUAGES = languages.load(FOLDERS)
FA, EN = LANGUAGES["fa"], LANGUAGES["en"]

_PLACES = re.compile(r"%\(\w+\)s|%%")


def words_of(folder: Path) -> set[str | tuple[str, ...]]:
    """Every word that the templates and the code of a folder say."""
    rules = [("**.py", "python"), ("templates/**.html", "jinja2")]
    options = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "silent": "false"}}
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(folder, rules, options_map=options, keywords=keywords)
    return {message for _, _, message, _, _ in found}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_word_has_its_persian_and_every_persian_its_word(folder: Path) -> None:
    with (folder / "words/fa.po").open("rb") as text:
        catalogue = {message.id: message for message in pofile.read_po(text, locale="fa") if message.id}
    assert catalogue.keys() == words_of(folder)
    for id, message in catalogue.items():
        said = [message.string] if isinstance(message.string, str) else list(message.string or ())
        asked = [id] if isinstance(id, str) else list(id)
        assert all(said), id
        assert not message.fuzzy, id
        for one in said:
            assert sorted(_PLACES.findall(one)) == sorted(_PLACES.findall(asked[0])), id
            assert not re.search("[يك]", one), f"Arabic letters in the Persian of {id}"
            assert " ها " not in one, f"a half-space is missing in the Persian of {id}"


@pytest.mark.parametrize(
    ("language", "minor", "currency", "exponent", "said"),
    [
        (FA, 1_500_000, "IRR", 0, "۱۵۰٬۰۰۰ تومان"),
        (FA, 15, "IRR", 0, "۱٫۵ تومان"),
        (EN, 1_500_000, "IRR", 0, "150,000 toman"),
        (EN, 123_456, "USD", 2, "$1,234.56"),
        (EN, -50, "USD", 2, "−$0.50"),
        (FA, 123_456, "USD", 2, "۱٬۲۳۴٫۵۶ دلار آمریکا"),
    ],
)
def test_money_is_said_as_people_say_it(
    language: web.Language, minor: int, currency: str, exponent: int, said: str
) -> None:
    assert language.money(minor, currency, exponent) == said


def test_days_are_of_the_languages_calendar_and_the_networks_zone() -> None:
    # half an hour before midnight in London is the next day, and the first of the year, in Tehran
    at = dt.datetime(2025, 3, 20, 23, 30, tzinfo=dt.UTC)
    assert FA.day(at, "Asia/Tehran") == "۱ فروردین ۱۴۰۴"
    assert EN.day(at, "Asia/Tehran") == "21 March 2025"
    assert EN.day(at, "UTC") == "20 March 2025"
    assert FA.clock(at, "Asia/Tehran") == "۰۳:۰۰"
    assert not FA.same_year(at, at - dt.timedelta(hours=4), "Asia/Tehran")
    assert languages.days_until(at + dt.timedelta(hours=22), at, "Asia/Tehran") == 1


@pytest.mark.parametrize(
    ("accept", "code"),
    [("", "fa"), ("en-GB,en;q=0.9", "en"), ("de,en;q=0.1,fa;q=0.5", "fa"), ("de", "fa"), ("en;q=x,fa", "fa")],
)
def test_the_language_is_the_first_of_ours_that_a_browser_names(accept: str, code: str) -> None:
    assert languages.preferred(accept) == code


def test_a_barcode_reads_back() -> None:
    assert barcode.symbols("123456789012")[0] == 105
    assert barcode.symbols("123456789012")[-1] == 106
    assert all(sum(map(int, widths)) == 11 for widths in barcode._WIDTHS[:-1])
    assert len(set(barcode._WIDTHS)) == len(barcode._WIDTHS) == 107
    # as a scanner does: the widths of bars and spaces, symbol by symbol
    drawn = barcode.svg("420958117306")
    bars = [(int(x), int(w)) for x, w in re.findall(r"M(\d+) 0h(\d+)", drawn)]
    assert bars[0][0] == 10
    widths = [bars[0][1]]
    for (x, w), (following, wide) in itertools.pairwise(bars):
        widths += [following - x - w, wide]
    read = ["".join(map(str, widths[i : i + 6])) for i in range(0, len(widths) - 7, 6)]
    values = [barcode._WIDTHS.index(one) for one in read]
    assert "".join(f"{value:02}" for value in values[1:-1]) == "420958117306"
    assert (105 + sum(i * v for i, v in enumerate(values[1:-1], 1))) % 103 == values[-1]


def test_an_icon_is_a_png_of_its_size() -> None:
    picture = icons.png(24, whole=False)
    assert struct.unpack(">II", picture[16:24]) == (24, 24)
    data = picture[picture.index(b"IDAT") + 4 : -16]
    rows = zlib.decompress(data)
    assert len(rows) == 24 * (1 + 24 * 4)
    assert rows[4] == 0  # a corner is clear


@pytest.mark.parametrize(("typed", "points"), [("1200", 1200), ("۱٬۲۰۰", 1200), (" 1,200 ", 1200), ("١٢", 12)])
def test_points_are_read_in_any_digits(typed: str, points: int) -> None:
    assert forms.points(typed) == points


@pytest.mark.parametrize("typed", ["", "0", "-5", "1e3", "12a", "9" * 30])
def test_what_is_no_number_of_points_is_refused(typed: str) -> None:
    with pytest.raises(web.Problem):
        forms.points(typed)


def test_every_filter_shows_what_the_list_of_all_does() -> None:
    everything = set(telling.FILTERS["all"][1])
    assert all(set(kinds) <= everything for _, kinds in telling.FILTERS.values())
    assert set(telling.RECEIPTS) <= everything


def test_every_code_of_the_api_has_words() -> None:
    from gateway.problems import KINDS
    from gateway.web import refusals

    told = {code for code, about in refusals._WORDS if about is None}
    # said to shops and operators only
    others = {"idempotency_key_missing", "unknown_field", "self_approval_forbidden"}
    assert set(KINDS) - told <= others | {"refund_exceeds_original", "webhook_url_forbidden"}


NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)


def test_terms_are_told_by_kind_of_person_and_rules_by_name() -> None:
    short = {
        "points": 1,
        "per_minor": 10_000,
        "minimum_minor": 500,
        "categories": {"fuel": {"points": 0, "per_minor": 1}},
        "by_kind": {"legal": {"points": 2, "per_minor": 30_000}},
    }
    told = club.terms_told(short, "natural", NOW)
    assert [(rate.points, rate.per_minor, rate.category) for rate in told.rates] == [(1, 10_000, None), (0, 1, "fuel")]
    assert (told.minimum_minor, told.cap_points, told.names) == (500, None, ())
    assert club.terms_told(short, "legal", NOW).rates == (club.Gives(2, 30_000, None),)
    rules = [
        {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}},
        {"id": "tuesday", "name": "Double on Tuesdays", "effect": {"multiplier": {"percent": 200}}},
        {"id": "some", "name": "For some", "effect": {"points": 5}, "when": {"segment": ["seg_1"]}},
        {"id": "firms", "name": "For companies", "effect": {"points": 5}, "when": {"kind": ["legal"]}},
        {"id": "over", "name": "Over", "effect": {"points": 5}, "valid": {"until": "2025-05-01T00:00:00Z"}},
    ]
    told = club.terms_told({"rules": rules, "cap_points": 9}, "natural", NOW)
    assert (told.rates, told.names) == ((club.Gives(1, 100, None),), ("Double on Tuesdays",))
    assert (told.more, told.minimum_minor, told.cap_points) == (0, 0, 9)
    assert club.terms_told({"rules": rules}, "legal", NOW).names == ("Double on Tuesdays", "For companies")


def test_a_chart_runs_the_way_its_language_is_read() -> None:
    def month(place: int, given: int, paid: int) -> shapes.MonthOut:
        begins = dt.date(2025, place, 1)
        return shapes.MonthOut(
            from_day=begins,
            to_day=begins + dt.timedelta(days=28),
            given_points=given,
            given_value=shapes.Sum(amount=given, currency="USD"),
            paid_points=paid,
            paid_value=shapes.Sum(amount=paid, currency="USD"),
        )

    months = [month(1, 100, 0), month(2, -50, 0), month(3, 0, 50)]
    for language, order in ((EN, ["Jan", "Feb", "Mar"]), (FA, ["دی", "بهمن", "اسفند"])):
        drawn = str(saved.chart(months, language))
        labels = [(float(x), words) for x, words in re.findall(r'<text x="([\d.]+)"[^>]*>([^<]+)<', drawn)]
        assert [words for _, words in sorted(labels, reverse=language is FA)] == order
        assert re.findall(r'class="(given|paid)"', drawn) == ["given", "paid"], "nothing below zero is drawn"
    assert saved.chart([month(1, 0, 0)], EN) is None


@pytest.mark.parametrize(
    ("value", "missing", "filled"), [(0, 10, 0), (9_999, 1, 99), (10_000, 0, 100), (-5, 10_005, 0)]
)
def test_a_bar_is_full_when_it_is_reached_and_not_before(value: int, missing: int, filled: int) -> None:
    measure = shapes.MeasureOut(measure="spend", at_least=10_000, value=value, missing=missing)
    words = shapes.Words(fa="طلایی", en="Gold")
    following = shapes.NextTierOut(tier="gold", name=words, all=True, measures=[measure])
    assert [bar.filled for bar in standing.bars(following)] == [filled]
