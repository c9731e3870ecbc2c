"""Reconciliation: files are brought, breaks looked at, explained and resolved, lines matched by hand, amounts adjusted."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import ledger
import settlement
from gateway.api import amounts, names
from gateway.api.lists import ById
from gateway.api.operator_scope import book_in_path, reconciled_in_path
from gateway.api.shapes import (
    AgesOut,
    BreakAdjustmentOut,
    BreakDetail,
    BreakOut,
    BreakPage,
    BreaksIn,
    BreakStepOut,
    FileOut,
    LineOut,
    MatchesIn,
    MatchIn,
    MatchOut,
    MatchPage,
    MergeIn,
    NothingIn,
    OwnBreakOut,
    OwnBreakPage,
    OwnBreaksIn,
    ProviderReportIn,
    ReasonIn,
    ReconciliationOut,
    ResolveIn,
    RunOut,
    SourceOut,
    StandingBreaksOut,
    StatementTimeOut,
    StreamOut,
    TillClaimsIn,
)
from gateway.calls import Call, Reply, accepted
from gateway.problems import Problem
from gateway.server import BookFacts
from ledger import ids
from settlement import reconciliation

#: Windows of which the times are told.
NEWEST_WINDOWS = 12

# -- files


async def post_till_claims(call: Call[TillClaimsIn]) -> FileOut:
    """A shop tells what its tills did."""
    body, book, merchant = call.body, call.merchant.book, call.merchant.id
    names.one_of_two(csv=body.csv, claims=body.claims)
    rows = [
        {
            "kind": claim.kind,
            "external_reference": claim.external_reference,
            "amount": amounts.minor(book, claim.amount, f"/claims/{n}/amount"),
            "points": claim.points,
            "at": amounts.time(claim.at, f"/claims/{n}/at").isoformat(),  # type: ignore[union-attr]
            "original_reference": claim.original_reference,
        }
        for n, claim in enumerate(body.claims or ())
    ]
    return await _bring(call, book, "till", body.csv, rows, merchant, call.merchant.actor)


async def post_provider_report(call: Call[ProviderReportIn]) -> FileOut:
    """An operator brings what the payment provider said. What banks say comes with their statements."""
    book = await book_in_path(call)
    return await _bring(call, book, "psp", call.body.csv, [], None, call.operator.actor)


async def _bring(
    call: Call[Any],
    book: BookFacts,
    source: str,
    csv: str | None,
    rows: list[dict[str, Any]],
    merchant: UUID | None,
    actor: str,
) -> FileOut:
    def bring() -> reconciliation.Taken:
        try:
            told = rows if csv is None else reconciliation.read_csv(csv, source)
            brought = reconciliation.file(book, source, told, merchant, header=0 if csv is None else 1)
        except reconciliation.BadFile as bad:
            at = "/csv" if csv is not None else f"/claims/{bad.line - 1}"
            raise Problem("validation_failed", bad.why, at, field_code=bad.code, facts={"line": bad.line}) from None
        return reconciliation.bring(call.server.db, book.id, brought, merchant, actor)

    taken = await call.thread(bring)
    return FileOut(id=ids.show("file", taken.id), new=taken.new, lines=taken.lines)


# -- reading


async def list_breaks(call: Call[None]) -> BreakPage | Reply:
    """By id: the order says nothing, and holds still."""
    asked: BreaksIn = call.query
    book = await book_in_path(call)
    listed = ById[reconciliation.Break](call, str(call.operator.id), "break", lambda row: row.id)

    def read(tx: ledger.Tx) -> tuple[datetime, list[reconciliation.Break]]:
        rows = reconciliation.breaks(
            tx, book.id, state=asked.state, type=asked.type, source=asked.source, owner=asked.owner,
            before=listed.start, limit=listed.limit,
        )  # fmt: skip
        return ledger.read_book(tx, book.id).now, rows

    now, rows = await call.work(read)
    data, more, cursor = listed.page(rows, partial(_break, book, now))
    if asked.format == "csv":
        return _csv(data)
    return BreakPage(data=data, has_more=more, next_cursor=cursor)


def _csv(data: Sequence[BreakOut]) -> Reply:
    """A page of breaks. No text in it begins as a formula does."""
    header = ("break", "source", "type", "owner", "merchant", "state", "amount_minor", "currency", "points",
              "suggestion", "found_at", "age_seconds", "ended_at")  # fmt: skip
    lines = [settlement.statements.csv_line(header)]
    for b in data:
        cells = (b.id, b.source, b.type, b.owner, b.merchant, b.state, b.amount.amount, b.amount.currency, b.points,
                 b.suggestion, b.found_at.isoformat(), b.age_seconds, b.ended_at and b.ended_at.isoformat())  # fmt: skip
        lines.append(settlement.statements.csv_line(cells))
    name = b'attachment; filename="breaks.csv"'
    return Reply(200, "".join(lines).encode(), b"text/csv; charset=utf-8", ((b"content-disposition", name),))


async def list_own_breaks(call: Call[None]) -> OwnBreakPage:
    """Those of the merchant's own tills."""
    asked: OwnBreaksIn = call.query
    book, merchant = call.merchant.book, call.merchant.id
    listed = ById[reconciliation.Break](call, str(merchant), "break", lambda row: row.id)

    def read(tx: ledger.Tx) -> tuple[list[reconciliation.Break], dict[UUID, LineOut]]:
        rows = reconciliation.breaks(
            tx, book.id, state=asked.state, type=asked.type, merchant=merchant, before=listed.start, limit=listed.limit
        )
        found = reconciliation.told_lines(tx, [id for row in rows for id in row.line_ids])
        return rows, {told[0].id: _line(book, told) for told in found}

    def show(row: reconciliation.Break) -> OwnBreakOut:
        return OwnBreakOut(**_facts(book, now, row), lines=[lines[id] for id in row.line_ids if id in lines])

    now = await call.work(lambda tx: ledger.read_book(tx, book.id).now)
    rows, lines = await call.read(read)
    data, more, cursor = listed.page(rows, show)
    return OwnBreakPage(data=data, has_more=more, next_cursor=cursor)


