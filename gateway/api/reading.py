"""What a merchant may read of its own: records, position, statements. Row-level security is the second lock."""

from functools import partial
from typing import Any, Final, cast
from uuid import UUID

import msgspec

import ledger
import settlement
from gateway import problems, store
from gateway.api import amounts, names, statement_files
from gateway.api.operator_scope import statement_in_path
from gateway.api.shapes import (
    CounterpartyOut,
    ItemOut,
    ItemPage,
    PageIn,
    PositionOut,
    RecordOut,
    RecordPage,
    StatementDetail,
    StatementOut,
    StatementPage,
    WindowRef,
)
from gateway.calls import Call, Download, MerchantCaller
from gateway.pages import page
from gateway.server import BookFacts, Server
from ledger import ids

# -- records

#: What the ids inside a record's facts name. Others there are numbers, texts and times.
_NAMED: Final = {
    "lot": "lot",
    "parent": "lot",
    "issuer": "merchant",
    "contract": "contract",
    "terms": "terms",
    "rule": "terms",
    "sale": "sale",
    "refund": "refund",
    "debt": "debt",
    "branch": "branch",
    "device": "device",
    "rest_of": "record",
    "operator": "operator",
    "gift": "gift",
    "giver": "member",
    "receiver": "member",
    "household": "household",
    "consented_by": "member",
    "sponsorship": "sponsorship",
    "offer": "offer",
    "shop": "merchant",
    "funder": "merchant",
    "sponsor": "merchant",
    "shops": "merchant",
    "approval": "record",
    "declined_by": "member",
    "break": "break",
    "topup": "record",
    "instruction": "instruction",
}

#: What a record of a kind is about.
_SUBJECTS: Final = {
    "sale": "sale",
    "hold": "redemption",
    "capture": "redemption",
    "void": "redemption",
    "lapse": "redemption",
    **dict.fromkeys(("approval_asked", "approval_declined", "approval_withdrawn", "approval_lapsed"), "redemption"),
    "refund": "sale",
    "repayment": "sale",
    "redemption_refund": "redemption",
    "contract": "merchant",
    "terms": "merchant",
    "member_frozen": "member",
    "member_unfrozen": "member",
    "branch_frozen": "branch",
    "branch_unfrozen": "branch",
    "merchant_suspended": "merchant",
    "merchant_resumed": "merchant",
    "gift": "gift",
    "gift_received": "gift",
    **dict.fromkeys(
        (
            "household_created",
            "household_invited",
            "household_joined",
            "household_declined",
            "household_sharing",
            "household_limit",
            "household_handed_over",
            "household_left",
            "household_ended",
        ),
        "household",
    ),
    "sponsorship": "sponsorship",
    "sponsorship_ended": "sponsorship",
    **dict.fromkeys(("offer_drafted", "offer_funded", "offer_launched", "offer_activated", "offer_ended"), "offer"),
    "budget_set": "sponsorship",
    "budget_released": "sponsorship",
    **dict.fromkeys(("adjustment_proposed", "adjustment", "adjustment_rejected", "payment_returned"), "record"),
    **dict.fromkeys(
        (
            "charge_back",
            "charge_back_proposed",
            "charge_back_rejected",
            "charge_back_reversal_proposed",
            "charge_back_reversal_rejected",
            "charge_back_reversed",
        ),
        "record",
    ),
}


async def list_records(call: Call[None]) -> RecordPage:
    return await call.read(partial(_records, call, merchant=call.merchant.id))


async def list_own_records(call: Call[None]) -> RecordPage:
    """A member's."""
    return await call.work(partial(_records, call, member=call.member.id))


def _records(
    call: Call[None], tx: ledger.Tx, *, merchant: UUID | None = None, member: UUID | None = None
) -> RecordPage:
    asked: PageIn = call.query
    caller = call.member if merchant is None else call.merchant
    of = f"{call.path} {caller.actor if merchant is None else merchant}"
    after = call.server.cursors.read(of, asked.cursor, (int, int))
    place = (after[0], after[1]) if after else (0, 0)
    rows = store.records(tx, caller.book.id, merchant=merchant, member=member, after=place, limit=asked.limit + 1)
    told = record_told if merchant is None else told_to_shop
    data, more, cursor = page(
        rows, asked.limit, lambda row: call.server.cursors.made(of, (row.sequence, row.batch_id)), told
    )
    return RecordPage(data=data, has_more=more, next_cursor=cursor)


async def get_record(call: Call[None]) -> RecordOut:
    found = await call.read(store.record, call.merchant.book.id, call.id("record"))
    if found is None:
        raise problems.not_found("record")
    return told_to_shop(found)


