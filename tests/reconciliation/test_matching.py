"""A month of statements against the book: what is clean is matched, every planted break is found, and none is invented."""

import dataclasses
import random
import sys
from itertools import combinations
from types import FrameType
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.reconciliation import disagreements, rules
from settlement.reconciliation.lines import POLICIES, Found, Line, Match, business_time, fold
from settlement.reconciliation.sums import only_subset
from tests.reconciliation.month import BEGINNING, NOW, WINDOWS, Month, month

SEEDS = (1, 2, 3, 5, 8, 13, 21, 34)


def reconciled(made: Month, source: str) -> tuple[list[Match], list[Found]]:
    matches, pool = rules.match(source, made.lines[source], POLICIES[source])
    parties = frozenset(fold(party) for party in made.parties) | {
        fold(line.party) for line in made.lines[source] if line.side == "ours"
    }
    heard = dict.fromkeys({None, *(line.merchant_id for line in made.lines[source])}, (BEGINNING, NOW))
    known = disagreements.Known(parties=parties, windows=WINDOWS, heard=heard)
    return matches, disagreements.classify(source, pool, matches, known, POLICIES[source], NOW)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_planted_break_is_found_with_its_type_and_none_is_invented(seed: int) -> None:
    made = month(seed)
    found = {
        (source, b.type, frozenset(line.id for line in b.lines))
        for source in made.lines
        for b in reconciled(made, source)[1]
    }
    assert found == made.planted
    assert {type for _, type, _ in found} == set(disagreements.TYPES)


@pytest.mark.parametrize("seed", SEEDS)
def test_clean_lines_are_matched_by_themselves(seed: int) -> None:
    made = month(seed)
    for source, clean in made.clean.items():
        matches, _ = reconciled(made, source)
        matched = {line.id for m in matches for line in m.ours + m.theirs}
        assert len(clean & matched) >= 0.995 * len(clean), source
        used = [line.id for m in matches for line in m.ours + m.theirs]
        assert len(used) == len(set(used)), "no line is used twice"
        assert all(m.difference_minor == 0 for m in matches), "and no money is explained away"


def test_the_order_in_which_lines_come_changes_nothing() -> None:
    made = month(4)
    for source, lines in made.lines.items():
        first = rules.match(source, lines, POLICIES[source])[0]
        for n in range(3):
            again = random.Random(n).sample(lines, len(lines))
            assert rules.match(source, again, POLICIES[source])[0] == first


def test_four_times_the_lines_are_about_four_times_the_work() -> None:
    def calls(count: int) -> int:
        lines = month(6, payments=count, payouts=1, sales=12).lines["bank"]
        counted = 0

        def seen(frame: FrameType, event: str, arg: object) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(seen)
        try:
            rules.match("bank", lines, POLICIES["bank"])
        finally:
            sys.setprofile(None)
        return counted

    assert calls(4_000) < 5 * calls(1_000)


def test_what_is_ambiguous_is_left_to_a_person() -> None:
    ours = [_line(n, "ours", 500, party="A") for n in range(2)]
    matches, pool = rules.match("bank", [*ours, _line(9, "theirs", 500, party="A")], POLICIES["bank"])
    assert matches == []
    assert len(pool.ours) == 2


def test_one_reference_for_two_equal_payments_is_left_to_a_person() -> None:
    ours = [_line(n, "ours", 500, reference="WINDOW-1", party=f"P{n}") for n in range(2)]
    lines = [*ours, _line(9, "theirs", 500, reference="WINDOW-1")]
    assert rules.match("bank", lines, POLICIES["bank"])[0] == []
    told = [*ours, _line(9, "theirs", 500, reference="WINDOW-1", party="P1")]
    ((made,), _) = rules.match("bank", told, POLICIES["bank"])
    assert (made.rule, made.ours) == ("amount_date_and_party", (ours[1],))


def test_a_young_line_that_is_alone_is_no_break_yet() -> None:
    _, pool = rules.match("bank", [_line(1, "ours", 500)], POLICIES["bank"])
    found = disagreements.classify("bank", pool, [], disagreements.Known(), POLICIES["bank"], BEGINNING)
    assert found == []


def test_rounding_of_a_batch_is_tolerated_and_told() -> None:
    parts = [dataclasses.replace(_line(n, "ours", 1_000), fee_minor=29, batch="po_1") for n in range(3)]
    paid = dataclasses.replace(_line(9, "theirs", 3 * 971 - 2), batch="po_1")
    (made,), _ = rules.match("psp", [*parts, paid], POLICIES["psp"])
    assert (made.rule, made.difference_minor) == ("batch_within_rounding", -2)
    assert rules.match("bank", [*parts, paid], POLICIES["bank"])[0] == [], (
        "where nothing is rounded, nothing is tolerated"
    )


def test_weekends_do_not_count_against_a_bank() -> None:
    friday = BEGINNING.replace(day=6)
    assert business_time(friday, friday.replace(day=9)).days == 1
    assert business_time(friday, friday.replace(day=16)).days == 6
    assert business_time(friday.replace(day=9), friday).days == -1


@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.integers(1, 200))
@settings(max_examples=150, deadline=None)
def test_a_sum_is_claimed_exactly_when_one_set_adds_up_to_it(amounts: list[int], wanted: int) -> None:
    places = range(len(amounts))
    sets = [
        c for n in range(1, len(amounts) + 1) for c in combinations(places, n) if sum(amounts[i] for i in c) == wanted
    ]
    assert only_subset(amounts, wanted) == (sets[0] if len(sets) == 1 else None)


def test_a_search_that_has_no_end_is_given_up() -> None:
    # odd from even: no set adds up to it, and to look at all of them would take longer than anybody waits
    assert only_subset([2 * n for n in range(10_000, 10_080)], 1_234_567) is None


def _line(n: int, side: str, amount: int, **more: str) -> Line:
    kind = "payment" if side == "ours" else "transfer"
    return Line(UUID(int=n + 1), "bank", side, kind, BEGINNING, amount, **more)  # type: ignore[arg-type]