async def get_break(call: Call[None]) -> BreakDetail:
    book, id = await reconciled_in_path(call, "break")
    return await _detail(call, book, id)


async def _detail(call: Call[Any], book: BookFacts, id: UUID) -> BreakDetail:
    def read(tx: ledger.Tx) -> BreakDetail:
        row = reconciliation.break_(tx, id)
        assert row is not None
        here = ledger.read_book(tx, book.id)
        operator = here.operator_id
        return BreakDetail(
            **_facts(book, here.now, row),
            reason=row.reason,
            ended_by=names.shown("operator", row.ended_by),
            record=names.shown("record", row.record_id),
            lines=[_line(book, told) for told in reconciliation.told_lines(tx, row.line_ids)],
            history=[
                BreakStepOut(step=s.step, at=s.at, by=names.shown("operator", s.by), reason=s.reason)
                for s in reconciliation.steps(tx, id)
            ],
            adjustments=[_adjustment(book, operator, made) for made in reconciliation.adjustments(tx, id)],
        )

    return await call.work(read)


def _facts(book: BookFacts, now: datetime, row: reconciliation.Break) -> dict[str, Any]:
    """The fields of a BreakOut."""
    return {
        "id": ids.show("break", row.id),
        "source": row.source,
        "type": row.type,
        "owner": row.owner,
        "merchant": names.shown("merchant", row.merchant_id),
        "state": row.state,
        "amount": amounts.total(book, row.amount_minor),
        "points": row.points,
        "suggestion": row.suggestion,
        "found_at": row.at,
        "age_seconds": _seconds(row.at, row.ended_at or now),
        "ended_at": row.ended_at,
    }


def _break(book: BookFacts, now: datetime, row: reconciliation.Break) -> BreakOut:
    return BreakOut(**_facts(book, now, row))


def _seconds(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds()))


def _line(book: BookFacts, told: tuple[Any, ...]) -> LineOut:
    line, state, file, place = told
    return LineOut(
        id=ids.show("line", line.id),
        side=line.side,
        kind=line.kind,
        at=line.at,
        amount=amounts.total(book, line.amount_minor),
        points=line.points,
        fee=amounts.total(book, line.fee_minor),
        reference=line.reference,
        batch=line.batch,
        text=line.text,
        party=line.party,
        original=line.original,
        window=line.window,
        merchant=names.shown("merchant", line.merchant_id),
        state=state,
        file=names.shown("file", file),
        place=place,
    )


async def list_matches(call: Call[None]) -> MatchPage:
    """The newest first."""
    asked: MatchesIn = call.query
    book = await book_in_path(call)
    listed = ById[reconciliation.MatchRow](call, str(call.operator.id), "match", lambda row: row.id)

    def read(tx: ledger.Tx) -> list[reconciliation.MatchRow]:
        return reconciliation.matches(tx, book.id, source=asked.source, before=listed.start, limit=listed.limit)

    data, more, cursor = listed.page(await call.work(read), partial(_match, book))
    return MatchPage(data=data, has_more=more, next_cursor=cursor)


def _match(book: BookFacts, row: reconciliation.MatchRow) -> MatchOut:
    return MatchOut(
        id=ids.show("match", row.id),
        source=cast(Any, row.source),
        rule=row.rule,
        confidence_ppm=row.confidence_ppm,
        difference=amounts.total(book, row.difference_minor),
        lines=[ids.show("line", line) for line in row.line_ids],
        state=cast(Any, row.state),
        at=row.at,
        made_by=names.shown("operator", row.made_by),
        reason=row.reason,
        split_by=names.shown("operator", row.split_by),
        split_reason=row.split_reason,
        split_at=row.split_at,
    )


