"""Arms by hash: shares as asked, the same for ever, and nothing of one offer in another."""

import hashlib
import math
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merchants.offers import assigning
from merchants.offers.assigning import HOLDOUT, PARTS, Arm

SALTS = st.binary(min_size=32, max_size=32)
MEMBERS = st.uuids()
#: Chance of a deviation beyond this many standard errors: 1e-6 for one count, by the normal law.
FAR = 4.9


@st.composite
def divisions(draw: st.DrawFn) -> list[Arm]:
    cuts = sorted(draw(st.sets(st.integers(1, PARTS - 1), min_size=1, max_size=4)))
    ends = [0, *cuts, PARTS]
    return [Arm(f"arm{i}", end - start) for i, (start, end) in enumerate(pairwise(ends))]


def many(n: int, of: str = "members") -> list[UUID]:
    """Members that are the same in every run."""
    return [UUID(bytes=hashlib.sha256(f"{of} {i}".encode()).digest()[:16]) for i in range(n)]


def test_the_formula_is_the_one_that_is_told() -> None:
    """Anybody computes it again with a calculator for SHA-256."""
    salt, member = bytes(range(32)), UUID("0191e2a0-0000-7000-8000-000000000001")
    digest = hashlib.sha256(salt + member.bytes).hexdigest()
    assert assigning.share(salt, member) == int(digest[:16], 16) * 1_000_000 // 2**64
    assert assigning.commitment(salt).hex() == hashlib.sha256(salt).hexdigest()


@settings(deadline=None)
@given(SALTS, MEMBERS, divisions())
def test_a_member_is_in_one_arm_whatever_else_there_is(salt: bytes, member: UUID, arms: list[Arm]) -> None:
    assert 0 <= assigning.share(salt, member) < PARTS
    first = assigning.arm(salt, arms, member)
    assert assigning.arm(salt, arms, member) == first
    # names mean nothing: the place of an arm does
    renamed = [Arm(f"other{i}", arm.ppm) for i, arm in enumerate(arms)]
    assert assigning.arm(salt, renamed, member) == f"other{first.removeprefix('arm')}"


@settings(deadline=None)
@given(SALTS, MEMBERS, st.integers(1, PARTS - 1), st.integers(1, PARTS - 1))
def test_a_larger_holdout_keeps_whom_a_smaller_one_had(salt: bytes, member: UUID, one: int, other: int) -> None:
    small, large = sorted((one, other))
    if assigning.arm(salt, [Arm(HOLDOUT, small), Arm("all", PARTS - small)], member) == HOLDOUT:
        assert assigning.arm(salt, [Arm(HOLDOUT, large), Arm("all", PARTS - large)], member) == HOLDOUT


@settings(deadline=None)
@given(st.lists(MEMBERS, unique=True, max_size=30), st.randoms(use_true_random=False))
def test_the_hash_of_an_audience_is_of_whom_and_not_of_their_order(members: list[UUID], random: object) -> None:
    shuffled = sorted(members, key=lambda m: m.bytes[::-1])
    assert assigning.audience_hash(shuffled) == assigning.audience_hash(members)
    if members:
        assert assigning.audience_hash(members[1:]) != assigning.audience_hash(members)


@pytest.mark.parametrize("ppm", [10_000, 100_000, 500_000, 900_000])
def test_shares_are_as_large_as_asked(ppm: int) -> None:
    members, salt = many(20_000), b"s" * 32
    arms = [Arm(HOLDOUT, ppm), Arm("all", PARTS - ppm)]
    held = sum(assigning.arm(salt, arms, m) == HOLDOUT for m in members)
    part = ppm / PARTS
    assert abs(held - len(members) * part) < FAR * math.sqrt(len(members) * part * (1 - part))


def test_offers_know_nothing_of_each_other() -> None:
    """Of those held out by one offer, as many are held out by the next as of all; ids that follow each other as well."""
    members = [UUID(int=(0x0191E2A0 << 96) + i) for i in range(20_000)]
    one, other = ({m for m in members if assigning.share(salt, m) < 300_000} for salt in (b"a" * 32, b"b" * 32))
    both, expected = len(one & other), len(one) * 0.3
    assert abs(both - expected) < FAR * math.sqrt(expected * 0.7)
