"""Rows written many at a time: one statement, an array for each column, whatever the number of rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy
from sqlalchemy.dialects.postgresql import JSONB

from ledger import arrays
from ledger.db import Tx

#: How the values of a column travel, and what SQL calls their type.
_TYPES: Final[dict[type, tuple[str, Callable[[Iterable[Any]], arrays.Array]]]] = {
    sqlalchemy.UUID: ("uuid", arrays.uuids),
    sqlalchemy.BigInteger: ("bigint", arrays.bigints),
    sqlalchemy.Integer: ("integer", arrays.integers),
    sqlalchemy.SmallInteger: ("smallint", arrays.smallints),
    sqlalchemy.Boolean: ("boolean", arrays.booleans),
    sqlalchemy.Text: ("text", arrays.texts),
    sqlalchemy.LargeBinary: ("bytea", arrays.bytea),
    sqlalchemy.DateTime: ("timestamptz", arrays.times),
    JSONB: ("jsonb", arrays.documents),
}


def _types(
    table: sqlalchemy.Table, columns: Iterable[str]
) -> list[tuple[str, Callable[[Iterable[Any]], arrays.Array]]]:
    return [_TYPES[type(table.c[column].type)] for column in columns]


class Insert:
    """Inserts rows of some columns of a table; `same` columns have one value in all rows of a call."""

    def __init__(self, table: sqlalchemy.Table, *columns: str, same: Sequence[str] = ()) -> None:
        types = _types(table, columns)
        self._arrays = [make for _, make in types]
        given = ", ".join(f"%s::{name}[]" for name, _ in types)
        constants = "".join(f"%s::{name}, " for name, _ in _types(table, same))
        names = ", ".join(f'"{column}"' for column in (*same, *columns))
        self._sql = f"insert into {table.fullname} ({names}) select {constants}* from unnest({given})"

    def __call__(self, tx: Tx, rows: Sequence[Sequence[Any]], *same: Any) -> None:
        """Insert `rows`, each the values of the columns in their order, and `same` for the columns that are the same."""
        if rows:
            columns = zip(*rows, strict=True)
            tx.execute(self._sql, [*same, *(make(column) for make, column in zip(self._arrays, columns, strict=True))])


class Rows:
    """Inserts objects: an attribute is the column of its name, or of the name that `renamed` gives it (attribute by column)."""

    def __init__(
        self,
        table: sqlalchemy.Table,
        *columns: str,
        same: Sequence[str] = (),
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._insert = Insert(table, *columns, same=same)
        self._values = attrgetter(*(renamed.get(column, column) for column in columns))

    def __call__(self, tx: Tx, objects: Iterable[Any], *same: Any) -> None:
        """Insert `objects` with one statement, and with none if there are none."""
        values = self._values
        self._insert(tx, [values(each) for each in objects], *same)


class Update:
    """Sets columns of the rows whose `key` is told."""

    def __init__(self, table: sqlalchemy.Table, key: str, *columns: str) -> None:
        types = _types(table, (key, *columns))
        self._arrays = [make for _, make in types]
        given = ", ".join(f"%s::{name}[]" for name, _ in types)
        names = ", ".join(f'"{column}"' for column in (key, *columns))
        sets = ", ".join(f'"{column}" = new."{column}"' for column in columns)
        self._sql = (
            f"update {table.fullname} as old set {sets} from unnest({given}) as new({names})"
            f' where old."{key}" = new."{key}"'
        )

    def __call__(self, tx: Tx, rows: Sequence[Sequence[Any]]) -> None:
        """Write `rows`, each the key and then the columns in their order."""
        if rows:
            columns = zip(*rows, strict=True)
            tx.execute(self._sql, [make(column) for make, column in zip(self._arrays, columns, strict=True)])