def record_told(row: store.RecordTold) -> RecordOut:
    return RecordOut(
        id=ids.show("record", row.id),
        kind=row.kind,
        at=row.at,
        actor=row.actor,
        member=names.shown("member", row.member_id),
        subject=names.shown(row.payload.get("of") or _SUBJECTS.get(row.kind, "window"), row.subject_id),
        facts=cast(dict[str, Any], _facts_told(_sponsored(row.payload))),
    )


def told_to_shop(row: store.RecordTold) -> RecordOut:
    """The same without the segments and occasions of the member: a sponsor's rules may have asked for them, and a shop is
    told by which of its own rules a sale earned."""
    known = row.payload.get("facts")
    if known is None:
        return record_told(row)
    known = {name: value for name, value in known.items() if name not in ("segments", "occasions")}
    return record_told(row._replace(payload={**row.payload, "facts": known}))


def _sponsored(facts: dict[str, Any]) -> dict[str, Any]:
    """A lot that a sponsorship or an offer gave names it where others name the terms they were earned by."""
    given = {store.giver(b): "offer" if "offer" in b else "sponsorship" for b in facts.get("bonuses", ())}
    if not given:
        return facts
    lots = [
        {(given.get(lot["rule"], name) if name == "rule" else name): value for name, value in lot.items()}
        for lot in facts.get("lots", ())
    ]
    return {**facts, "lots": lots}


def _facts_told(facts: Any, name: str = "") -> Any:
    """A record's facts with public ids in the place of the ledger's own."""
    if name == "rules":
        return facts  # what people wrote, and their names for it
    if isinstance(facts, dict):
        return {key: _facts_told(value, key) for key, value in facts.items()}
    if isinstance(facts, list):
        return [_facts_told(value, name) for value in facts]
    what = _NAMED.get(name)
    return ids.show(what, store.uuid(facts)) if what is not None and isinstance(facts, str) else facts


# -- position


async def get_position(call: Call[None]) -> PositionOut:
    caller = call.merchant
    # what the stream tells first, so that the position is as of now
    await call.thread(settlement.drain, call.server.db, caller.book.id)
    return await call.work(partial(_position, call.server, caller))


def _position(server: Server, caller: MerchantCaller, tx: ledger.Tx) -> PositionOut:
    book = ledger.read_book(tx, caller.book.id)
    contract = server.networks.of(tx, book).contract(caller.id)
    live = settlement.live(tx, book, caller.id)
    accounts = [ledger.AccountName(kind, caller.id) for kind in ("prefund", "backing", "pool", "credit", "accepted")]
    prefund, backing, pool, credit, accepted = (ledger.balances(tx, book.id, accounts)[name] for name in accounts)
    total = partial(amounts.total, caller.book)
    budgets = ledger.budgets.names(tx, book.id, [caller.id])
    charged = settlement.charged_back(tx, book.id, caller.id).get(caller.id, 0)
    used = settlement.with_charge_backs(-credit, charged, contract.unit_value_minor if contract else 0)
    return PositionOut(
        at=book.now,
        mode=cast(Any, contract.mode) if contract else None,
        prefund=total(prefund),
        backing=total(backing),
        pool_points=pool,
        budget_points=sum(ledger.balances(tx, book.id, list(budgets)).values()) if budgets else 0,
        credit_used_points=-credit,
        credit_line_points=contract.credit_line_points if contract else 0,
        credit_warning_percent=settlement.exposure_level(used, contract.credit_line_points if contract else 0),
        charged_back=total(charged),
        accepted_points=accepted,
        window=None if live is None else _window(live),
        receivable=total(live.receivable_minor if live else 0),
        payable=total(live.payable_minor if live else 0),
        fee=total(live.fee.minor if live else 0),
        position=total(live.position_minor if live else 0),
        open=total(live.owed_minor if live else 0),
    )


def _window(live: settlement.Live) -> WindowRef:
    return WindowRef(id=ids.show("window", live.window_id), number=live.window_number, opened_at=live.opened_at)


# -- statements


async def list_statements(call: Call[None]) -> StatementPage:
    """The newest window first."""
    asked: PageIn = call.query
    caller, cursors = call.merchant, call.server.cursors
    of = f"{call.path} {caller.id}"
    after = cursors.read(of, asked.cursor, (int,))
    rows = await call.read(
        settlement.positions_of, caller.book.id, caller.id, before=after[0] if after else None, limit=asked.limit + 1
    )
    data, more, cursor = page(
        rows, asked.limit, lambda row: cursors.made(of, (row[1].number,)), lambda row: _statement(caller.book, *row)
    )
    return StatementPage(data=data, has_more=more, next_cursor=cursor)