async def get_reconciliation(call: Call[None]) -> ReconciliationOut:
    book = await book_in_path(call)

    def read(tx: ledger.Tx) -> ReconciliationOut:
        now = ledger.read_book(tx, book.id).now
        young, week, older = reconciliation.ages(tx, book.id, now)
        windows = settlement.list_windows(tx, book.id, limit=NEWEST_WINDOWS)
        due = reconciliation.JOB.next_due(tx, ledger.read_book(tx, book.id))
        return ReconciliationOut(
            reconciled_at=reconciliation.whole(tx, book.id),
            due_at=due,
            stream=_stream(tx, book),
            sources=[
                SourceOut(
                    source=cast(Any, p.source),
                    lag_records=p.lag_records,
                    reconciled_at=p.at,
                    open_ours=p.open_ours,
                    open_theirs=p.open_theirs,
                    matches=p.matched,
                    matches_by_hand=p.matched_by_hand,
                )
                for p in reconciliation.progress(tx, book.id)
            ],
            breaks=[
                StandingBreaksOut(
                    source=cast(Any, source), type=cast(Any, type), breaks=many, oldest_seconds=_seconds(since, now)
                )
                for source, type, many, since in reconciliation.standing(tx, book.id)
            ],
            ages=AgesOut(under_a_day=young, under_a_week=week, older=older),
            statements=[told for window in windows if (told := _statement_time(window)) is not None],
        )

    return await call.work(read)


def _stream(tx: ledger.Tx, book: BookFacts) -> StreamOut:
    start, end = ledger.stream.start(tx, book.id), ledger.stream.end(tx, book.id)
    relayed = next((lag for lag in ledger.relay.lags(tx) if lag.book == book.public_id), None)
    return StreamOut(
        records=end - start,
        consumer_lag_records=end - (settlement.offset(tx, book.id) or start),
        relay_lag_records=None if relayed is None else relayed.records,
        relay_lag_seconds=None if relayed is None else round(relayed.seconds, 3),
    )


def _statement_time(window: settlement.Window) -> StatementTimeOut | None:
    if window.closed_at is None:
        return None
    last = {step["step"]: datetime.fromisoformat(step["at"]).astimezone(UTC) for step in window.steps}
    return StatementTimeOut(
        window=ids.show("window", window.id),
        number=window.number,
        closed_at=window.closed_at,
        seconds_to_statement=_seconds(window.closed_at, last["advised"]),
        seconds_to_settled=_seconds(window.closed_at, last["settled"]) if "settled" in last else None,
    )


# -- acting


async def post_run(call: Call[NothingIn]) -> RunOut:
    book = await book_in_path(call)
    done = await call.thread(reconciliation.run, call.server.db, book.id)
    return RunOut(taken=done.taken, matched=done.matched, found=done.found, ended=done.ended)


async def post_match(call: Call[MatchIn]) -> MatchOut:
    book, body = await book_in_path(call), call.body
    made = await call.thread(
        reconciliation.match,
        call.server.db,
        book.id,
        ours=_named("line", body.ours, "/ours"),
        theirs=_named("line", body.theirs, "/theirs"),
        by=call.operator.id,
        reason=body.reason,
    )
    return _match(book, accepted(made))


def _named(what: str, texts: Sequence[str], pointer: str) -> list[UUID]:
    return [names.read(what, text, f"{pointer}/{n}") for n, text in enumerate(texts)]


async def post_split(call: Call[ReasonIn]) -> MatchOut:
    book, id = await reconciled_in_path(call, "match")
    row = await call.thread(reconciliation.split, call.server.db, id, by=call.operator.id, reason=call.body.reason)
    return _match(book, accepted(row))


async def post_explain(call: Call[ReasonIn]) -> BreakDetail:
    return await _step(call, reconciliation.explain)


async def post_resolve(call: Call[ResolveIn]) -> BreakDetail:
    record = names.read_or_none("record", call.body.record, "/record")
    return await _step(call, partial(reconciliation.resolve, record=record))


async def post_merge(call: Call[MergeIn]) -> BreakDetail:
    others = _named("break", call.body.breaks, "/breaks")
    return await _step(call, partial(reconciliation.merge, others=others))


async def _step(call: Call[Any], step: Callable[..., reconciliation.Break | ledger.Refusal]) -> BreakDetail:
    book, id = await reconciled_in_path(call, "break")
    accepted(await call.thread(step, call.server.db, id, by=call.operator.id, reason=call.body.reason))
    return await _detail(call, book, id)


# -- adjusting


def _adjustment(book: BookFacts, operator: UUID, made: reconciliation.Adjustment) -> BreakAdjustmentOut:
    to_merchant = made.debtor_id == operator
    return BreakAdjustmentOut(
        id=ids.show("record", made.id),
        window=ids.show("window", settlement.window_id(book.public_id, made.window)),
        merchant=ids.show("merchant", made.creditor_id if to_merchant else made.debtor_id),
        direction="to_merchant" if to_merchant else "from_merchant",
        amount=amounts.total(book, made.amount_minor),
        state=cast(Any, made.state),
        reason=made.reason,
        proposed_by=ids.show("operator", made.proposed_by),
        proposed_at=made.proposed_at,
        decided_by=names.shown("operator", made.decided_by),
        decided_at=made.decided_at,
        record=names.shown("record", made.record_id),
    )
