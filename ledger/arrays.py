"""PostgreSQL array literals, for the set-based statements of the posting path.

The driver can pass lists, but writes them element by element in Python; a batch spends most of its time there. A literal
is one string, cast where it is used: `%s::uuid[]`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID


def array(values: Iterable[Any]) -> str:
    """The literal of a flat array of integers, UUIDs, times, texts, bytes, booleans or None."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, UUID):
        return f"{value.int:032x}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    assert isinstance(value, bytes), type(value)
    return f'"\\\\x{value.hex()}"'
