"""SQL of sales and redemptions: what trade must know before it decides, and the rows it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

import ledger
from ledger import Tx

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class SaleRow:
    id: UUID
    merchant_id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    total_minor: int
    money_minor: int
    lines: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    redemption_id: UUID | None
    points_earned: int
    earn_refused: str | None
    contract_id: UUID
    terms_id: UUID | None
    n: int


@dataclass(frozen=True, slots=True)
class RedemptionRow:
    id: UUID
    merchant_id: UUID
    branch_id: UUID
    till_id: UUID | None
    member_id: UUID
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    points: int
    value_minor: int
    consent: str
    contract_id: UUID
    n: int


Reference = tuple[UUID, str]


def known_sales(tx: Tx, references: Sequence[Reference]) -> dict[Reference, UUID]:
    """Sales that already bear one of the (merchant, external reference) pairs."""
    return _known(tx, "sale", references)


def known_redemptions(tx: Tx, references: Sequence[Reference]) -> dict[Reference, UUID]:
    return _known(tx, "redemption", references)


def _known(tx: Tx, table: str, references: Sequence[Reference]) -> dict[Reference, UUID]:
    if not references:
        return {}
    rows = tx.execute(
        f"select t.merchant_id, t.external_reference, t.id from unnest(%s::uuid[], %s::text[])"
        f" as asked(merchant_id, reference), lateral (select * from merchants.{table} t"
        " where t.merchant_id = asked.merchant_id and t.external_reference = asked.reference offset 0) as t",
        [ledger.array(r[0] for r in references), ledger.array(r[1] for r in references)],
    )
    return {(row[0], row[1]): row[2] for row in rows}


def redemptions(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, RedemptionRow]:
    if not ids:
        return {}
    rows = tx.execute(
        "select id, merchant_id, branch_id, till_id, member_id, external_reference, occurred_at, at, points, value_minor,"
        " consent, contract_id, n from merchants.redemption where book_id = %s and id = any(%s::uuid[])",
        [book_id, ledger.array(ids)],
    )
    return {row[0]: RedemptionRow(*row) for row in rows}


def redemptions_spent(tx: Tx, ids: set[UUID]) -> set[UUID]:
    """Those of the redemptions that a sale already counts as its payment."""
    if not ids:
        return set()
    rows = tx.execute(
        "select redemption_id from merchants.sale where redemption_id = any(%s::uuid[])", [ledger.array(ids)]
    )
    return {row[0] for row in rows}


def add_sales(tx: Tx, book_id: int, batch_id: int, rows: Sequence[SaleRow]) -> None:
    if not rows:
        return
    tx.execute(
        "insert into merchants.sale (book_id, batch_id, id, merchant_id, branch_id, till_id, member_id, external_reference,"
        " occurred_at, at, total_minor, money_minor, lines, payments, redemption_id, points_earned, earn_refused,"
        " contract_id, terms_id, n)"
        " select %s, %s, id, merchant_id, branch_id, till_id, member_id, external_reference, occurred_at, at, total_minor,"
        " money_minor, lines::jsonb, payments::jsonb, redemption_id, points_earned, earn_refused, contract_id, terms_id, n"
        " from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[],"
        " %s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::uuid[], %s::bigint[], %s::text[],"
        " %s::uuid[], %s::uuid[], %s::smallint[])"
        " as new(id, merchant_id, branch_id, till_id, member_id, external_reference, occurred_at, at, total_minor,"
        " money_minor, lines, payments, redemption_id, points_earned, earn_refused, contract_id, terms_id, n)",
        [
            book_id,
            batch_id,
            ledger.array(r.id for r in rows),
            ledger.array(r.merchant_id for r in rows),
            ledger.array(r.branch_id for r in rows),
            ledger.array(r.till_id for r in rows),
            ledger.array(r.member_id for r in rows),
            ledger.array(r.external_reference for r in rows),
            ledger.array(r.occurred_at for r in rows),
            ledger.array(r.at for r in rows),
            ledger.array(r.total_minor for r in rows),
            ledger.array(r.money_minor for r in rows),
            ledger.array(_json.encode(r.lines).decode() for r in rows),
            ledger.array(_json.encode(r.payments).decode() for r in rows),
            ledger.array(r.redemption_id for r in rows),
            ledger.array(r.points_earned for r in rows),
            ledger.array(r.earn_refused for r in rows),
            ledger.array(r.contract_id for r in rows),
            ledger.array(r.terms_id for r in rows),
            ledger.array(r.n for r in rows),
        ],
    )


def add_redemptions(tx: Tx, book_id: int, batch_id: int, rows: Sequence[RedemptionRow]) -> None:
    if not rows:
        return
    tx.execute(
        "insert into merchants.redemption (book_id, batch_id, id, merchant_id, branch_id, till_id, member_id,"
        " external_reference, occurred_at, at, points, value_minor, consent, contract_id, n)"
        " select %s, %s, * from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[],"
        " %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[], %s::uuid[], %s::smallint[])",
        [
            book_id,
            batch_id,
            ledger.array(r.id for r in rows),
            ledger.array(r.merchant_id for r in rows),
            ledger.array(r.branch_id for r in rows),
            ledger.array(r.till_id for r in rows),
            ledger.array(r.member_id for r in rows),
            ledger.array(r.external_reference for r in rows),
            ledger.array(r.occurred_at for r in rows),
            ledger.array(r.at for r in rows),
            ledger.array(r.points for r in rows),
            ledger.array(r.value_minor for r in rows),
            ledger.array(r.consent for r in rows),
            ledger.array(r.contract_id for r in rows),
            ledger.array(r.n for r in rows),
        ],
    )
