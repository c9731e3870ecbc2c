"""PostgreSQL arrays in the binary format, for the set-based statements of the posting path.

The driver passes lists as well, but writes them element by element in Python and as text, which a batch would spend most of
its time on: there and in the server, which reads it again. What is made here is one value, told with its type.

Format: number of dimensions, whether there are nulls, the element's type, the length, the first index; then of each element
its length in bytes (-1: null) and the element as its type's binary form.
Source: https://www.postgresql.org/docs/18/protocol-overview.html#PROTOCOL-FORMAT-CODES and the types' receive functions.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_NULL: Final = b"\xff\xff\xff\xff"
_head = struct.Struct(">iiiii").pack
_length = struct.Struct(">i").pack
_int2 = struct.Struct(">ih").pack
_int4 = struct.Struct(">ii").pack
_int8 = struct.Struct(">iq").pack
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_json = msgspec.json.Encoder()


class Array(bytes):
    """An array as the server receives it. One class per type: the driver tells the server the type by it."""

    __slots__ = ()


class UuidArray(Array):
    __slots__ = ()


class BigintArray(Array):
    __slots__ = ()


class IntegerArray(Array):
    __slots__ = ()


class SmallintArray(Array):
    __slots__ = ()


class BooleanArray(Array):
    __slots__ = ()


class TextArray(Array):
    __slots__ = ()


class ByteaArray(Array):
    __slots__ = ()


class TimeArray(Array):
    __slots__ = ()


class DocumentArray(Array):
    __slots__ = ()


Encode = Callable[[Sequence[Any]], list[bytes]]


def _uuids(values: Sequence[UUID | None]) -> list[bytes]:
    return [_NULL if v is None else b"\0\0\0\x10" + v.int.to_bytes(16, "big") for v in values]


def _bigints(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if v is None else _int8(8, v) for v in values]


def _integers(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if v is None else _int4(4, v) for v in values]


def _smallints(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if v is None else _int2(2, v) for v in values]


def _booleans(values: Sequence[bool | None]) -> list[bytes]:
    return [_NULL if v is None else b"\0\0\0\x01\x01" if v else b"\0\0\0\x01\0" for v in values]


def _texts(values: Sequence[str | None]) -> list[bytes]:
    # few texts are many: kinds, places, modes
    known: dict[str | None, bytes] = {None: _NULL}
    elements = []
    for value in values:
        if (element := known.get(value)) is None:
            assert value is not None
            text = value.encode()
            element = known[value] = _length(len(text)) + text
        elements.append(element)
    return elements


def _bytes(values: Sequence[bytes | None]) -> list[bytes]:
    return [_NULL if v is None else _length(len(v)) + v for v in values]


def _times(values: Sequence[datetime | None]) -> list[bytes]:
    # one batch is of one moment, mostly
    known: dict[datetime | None, bytes] = {None: _NULL}
    elements = []
    for value in values:
        if (element := known.get(value)) is None:
            assert value is not None
            element = known[value] = _int8(8, (value - _EPOCH) // _MICROSECOND)
        elements.append(element)
    return elements


def _documents(values: Sequence[Any]) -> list[bytes]:
    """Values as JSON documents; None is the SQL null."""
    elements = []
    for value in values:
        if value is None:
            elements.append(_NULL)
        else:
            text = _json.encode(value)
            elements.append(_length(len(text) + 1) + b"\x01" + text)
    return elements


def _kind(kind: type[Array], name: str, element: int, encode: Encode) -> Callable[[Iterable[Any]], Array]:
    array_oid = psycopg.postgres.types[name].array_oid

    class Dump(Dumper):
        format = Format.BINARY
        oid = array_oid

        def dump(self, obj: Any) -> bytes:
            return bytes(obj)

    psycopg.adapters.register_dumper(kind, Dump)

    def make(values: Iterable[Any]) -> Array:
        elements = encode(values if isinstance(values, list | tuple) else list(values))
        if not elements:
            return kind(_head(0, 0, element, 0, 0)[:12])
        return kind(_head(1, 1, element, len(elements), 1) + b"".join(elements))

    return make


uuids: Final = _kind(UuidArray, "uuid", 2950, _uuids)
bigints: Final = _kind(BigintArray, "int8", 20, _bigints)
integers: Final = _kind(IntegerArray, "int4", 23, _integers)
smallints: Final = _kind(SmallintArray, "int2", 21, _smallints)
booleans: Final = _kind(BooleanArray, "bool", 16, _booleans)
texts: Final = _kind(TextArray, "text", 25, _texts)
bytea: Final = _kind(ByteaArray, "bytea", 17, _bytes)
times: Final = _kind(TimeArray, "timestamptz", 1184, _times)
documents: Final = _kind(DocumentArray, "jsonb", 3802, _documents)

_BY_CLASS: Final[dict[type, Callable[[Iterable[Any]], Array]]] = {
    UUID: uuids,
    bool: booleans,
    int: bigints,
    str: texts,
    bytes: bytea,
    datetime: times,
}


def array(values: Iterable[Any]) -> Array:
    """An array of UUIDs, integers, booleans, texts, bytes or times, nulls among them; the first that is not null says which.

    Where all are null it is one of texts; cast it, as in `%s::uuid[]`, where the column does not say what it is.
    """
    known = list(values)
    first = next((v for v in known if v is not None), "")
    make = _BY_CLASS.get(type(first)) or next(make for of, make in _BY_CLASS.items() if isinstance(first, of))
    return make(known)
