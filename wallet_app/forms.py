"""What people type into forms. Pure."""

from gateway.web import Problem
from ledger import LARGEST_AMOUNT
from merchants import people


def points(text: str, *, least: int = 1) -> int:
    """A whole number of points in any script's digits, marks between thousands or none."""
    bare = "".join(c for c in people.digits.latin(text[:40]) if not c.isspace() and c not in ",.٬،'’_")
    if not (bare.isascii() and bare.isdigit()) or not least <= int(bare) <= LARGEST_AMOUNT:
        raise Problem("validation_failed", "not a number of points", "/points")
    return int(bare)
