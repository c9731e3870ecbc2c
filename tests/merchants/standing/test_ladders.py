"""What is wrong with a ladder is told with a pointer to it and a stable code; what is right is read as it is."""

from typing import Any

import pytest

from merchants.standing import ladders
from merchants.standing.ladders import Measures

NAMES = {"fa": "نام", "en": "name"}
TIER = {"id": "silver", "name": NAMES, "requires": {"all": {"spend_minor": 100}}}
GOOD = {"period": {"calendar": "jalali", "length": "year"}, "tiers": [TIER]}


def tier(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "tiers": [{**TIER, **changes}]}


@pytest.mark.parametrize(
    ("json", "pointer", "code"),
    [
        ([], "", "wrong_type"),
        ({**GOOD, "name": "x"}, "/name", "unknown_field"),
        ({**GOOD, "a/b~c": 1}, "/a~1b~0c", "unknown_field"),
        ({"tiers": []}, "/period", "missing"),
        ({**GOOD, "period": "year"}, "/period", "wrong_type"),
        ({**GOOD, "period": {"calendar": "lunar", "length": "year"}}, "/period/calendar", "unknown_value"),
        ({**GOOD, "period": {"calendar": "jalali"}}, "/period/length", "missing"),
        ({**GOOD, "period": {"rolling_days": 3, "length": "year"}}, "/period/length", "unknown_field"),
        ({**GOOD, "period": {"rolling_days": 0}}, "/period/rolling_days", "too_small"),
        ({**GOOD, "period": {"rolling_days": True}}, "/period/rolling_days", "wrong_type"),
        ({**GOOD, "promotion": "later"}, "/promotion", "unknown_value"),
        ({**GOOD, "period": {"rolling_days": 3}, "promotion": "period_end"}, "/promotion", "bad_range"),
        ({**GOOD, "grace_days": 400}, "/grace_days", "too_large"),
        ({**GOOD, "when_changed": "ask"}, "/when_changed", "unknown_value"),
        ({**GOOD, "kinds": []}, "/kinds", "wrong_type"),
        ({**GOOD, "kinds": ["pets"]}, "/kinds/0", "unknown_value"),
        ({**GOOD, "tiers": None}, "/tiers", "missing"),
        ({**GOOD, "tiers": [TIER] * 21}, "/tiers", "too_many"),
        ({**GOOD, "tiers": [TIER, TIER]}, "/tiers/1/id", "duplicate"),
        ({**GOOD, "tiers": ["silver"]}, "/tiers/0", "wrong_type"),
        (tier(id="Silver"), "/tiers/0/id", "bad_name"),
        (tier(name="Silver"), "/tiers/0/name", "wrong_type"),
        (tier(name={"en": "x"}), "/tiers/0/name/fa", "missing"),
        (tier(name={"fa": " ", "en": "x"}), "/tiers/0/name/fa", "bad_name"),
        (tier(name={**NAMES, "de": "x"}), "/tiers/0/name/de", "unknown_field"),
        (tier(balance=5), "/tiers/0/balance", "unknown_field"),
        (tier(requires={}), "/tiers/0/requires", "wrong_type"),
        (tier(requires={"all": {}}), "/tiers/0/requires/all", "wrong_type"),
        (tier(requires={"any": {"balance": 1}}), "/tiers/0/requires/any/balance", "unknown_field"),
        (tier(requires={"any": {"visits": 0}}), "/tiers/0/requires/any/visits", "too_small"),
        (tier(requires={"any": {"visits": 1.5}}), "/tiers/0/requires/any/visits", "wrong_type"),
        (tier(benefits={}), "/tiers/0/benefits", "wrong_type"),
        (tier(benefits=[{"name": "x"}]), "/tiers/0/benefits/0/text", "missing"),
        (tier(benefits=[{"name": "a\nb", "text": NAMES}]), "/tiers/0/benefits/0/name", "bad_name"),
    ],
)
def test_a_fault_is_told_where_it_is(json: Any, pointer: str, code: str) -> None:
    assert (pointer, code) in [(fault.pointer, fault.code) for fault in ladders.faults(json)]


def test_a_ladder_without_faults_is_read() -> None:
    json = {**GOOD, "tiers": [TIER, {"id": "vip", "name": NAMES}], "grace_days": 5, "kinds": ["legal"]}
    assert ladders.faults(json) == []
    read = ladders.ladder(json)
    assert (read.calendar, read.length, read.rolling_days, read.grace_days) == ("jalali", "year", None, 5)
    assert (read.at_once, read.keeps, read.kinds) == (True, True, frozenset({"legal"}))
    assert (read.rank("vip"), read.rank("silver"), read.rank("gold"), read.rank(None)) == (1, 0, -1, -1)
    assert (read.reached(Measures(99)), read.reached(Measures(100))) == (-1, 0), "and nobody reaches one by hand"


def test_all_or_any_of_the_thresholds() -> None:
    both = {"spend_minor": 10, "visits": 2}
    for how, spend, visits, met in (
        ("all", 10, 1, False),
        ("all", 10, 2, True),
        ("any", 9, 2, True),
        ("any", 9, 1, False),
    ):
        read = ladders.ladder(tier(requires={how: both}))
        assert (read.reached(Measures(spend, visits)) == 0) is met
