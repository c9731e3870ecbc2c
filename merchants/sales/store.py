"""SQL of sales and redemptions: what trade must know before it decides, and the rows it leaves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
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
    # the member of the household who consented, when not the wallet's owner
    consented_by: UUID | None = None


@dataclass(slots=True)
class Refundable:
    """A sale or a redemption as its refunds find it. What they took is added up here while a batch is decided."""

    id: UUID
    merchant_id: UUID
    member_id: UUID | None
    contract_id: UUID
    # the record that a refund answers: the sale, or the capture; None while a redemption is not captured
    record_id: UUID | None
    fee_ppm: int
    # what can be refunded in all: minor units of the money part, or points
    whole: int
    refunded: int
    # of a sale: the lots it earned, the shop's own first
    lots: list["Earned"] = field(default_factory=list)

    @property
    def taken_back(self) -> int:
        return sum(lot.taken_back for lot in self.lots)


@dataclass(slots=True)
class Earned:
    """A lot of a sale as the sale's refunds find it: what they took back of it and what of that they got."""

    lot_id: UUID
    issuer_id: UUID
    points: int
    # whose bonus it is; None: the shop's own
    sponsorship_id: UUID | None = None
    taken_back: int = 0
    returned: int = 0


@dataclass(frozen=True, slots=True)
class BonusRow:
    sale_id: UUID
    sponsorship_id: UUID
    issuer_id: UUID
    lot_id: UUID
    points: int


@dataclass(frozen=True, slots=True)
class RefundRow:
    id: UUID
    merchant_id: UUID
    sale_id: UUID | None
    redemption_id: UUID | None
    external_reference: str
    occurred_at: datetime | None
    at: datetime
    amount_minor: int
    points: int
    owed_points: int
    lines: list[dict[str, Any]]
    n: int


@dataclass(frozen=True, slots=True)
class VoucherRow:
    """A voucher, with the state of its hold and what was captured of it as last committed."""

    id: UUID
    merchant_id: UUID
    member_id: UUID
    device_id: UUID
    public_key: dict[str, str] = field(repr=False)
    thumbprint: str = field(repr=False)
    at: datetime
    spend_until: datetime
    deadline: datetime
    points: int
    value_minor: int
    parts: list[list[int]]
    n: int
    state: str = "open"
    spent: int | None = None


Reference = tuple[UUID, str]


def known_sales(tx: Tx, references: Sequence[Reference]) -> dict[Reference, UUID]:
    """Sales that already bear one of the (merchant, external reference) pairs."""
    return _known(tx, "sale", references)


def known_redemptions(tx: Tx, references: Sequence[Reference]) -> dict[Reference, UUID]:
    return _known(tx, "redemption", references)


def known_refunds(tx: Tx, references: Sequence[Reference]) -> dict[Reference, UUID]:
    return _known(tx, "refund", references)


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
        " consent, contract_id, n, consented_by from merchants.redemption where book_id = %s and id = any(%s::uuid[])",
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


def spent_for_others(tx: Tx, book: ledger.Book, owners: set[UUID]) -> dict[tuple[UUID, UUID], int]:
    """Points that others spent this month from the wallets of `owners`, by (owner, spender); what came back left out.

    Exact where the households are locked: nobody spends for another without that.
    """
    if not owners:
        return {}
    rows = tx.execute(
        "select d.member_id, d.consented_by, sum(d.points - d.refunded_points)::bigint"
        " from merchants.redemption d join ledger.hold h on h.id = d.id"
        " where d.member_id = any(%s::uuid[]) and d.consented_by is not null and h.state in ('open', 'captured')"
        " and d.at >= date_trunc('month', %s::timestamptz at time zone %s) at time zone %s group by 1, 2",
        [ledger.array(owners), book.now, book.time_zone, book.time_zone],
    )
    return {(owner, spender): points for owner, spender, points in rows}


def refundable_sales(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, Refundable]:
    """Sales to refund, locked: two refunds of one sale are decided one after the other. To be asked before wallets."""
    if not ids:
        return {}
    rows = tx.execute(
        "select s.id, s.merchant_id, s.member_id, s.contract_id, r.id, (r.payload ->> 'purchase_fee_ppm')::int,"
        " s.money_minor, s.refunded_minor, s.points_earned, (r.payload -> 'lots' -> 0 ->> 'lot')::uuid,"
        " s.points_taken_back from merchants.sale s join ledger.record r on r.batch_id = s.batch_id and r.n = s.n"
        " where s.book_id = %s and s.id = any(%s::uuid[]) order by s.id for no key update of s",
        [book_id, ledger.array(ids)],
    )
    found = {row[0]: (Refundable(*row[:8]), row[8:]) for row in rows}
    # after the lock, so that what was refunded while this batch waited is seen
    bonuses: dict[UUID, list[Earned]] = {}
    for sale, *facts in tx.execute(
        "select sale_id, lot_id, issuer_id, points, sponsorship_id, taken_back, returned from merchants.bonus"
        " where sale_id = any(%s::uuid[]) order by sale_id, sponsorship_id",
        [ledger.array(ids)],
    ):
        bonuses.setdefault(sale, []).append(Earned(*facts))
    owed = dict(
        tx.execute(
            "select sale_id, sum(owed_points)::bigint from merchants.refund where sale_id = any(%s::uuid[]) group by 1",
            [ledger.array(ids)],
        ).fetchall()
    )
    for sale, (points, first_lot, taken_back) in found.values():
        others = bonuses.get(sale.id, [])
        own = points - sum(lot.points for lot in others)
        if own:
            # the shop's own lot is the first that the sale's record tells, and what no bonus accounts for is its share
            taken = taken_back - sum(lot.taken_back for lot in others)
            owed_by_own = owed.get(sale.id, 0) - sum(lot.taken_back - lot.returned for lot in others)
            sale.lots.append(Earned(first_lot, sale.merchant_id, own, taken_back=taken, returned=taken - owed_by_own))
        sale.lots += others
    return {id: sale for id, (sale, _) in found.items()}


