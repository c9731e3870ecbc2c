"""From the bytes of a body to a checked value. Pure; what is wrong is raised as a Problem.

Every body is I-JSON (RFC 7493): a name given twice is refused, since two readers could take different ones, and so is
text that is no Unicode. A fraction is never taken for a whole number, not even 1.0. What is hashed for idempotency is
the tree this module returns, so two bodies with one meaning have one fingerprint.
"""

import json
import re
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from gateway.problems import Problem, invalid

DEEPEST: Final = 32
LONGEST_NAME: Final = 100

_loose = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

T = TypeVar("T")


class Read(NamedTuple, Generic[T]):
    """`value` is the checked body, `tree` the same as plain JSON values."""

    value: T
    tree: Any


def read(raw: bytes, type: type[T]) -> Read[T]:
    """A body of `type`; an empty one counts as an empty object."""
    tree = parsed(raw) if raw else {}
    return Read(checked(tree, type), tree)


def parsed(raw: bytes) -> Any:
    """The JSON values of `raw`: each name once, no NUL and no lone surrogate in any text."""
    try:
        tree = _loose.decode(raw)
        # A name given twice loses its first value, and the quotes with it; escapes could hide one, so they are looked at
        if b"\\u" in raw or raw.count(b'"') != _quotes(tree):
            tree = _parsed_slowly(raw)
    except RecursionError:
        raise Problem("malformed_request", "the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise Problem("malformed_request", "the body is not UTF-8") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise Problem("malformed_request", f"the body is not JSON: {error}") from None
    return tree


def _quotes(tree: Any) -> int:
    """How many quotes the tree has when written; -1 when it has a number too large to write."""
    try:
        return _encode(tree).count(b'"')
    except OverflowError:
        return -1


def _parsed_slowly(raw: bytes) -> Any:
    tree = json.loads(raw.decode(), object_pairs_hook=_once_each)
    if (found := _nul_at(tree, "")) is not None:
        raise invalid(found, "text may not hold the character NUL", "nul")
    return tree


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem("malformed_request", "an object names a field twice")
    return found


def _nul_at(tree: Any, pointer: str) -> str | None:
    """Where there is a text with NUL, which PostgreSQL's text cannot hold."""
    if isinstance(tree, str):
        return pointer if "\0" in tree else None
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, child in children:
        at = f"{pointer}/{_escaped(str(name))}"
        if "\0" in str(name):
            return pointer
        if (found := _nul_at(child, at)) is not None:
            return found
    return None


def checked(tree: Any, type: type[T], under: str = "", *, strict: bool = True) -> T:
    """`tree` as a `type`; `under` points to where it stands in the body. Not strict: numbers may come as text."""
    try:
        return msgspec.convert(tree, type, strict=strict)
    except msgspec.ValidationError as error:
        if _depth(tree) > DEEPEST:
            raise Problem("malformed_request", "the body is nested too deeply") from None
        raise _explained(str(error), under) from None


def _depth(tree: Any) -> int:
    """How deep arrays and objects are nested. Walks level by level, so that depth itself costs no stack."""
    depth, level = 0, [tree]
    while level := [child for node in level for child in _children(node)]:
        depth += 1
        if depth > DEEPEST:
            break
    return depth


def _children(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []


_SAID: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)


def _explained(said: str, under: str) -> Problem:
    """msgspec's sentence as a Problem: what is wrong, and the pointer to where."""
    match = _SAID.match(said)
    assert match is not None
    what, pointer = match["what"], under + _pointer(match["path"] or "$")
    if unknown := _UNKNOWN.match(what):
        at = f"{pointer}/{_escaped(unknown['name'][:LONGEST_NAME])}"
        return Problem("unknown_field", "there is no such field", at)
    if missing := _MISSING.match(what):
        return invalid(f"{pointer}/{_escaped(missing['name'])}", "this field is required", "required")
    return invalid(pointer, what.replace("`", ""))


def _pointer(path: str) -> str:
    """`$.lines[0].amount` as `/lines/0/amount`. A name the sender chose is not told: the pointer ends at its object."""
    path = path.removeprefix("$").partition("[...]")[0]
    return "".join(f"/{_escaped(part)}" for part in re.findall(r"[^.\[\]]+", path))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