async def get_statement(call: Call[None]) -> StatementDetail | Download:
    statement, merchant = await _found(call), call.merchant
    tenant = partial(call.server.db.tx, "tenant", tenant=str(merchant.id))
    return await _statement_as_asked(call, merchant.book, statement, tenant)


async def get_any_statement(call: Call[None]) -> StatementDetail | Download:
    """An operator's: of whichever merchant, in a book the key is good for."""
    facts, statement = await statement_in_path(call)
    return await _statement_as_asked(call, facts, statement, partial(call.server.db.tx, "door"))


async def _statement_as_asked(
    call: Call[None], book: BookFacts, statement: settlement.Statement, reading: statement_files.Reading
) -> StatementDetail | Download:
    if (format := statement_files.format_of(call)) != "json":
        return await statement_files.file(call, statement, format, reading)
    told = _statement(book, statement.id, statement.window, statement.position)
    total = partial(amounts.total, book)
    return StatementDetail(
        **msgspec.structs.asdict(told),
        own_points=statement.own_points,
        counterparties=[
            CounterpartyOut(
                merchant=settlement.statements.party_shown(statement.book, other.party_id),
                accepted_points=other.accepted_points,
                receivable=total(other.receivable_minor),
                redeemed_points=other.redeemed_points,
                payable=total(other.payable_minor),
            )
            for other in statement.counterparties
        ],
    )


async def list_items(call: Call[None]) -> ItemPage:
    asked: PageIn = call.query
    caller, cursors = call.merchant, call.server.cursors
    statement = await _found(call)
    of = f"{call.path} {caller.id}"
    after = cursors.read(of, asked.cursor, (int, int))
    rows = await call.read(
        settlement.items,
        caller.book.id,
        statement.window.number,
        caller.id,
        after=(after[0], after[1]) if after else None,
        limit=asked.limit + 1,
    )
    data, more, cursor = page(
        rows,
        asked.limit,
        lambda row: cursors.made(of, row.place),
        lambda row: _item_told(caller.book, statement.book, row),
    )
    return ItemPage(data=data, has_more=more, next_cursor=cursor)


async def _found(call: Call[None]) -> settlement.Statement:
    """The caller's own statement; another's is not there."""
    caller, id = call.merchant, call.id("statement")
    book = await call.work(ledger.read_book, caller.book.id)

    def find(tx: ledger.Tx) -> settlement.Statement | None:
        place = settlement.place_of_position(tx, book.id, id)
        if place is None or place[1] != caller.id:
            return None
        return settlement.statements.statement(tx, book, place[0], caller.id)

    found = await call.read(find)
    if found is None:
        raise problems.not_found("statement")
    return found


def _statement(book: BookFacts, id: UUID, window: settlement.Window, position: settlement.Position) -> StatementOut:
    total = partial(amounts.total, book)
    return StatementOut(
        id=ids.show("statement", id),
        window=ids.show("window", window.id),
        number=window.number,
        state=window.state,
        opened_at=window.opened_at,
        closed_at=window.closed_at,
        receivable=total(position.receivable_minor),
        payable=total(position.payable_minor),
        fee=total(position.fee.minor),
        position=total(position.position_minor),
        backing=total(position.backing_minor),
        account=total(position.account_minor),
        fee_millionths=position.fee.millionths,
        carry_in_millionths=position.fee.carry_in,
        carry_out_millionths=position.fee.carry_out,
        items=position.items,
    )


def _item_told(book: BookFacts, here: ledger.Book, row: settlement.ItemRow) -> ItemOut:
    item, total = row.item, partial(amounts.total, book)

    def party(id: UUID | None) -> str | None:
        return None if id is None else settlement.statements.party_shown(here, id)

    return ItemOut(
        id=ids.show("item", row.id),
        sequence=item.sequence,
        kind=item.kind,
        reason=item.reason,
        at=item.at,
        issuer=party(item.issuer_id),
        acceptor=party(item.acceptor_id),
        subject=names.shown(item.about, item.subject_id),
        lot=names.shown("lot", item.lot_id),
        funding=item.funding,
        unit_value=None if item.unit_value_minor is None else total(item.unit_value_minor),
        points=item.points,
        value=total(item.value_minor),
        fee_base=total(item.fee_base_minor),
        fee_ppm=item.fee_ppm,
        fee_millionths=item.fee_millionths,
    )
