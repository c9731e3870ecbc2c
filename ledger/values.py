"""Points and money. Two types on purpose: their sum is an `int`, which neither accepts."""

from typing import NewType

#: A whole number of points.
Points = NewType("Points", int)
#: A whole number of the network's minor units of money.
Minor = NewType("Minor", int)

#: What one amount in a request may be at most. Sums of a billion such still fit PostgreSQL's bigint.
LARGEST_AMOUNT = 1_000_000_000

#: One million: a rate of 2.5 % is 25,000 parts per million.
PPM = 1_000_000


def half_even(millionths: int) -> tuple[Minor, int]:
    """Round millionths of a minor unit to minor units, half to even, and return what is left over.

    The remainder lies in [-500_000, 500_000]; units * 1_000_000 + remainder equals the argument exactly.
    """
    units, rest = divmod(millionths, PPM)
    if rest > PPM // 2 or (rest == PPM // 2 and units % 2 == 1):
        units, rest = units + 1, rest - PPM
    return Minor(units), rest
