"""Segments, RFM, next offers and occasions through the doors; whatever docs/segments.md shows is run here."""

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from merchants.insight import definitions
from tests.gateway.network import Api, Member

GUIDE = Path(__file__).parents[2] / "docs" / "segments.md"
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.S)]


def basket(**categories: int) -> dict[str, Any]:
    lines = [{"amount": {"amount": n, "currency": "USD"}, "category": c.upper()} for c, n in categories.items()]
    return {"amount": sum(categories.values()), "lines": lines}


@pytest.fixture
def town(api: Api) -> tuple[Api, Member, Member]:
    """Ann drinks coffee every third day at the cafe, Bob ate there once; Bob buys at the grocer's."""
    ann, bob = api.member(), api.member("+15550100124")
    for n in range(6):
        api.sell(ann, **basket(coffee=300, **({"cake": 500} if n % 3 == 0 else {})))
        api.advance((api.clock() + timedelta(days=3)).isoformat())
    api.sell(bob, **basket(soup=900))
    api.sell(bob, **basket(bread=200), shop="grocer")
    return api, ann, bob


def test_a_segment_is_previewed_saved_counted_listed_and_explained(town: tuple[Api, Member, Member]) -> None:
    api, ann, bob = town
    cafe, grocer = api.shops["cafe"].key, api.shops["grocer"].key
    definition = {"all": [{"measure": "purchases", "within_days": 30, "at_least": 3},
                          {"measure": "category_share_ppm", "category": "COFFEE", "at_least": 500_000}]}  # fmt: skip
    assert api.done("POST", "/v1/segments/preview", {"definition": definition}, by=cafe)["members"] == 1
    assert api.done("POST", "/v1/segments/preview", {"definition": definition}, by=grocer)["members"] == 0
    saved = api.done("POST", "/v1/segments", {"name": "coffee lovers", "definition": definition}, by=cafe)
    path = f"/v1/segments/{saved['id']}"
    assert (saved["version"], saved["definition"]) == (1, definition)
    assert api.done("POST", "/v1/segments", {"name": "coffee lovers", "definition": definition}, by=cafe) == saved
    assert api.done("GET", "/v1/segments", by=cafe)["data"] == [saved]
    assert api.done("GET", "/v1/segments", by=grocer)["data"] == []
    counted = api.done("GET", path, by=cafe)
    assert (counted["members"], counted["as_of"]) == (1, api.clock().isoformat().replace("+00:00", "Z"))
    assert api.done("GET", f"{path}/members", by=cafe)["data"] == [{"member": ann.id}]
    told = api.done("GET", f"{path}/members/{ann.id}", by=cafe)
    assert told["inside"] is True
    assert [(c["pointer"], c["found"], c["met"]) for c in told["conditions"]] == [
        ("/all/0", 6, True),
        ("/all/1", 1_800 * 1_000_000 // 2_800, True),
    ]
    assert api.done("GET", f"{path}/members/{bob.id}", by=cafe)["inside"] is False
    changed = api.done("PUT", path, {"definition": {"measure": "purchases", "at_least": 1}}, by=cafe)
    assert changed["version"] == 2
    first = api.done("GET", f"{path}/members?limit=1", by=cafe)
    rest = api.done("GET", f"{path}/members?limit=1&cursor={first['next_cursor']}", by=cafe)
    assert {first["data"][0]["member"], rest["data"][0]["member"]} == {ann.id, bob.id}
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_the_network_sees_all_of_its_shops_and_nobody_elses(town: tuple[Api, Member, Member]) -> None:
    api, _, _ = town
    of_book = f"/v1/operator/books/{api.book}/segments"
    both_shops = {"definition": {"measure": "spend_minor", "at_least": 1_100}}
    assert api.done("POST", f"{of_book}/preview", both_shops, by=api.maker)["members"] == 2
    saved = api.done("POST", of_book, {"name": "buyers", **both_shops}, by=api.maker)
    assert api.done("GET", of_book, by=api.maker)["data"] == [saved]
    assert api.done("GET", f"{of_book}/{saved['id']}", by=api.maker)["members"] == 2
    assert len(api.done("GET", f"{of_book}/{saved['id']}/members", by=api.maker)["data"]) == 2
    assert api.call("GET", f"/v1/segments/{saved['id']}", by=api.shops["cafe"].key).status_code == 404
    assert api.done("GET", "/v1/segments", by=api.shops["cafe"].key)["data"] == []
    elsewhere = api.open_book("elsewhere")
    empty = f"/v1/operator/books/{elsewhere}/segments"
    assert api.done("POST", f"{empty}/preview", both_shops, by=api.maker)["members"] == 0
    assert api.call("GET", f"{empty}/{saved['id']}", by=api.maker).status_code == 404
    assert sum(cell["members"] for cell in api.done("GET", f"{of_book}/rfm", by=api.maker)["data"]) == 2


def test_fifths_as_json_and_as_csv(town: tuple[Api, Member, Member]) -> None:
    api, _, _ = town
    cafe = api.shops["cafe"].key
    cells = api.done("GET", "/v1/segments/rfm?within_days=30", by=cafe)["data"]
    assert sum(cell["members"] for cell in cells) == 2
    assert sum(cell["spend_sum"]["amount"] for cell in cells) == 2_800 + 900
    answer = api.call("GET", "/v1/segments/rfm?within_days=30&format=csv", by=cafe)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["spend_minor"]) for row in rows] == [cell["spend_sum"]["amount"] for cell in cells]