def refundable_redemptions(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, Refundable]:
    """Redemptions to refund or to pay for sales with, locked: one knows of the other. To be asked before wallets.

    Their captures are told by `captures`.
    """
    if not ids:
        return {}
    rows = tx.execute(
        "select d.id, d.merchant_id, d.member_id, d.contract_id, d.points, d.refunded_points from merchants.redemption d"
        " where d.book_id = %s and d.id = any(%s::uuid[]) order by d.id for no key update",
        [book_id, ledger.array(ids)],
    )
    return {
        id: Refundable(id, merchant, member, contract, None, 0, points, refunded)
        for id, merchant, member, contract, points, refunded in rows
    }


def captures(tx: Tx, ids: Sequence[UUID]) -> list[tuple[UUID, UUID, UUID, int]]:
    """(redemption, record, contract, fee rate) of the captures of redemptions. Found among their member's records."""
    if not ids:
        return []
    return tx.execute(
        "select d.id, r.id, (r.payload ->> 'contract')::uuid, (r.payload ->> 'redemption_fee_ppm')::int"
        " from merchants.redemption d, lateral (select id, payload from ledger.record r where r.member_id = d.member_id"
        " and r.batch_id >= d.batch_id and r.kind = 'capture' and r.subject_id = d.id limit 1) as r"
        " where d.id = any(%s::uuid[])",
        [ledger.array(ids)],
    ).fetchall()


def add_refunds(tx: Tx, book_id: int, batch_id: int, rows: Sequence[RefundRow], refunded: Sequence[Refundable]) -> None:
    """Write refunds and what they left of the sales and redemptions they are of."""
    if not rows:
        return
    tx.execute(
        "insert into merchants.refund (book_id, batch_id, id, merchant_id, sale_id, redemption_id, external_reference,"
        " occurred_at, at, amount_minor, points, owed_points, lines, n)"
        " select %s, %s, id, merchant_id, sale_id, redemption_id, external_reference, occurred_at, at, amount_minor,"
        " points, owed_points, lines::jsonb, n"
        " from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[],"
        " %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::smallint[])"
        " as new(id, merchant_id, sale_id, redemption_id, external_reference, occurred_at, at, amount_minor, points,"
        " owed_points, lines, n)",
        [
            book_id,
            batch_id,
            ledger.array(r.id for r in rows),
            ledger.array(r.merchant_id for r in rows),
            ledger.array(r.sale_id for r in rows),
            ledger.array(r.redemption_id for r in rows),
            ledger.array(r.external_reference for r in rows),
            ledger.array(r.occurred_at for r in rows),
            ledger.array(r.at for r in rows),
            ledger.array(r.amount_minor for r in rows),
            ledger.array(r.points for r in rows),
            ledger.array(r.owed_points for r in rows),
            ledger.array(_json.encode(r.lines).decode() for r in rows),
            ledger.array(r.n for r in rows),
        ],
    )
    changed = [ledger.array(r.id for r in refunded), ledger.array(r.refunded for r in refunded)]
    tx.execute(
        "update merchants.sale s set refunded_minor = new.refunded, points_taken_back = new.taken_back"
        " from unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as new(id, refunded, taken_back) where s.id = new.id",
        [*changed, ledger.array(r.taken_back for r in refunded)],
    )
    if bonuses := [(r.id, lot) for r in refunded for lot in r.lots if lot.sponsorship_id is not None]:
        tx.execute(
            "update merchants.bonus b set taken_back = new.taken_back, returned = new.returned"
            " from unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[])"
            " as new(sale_id, sponsorship_id, taken_back, returned)"
            " where b.sale_id = new.sale_id and b.sponsorship_id = new.sponsorship_id",
            [
                ledger.array(sale for sale, _ in bonuses),
                ledger.array(lot.sponsorship_id for _, lot in bonuses),
                ledger.array(lot.taken_back for _, lot in bonuses),
                ledger.array(lot.returned for _, lot in bonuses),
            ],
        )
    tx.execute(
        "update merchants.redemption d set refunded_points = new.refunded"
        " from unnest(%s::uuid[], %s::bigint[]) as new(id, refunded) where d.id = new.id",
        changed,
    )


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


