"""Fees are exact until a window ends: a sum of millionths of a minor unit, rounded once, the rest carried. Pure."""

from typing import NamedTuple

import ledger


class Fee(NamedTuple):
    """A merchant's fee of one window. millionths + carry_in == minor * 1_000_000 + carry_out, always."""

    millionths: int
    carry_in: int
    minor: int
    carry_out: int


def charge(base_minor: int, ppm: int) -> int:
    """The fee on an amount, in millionths of a minor unit: exact."""
    return base_minor * ppm


def of_window(millionths: int, carry_in: int) -> Fee:
    """What a merchant pays for a window: half-even to minor units, at most half a unit carried to the next."""
    minor, rest = ledger.half_even(millionths + carry_in)
    return Fee(millionths, carry_in, minor, rest)
