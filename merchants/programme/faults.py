"""What is wrong with rules, and where. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ledger import LARGEST_AMOUNT

LONGEST_NAME: Final = 64


class Fault(NamedTuple):
    """What is wrong with rules, and where: a JSON pointer into them, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class BadRules(ValueError):
    """The rules cannot be read; `faults` says all that is wrong with them."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = faults


def pointer(at: str, name: Any) -> str:
    """`at` with one more step (RFC 6901)."""
    return f"{at}/{str(name)[:LONGEST_NAME].replace('~', '~0').replace('/', '~1')}"


def unknown(json: dict[Any, Any], at: str, allowed: Sequence[str]) -> Iterator[Fault]:
    for name in json:
        if name not in allowed:
            yield Fault(pointer(at, name), "unknown_field", f"must be one of {', '.join(allowed)}")


def integer(value: Any, at: str, least: int, most: int = LARGEST_AMOUNT) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Fault(at, "wrong_type", "must be a whole number")
    elif value < least:
        yield Fault(at, "too_small", f"must be at least {least}")
    elif value > most:
        yield Fault(at, "too_large", f"must be at most {most}")


def named_rate(json: dict[Any, Any], at: str, per: str, *, of_money: bool) -> Iterator[Fault]:
    """`points` for every `per`; of money never more than a minor unit's worth a minor unit."""
    wrong = False
    for name, least in (("points", 0), (per, 1)):
        if name not in json:
            wrong = True
            yield Fault(f"{at}/{name}", "missing", "is required")
        else:
            for fault in integer(json[name], f"{at}/{name}", least):
                wrong = True
                yield fault
    if not wrong and of_money and json["points"] > json[per]:
        # a point is worth one minor unit at least
        yield Fault(f"{at}/points", "too_large", f"would give back more than the whole price: must not exceed {per}")


def text(value: Any, at: str, what: str, pattern: re.Pattern[str] | None = None) -> Iterator[Fault]:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or "\0" in value:
        yield Fault(at, "bad_name", f"{what} must have 1 to {LONGEST_NAME} characters")
    elif pattern is not None and not pattern.fullmatch(value):
        yield Fault(at, "bad_name", f"{what} must match {pattern.pattern}")
