"""The README's picture says what a report says, asks nobody for anything, and is well-formed."""

import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from deploy.demo.picture import drawn
from deploy.demo.report import Points, Refunds, Report, Settlement, Shares

ROOT = Path(__file__).parents[2]


def a_report() -> Report:
    return msgspec.convert(
        {
            "baskets": 12_345,
            "members": 67,
            "points": Points(
                issued=100,
                redeemed=60,
                expired=10,
                returned=5,
                outstanding=25,
                pending=8,
                closed_loop=7,
                repaid=6,
                given=4,
                owed=3,
            ),
            "refunds": Refunds(sales=9, amount=54_321, points=11, redemptions=2, restored=12),
            "settlement": Settlement(2, 900, 700, 500, 444_444, {"Shop & Sons": -25, "operator": 25}, {}),
            "merchants": [Shares("Shop & Sons", "deferred", 3, 10, 20, 15, -25)],
            "audit": "clean",
        },
        Report,
        from_attributes=True,
    )


def test_it_shows_the_report_and_asks_nobody_for_anything() -> None:
    picture = drawn(a_report())
    tree = ElementTree.fromstring(picture)  # noqa: S314 - drawn a line ago, by us
    words = " ".join(tree.itertext()).replace("\u00a0", " ")
    assert "12,345" in words
    assert "543.21" in words
    assert "Shop & Sons" in words
    assert "clean" in words
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*['\"]?https?:", picture) == []


def test_the_readmes_picture_is_one_of_these() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text()
    assert "155,848" in picture
    assert picture.startswith('<svg class="rich-terminal"')
