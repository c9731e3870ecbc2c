"""What the SQL of every subject here shares: finding by external reference, and writing rows."""

import dataclasses
import types
import typing
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

import ledger
from ledger import Tx

Reference = tuple[UUID, str]

#: Of a row's field that is read from another table, and written there.
ELSEWHERE: Final = {"elsewhere": True}

_TYPES: Final = {UUID: "uuid", str: "text", int: "bigint", datetime: "timestamptz", list: "jsonb", dict: "jsonb"}
_json = msgspec.json.Encoder()


def known(tx: Tx, table: str, references: Sequence[Reference]) -> dict[Reference, UUID]:
    """Rows of a table that already bear one of the (merchant, external reference) pairs."""
    if not references:
        return {}
    rows = tx.execute(
        f"select t.merchant_id, t.external_reference, t.id from unnest(%s::uuid[], %s::text[])"
        f" as asked(merchant_id, reference), lateral (select * from merchants.{table} t"
        " where t.merchant_id = asked.merchant_id and t.external_reference = asked.reference offset 0) as t",
        [ledger.array(r[0] for r in references), ledger.array(r[1] for r in references)],
    )
    return {(row[0], row[1]): row[2] for row in rows}


class Insert(NamedTuple):
    """A statement that writes rows of one dataclass, and the type of each of their fields in its order."""

    statement: str
    fields: dict[str, str]


def insert(table: str, row: type[Any], *same: str) -> Insert:
    """How rows are written to a table: a field is the column of its name, the columns `same` are alike in all of them."""
    hints = typing.get_type_hints(row)
    fields = {f.name: _type(hints[f.name]) for f in dataclasses.fields(row) if f.metadata != ELSEWHERE}
    names = ", ".join(fields)
    # documents travel as text: an array of documents that are arrays would not be told from an array of arrays
    arrays = ", ".join("%s::text[]" if type == "jsonb" else f"%s::{type}[]" for type in fields.values())
    chosen = ", ".join(f"{name}::jsonb" if type == "jsonb" else name for name, type in fields.items())
    statement = (
        f"insert into merchants.{table} ({', '.join(same)}, {names})"
        f" select {', '.join('%s' for _ in same)}, {chosen} from unnest({arrays}) as new({names})"
    )
    return Insert(statement, fields)


def add(tx: Tx, insert: Insert, rows: Sequence[Any], *same: int) -> None:
    """Write rows with one statement, and with none if there are none."""
    if rows:
        columns = (_column([getattr(row, name) for row in rows], type) for name, type in insert.fields.items())
        tx.execute(insert.statement, [*same, *columns])


def _type(hint: Any) -> str:
    """Of a field that may be None, the type of what it is otherwise."""
    if isinstance(hint, types.UnionType):
        hint, _ = typing.get_args(hint)
    return _TYPES[typing.get_origin(hint) or hint]


def _column(values: list[Any], type: str) -> str:
    return ledger.array(_json.encode(value).decode() for value in values) if type == "jsonb" else ledger.array(values)