def test_next_offers_are_found_every_midnight_and_told_with_their_reason(town: tuple[Api, Member, Member]) -> None:
    api, ann, bob = town
    cafe = api.shops["cafe"]
    path = f"/v1/members/{ann.id}/next-offers"
    assert api.done("GET", path, by=cafe.key)["data"] == []
    on = f"/v1/operator/books/{api.book}/next-offers"
    assert api.done("POST", on, {}, by=api.maker) == api.done("POST", on, {}, by=api.maker)
    api.advance((api.clock() + timedelta(days=1)).isoformat())
    told = api.done("GET", path, by=cafe.key)["data"]
    assert told[0]["category"] == "COFFEE"
    assert told[0]["reason"]["code"] == "due"
    assert told[0]["reason"]["facts"] == {"every_days": 3, "days_since": 4}
    assert [offer["score_ppm"] for offer in told] == sorted((offer["score_ppm"] for offer in told), reverse=True)
    assert api.done("GET", path, by=api.shops["grocer"].key)["data"] == []
    assert api.done("GET", "/v1/me/next-offers", by=ann.token)["data"] == told
    assert {offer["merchant"] for offer in api.done("GET", "/v1/me/next-offers", by=bob.token)["data"]} == {
        cafe.id,
        api.shops["grocer"].id,
    }
    again = api.advance((api.clock() + timedelta(days=2)).isoformat())
    assert api.done("GET", path, by=cafe.key)["data"][0]["as_of"][:10] == again[:10]


def test_occasions_are_ones_own_and_in_no_record_and_no_other_answer(api: Api) -> None:
    ann, bob = api.member(), api.member("+15550100124")
    mine = [{"kind": "birthday", "calendar": "jalali", "month": 12, "day": 30, "year": 1370},
            {"kind": "own", "calendar": "gregorian", "month": 2, "day": 29, "name": "we met"}]  # fmt: skip
    told = api.done("PUT", "/v1/me/occasions", {"occasions": mine}, by=ann.token)
    # the clock stands at the beginning of 2017: 1395 is a leap year, and 2017 is none
    assert [occasion["next_on"] for occasion in told["data"]] == ["2017-03-20", "2017-02-28"]
    assert api.done("GET", "/v1/me/occasions", by=ann.token) == told
    assert api.done("GET", "/v1/me/occasions", by=bob.token) == {"data": []}
    with api.server.db.tx("auditor") as tx:
        written = tx.execute("select string_agg(payload::text, '') from ledger.record").fetchone()
    assert "we met" not in str(written)
    assert api.done("PUT", "/v1/me/occasions", {"occasions": []}, by=ann.token) == {"data": []}


def test_the_guide_shows_what_works(town: tuple[Api, Member, Member]) -> None:
    api, _, _ = town
    assert len(EXAMPLES) >= 5
    for example in EXAMPLES:
        body = {"definition": example.get("definition", example)}
        assert api.done("POST", "/v1/segments/preview", body, by=api.shops["cafe"].key)["members"] <= 2


def test_the_guide_tells_every_measure() -> None:
    told = GUIDE.read_text()
    assert [name for name in definitions.MEASURES if f"`{name}`" not in told] == []
