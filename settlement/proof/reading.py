"""JSON as proofs are written in it: read without mercy, and written in the one canonical way (RFC 8785).

What is signed has one reading only: a key that comes twice, a fraction, a number that a double cannot hold or half a
character is refused, and so is whatever is larger or deeper than any proof.
"""

import json
from typing import Any, Final

#: The largest whole number of RFC 8785's JSON; larger sums are written as text.
LARGEST_NUMBER: Final = 2**53 - 1
#: Bytes of a document that are looked at, unless asked for more.
LARGEST_FILE: Final = 128 * 1024 * 1024
#: A proof has a comma or a bracket in no fewer bytes than this: a file of nothing but brackets would fill the memory.
BYTES_A_PART: Final = 16
DEEPEST: Final = 12


class Malformed(Exception):
    """The document cannot be read as what it says it is; `at` is a JSON pointer."""

    def __init__(self, why: str, at: str = "") -> None:
        super().__init__(why, at)
        self.why = why
        self.at = at

    def __str__(self) -> str:
        return f"{self.at}: {self.why}" if self.at else self.why


class Fault(Exception):
    """What does not hold, and where: a JSON pointer into the document."""

    def __init__(self, at: str, why: str) -> None:
        super().__init__(at, why)
        self.at = at
        self.why = why

    def __str__(self) -> str:
        return f"{self.at}: {self.why}"


def read(raw: bytes, largest: int = LARGEST_FILE) -> Any:
    """The value of a JSON document; Malformed for everything else."""
    if len(raw) > largest:
        raise Malformed(f"larger than {largest} bytes")
    if sum(map(raw.count, (b",", b"[", b"{"))) > 1_000 + len(raw) // BYTES_A_PART:
        raise Malformed("of more parts than any proof")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_refused,
            parse_constant=_refused,
        )
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    except RecursionError:
        raise Malformed("nested too deep") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: line {error.lineno}, column {error.colno}") from None
    _not_too_deep(value)
    return value


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of what `read` gave; Malformed for half a character."""
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        raise Malformed("half a character") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"the key {name[:40]!r} comes twice")
        found[name] = value
    return found


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > LARGEST_NUMBER or text == "-0":
        raise Malformed("a number beyond 2^53 - 1")
    return int(text)


def _refused(text: str) -> Any:
    raise Malformed(f"{text[:20]} is no whole number")


def _not_too_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
        if not level:
            return
    raise Malformed("nested too deep")
