"""What the SQL of every subject here shares: finding by external reference, and writing rows."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Table

import ledger
from ledger import Tx

Reference = tuple[UUID, str]

#: Of a row's field that is read from another table, and written there.
ELSEWHERE: Final = {"elsewhere": True}


def known(tx: Tx, table: str, references: Sequence[Reference], *more: str) -> Callable[[], dict[Reference, UUID]]:
    """Ask which rows of a table already bear one of the (merchant, external reference) pairs; the answer when called for.

    `more` tables are looked through by the same query; where several have a pair, the first one's is told.
    """
    if not references:
        return dict
    one_by_one = " union all ".join(
        f"(select t.merchant_id, t.external_reference, t.id, {place} as place from merchants.{each} t"
        " where t.merchant_id = asked.merchant_id and t.external_reference = asked.reference offset 0)"
        for place, each in enumerate((table, *more))
    )
    # whatever comes later of a pair is what stays
    first_last = " order by t.place desc" if more else ""
    rows = tx.execute(
        "select t.merchant_id, t.external_reference, t.id from unnest(%s::uuid[], %s::text[])"
        f" as asked(merchant_id, reference), lateral ({one_by_one}) as t{first_last}",
        [ledger.array(r[0] for r in references), ledger.array(r[1] for r in references)],
    )
    return lambda: {(row[0], row[1]): row[2] for row in rows.fetchall()}


def rows(table: Table, row: type[Any], *same: str) -> ledger.Rows:
    """How rows of one class are written: a field is the column of its name, the columns `same` are alike in all of them."""
    if dataclasses.is_dataclass(row):
        names = [field.name for field in dataclasses.fields(row) if field.metadata != ELSEWHERE]
    else:
        names = [field.name for field in msgspec.structs.fields(row)]
    return ledger.Rows(table, *names, same=same)