def add_bonuses(tx: Tx, book_id: int, rows: Sequence[BonusRow]) -> None:
    if not rows:
        return
    tx.execute(
        "insert into merchants.bonus (book_id, sale_id, sponsorship_id, issuer_id, lot_id, points)"
        " select %s, * from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[])",
        [
            book_id,
            ledger.array(r.sale_id for r in rows),
            ledger.array(r.sponsorship_id for r in rows),
            ledger.array(r.issuer_id for r in rows),
            ledger.array(r.lot_id for r in rows),
            ledger.array(r.points for r in rows),
        ],
    )


def add_redemptions(tx: Tx, book_id: int, batch_id: int, rows: Sequence[RedemptionRow]) -> None:
    if not rows:
        return
    tx.execute(
        "insert into merchants.redemption (book_id, batch_id, id, merchant_id, branch_id, till_id, member_id,"
        " external_reference, occurred_at, at, points, value_minor, consent, contract_id, n, consented_by)"
        " select %s, %s, * from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[],"
        " %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[], %s::uuid[], %s::smallint[],"
        " %s::uuid[])",
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
            ledger.array(r.consented_by for r in rows),
        ],
    )


# -- vouchers

_VOUCHER: Final = (
    "v.id, v.merchant_id, v.member_id, v.device_id, v.public_key, v.thumbprint, v.at, v.spend_until, v.deadline,"
    " v.points, v.value_minor, v.parts, v.n, h.state"
)


def vouchers(tx: Tx, book_id: int, ids: set[UUID]) -> dict[UUID, VoucherRow]:
    """Vouchers by id. Their state is not locked: whoever decides on it looks whether the locked hold still has it."""
    if not ids:
        return {}
    rows = tx.execute(
        f"select {_VOUCHER} from merchants.voucher v join ledger.hold h on h.id = v.id"
        " where v.book_id = %s and v.id = any(%s::uuid[])",
        [book_id, ledger.array(ids)],
    )
    return {row[0]: VoucherRow(*row) for row in rows}


def open_vouchers(tx: Tx, members: Iterable[UUID]) -> dict[UUID, int]:
    """How many open vouchers members have. To be asked once their devices are locked: a new one needs its device."""
    wanted = list(set(members))
    if not wanted:
        return {}
    rows = tx.execute(
        "select v.member_id, count(*) from merchants.voucher v join ledger.hold h on h.id = v.id and h.state = 'open'"
        " where v.member_id = any(%s::uuid[]) group by 1",
        [ledger.array(wanted)],
    )
    return dict(rows.fetchall())


def vouchers_of(tx: Tx, book_id: int, member_id: UUID, before: UUID | None, limit: int) -> list[VoucherRow]:
    """A member's vouchers, the newest first."""
    rows = tx.execute(
        f"select {_VOUCHER}, d.points from merchants.voucher v join ledger.hold h on h.id = v.id"
        " left join merchants.redemption d on d.id = v.id"
        " where v.book_id = %s and v.member_id = %s and (%s::uuid is null or v.id < %s::uuid) order by v.id desc limit %s",
        [book_id, member_id, before, before, limit],
    )
    return [VoucherRow(*row) for row in rows]


def add_vouchers(tx: Tx, book_id: int, batch_id: int, rows: Sequence[VoucherRow]) -> None:
    if not rows:
        return
    tx.execute(
        "insert into merchants.voucher (book_id, batch_id, id, merchant_id, member_id, device_id, public_key, thumbprint,"
        " at, spend_until, deadline, points, value_minor, parts, n)"
        " select %s, %s, id, merchant_id, member_id, device_id, public_key::jsonb, thumbprint, at, spend_until, deadline,"
        " points, value_minor, parts::jsonb, n"
        " from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[],"
        " %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::text[], %s::smallint[])"
        " as new(id, merchant_id, member_id, device_id, public_key, thumbprint, at, spend_until, deadline, points,"
        " value_minor, parts, n)",
        [
            book_id,
            batch_id,
            ledger.array(r.id for r in rows),
            ledger.array(r.merchant_id for r in rows),
            ledger.array(r.member_id for r in rows),
            ledger.array(r.device_id for r in rows),
            ledger.array(_json.encode(r.public_key).decode() for r in rows),
            ledger.array(r.thumbprint for r in rows),
            ledger.array(r.at for r in rows),
            ledger.array(r.spend_until for r in rows),
            ledger.array(r.deadline for r in rows),
            ledger.array(r.points for r in rows),
            ledger.array(r.value_minor for r in rows),
            ledger.array(_json.encode(r.parts).decode() for r in rows),
            ledger.array(r.n for r in rows),
        ],
    )
