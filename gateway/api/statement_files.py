"""A statement as a file: CSV, workbook, paper, page, and signed JSON. Written beside the loop and whole before it is sent."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final, NamedTuple

import ledger
import settlement
from gateway import store
from gateway.api.shapes import StatementIn
from gateway.calls import Call, Download
from gateway.problems import Problem
from gateway.server import Server

SIGNED: Final = "application/vnd.manex.statement+json"


class _Kind(NamedTuple):
    media_type: str
    suffix: str


KINDS: Final[dict[str, _Kind]] = {
    "csv": _Kind("text/csv; charset=utf-8", "csv"),
    "xlsx": _Kind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "pdf": _Kind("application/pdf", "pdf"),
    "signed": _Kind(SIGNED, "json"),
    "html": _Kind("text/html; charset=utf-8", "html"),
}
#: What a caller may accept, and the format it names.
ACCEPTED: Final = {kind.media_type.partition(";")[0]: name for name, kind in KINDS.items()}


def format_of(call: Call[Any]) -> str:
    """The format that is asked for by the query, else by Accept; else JSON."""
    asked: StatementIn = call.query
    if asked.format is not None:
        return asked.format
    accept: Mapping[bytes, bytes] = call.sent
    first = accept.get(b"accept", b"").split(b",")[0].split(b";")[0].strip()
    return ACCEPTED.get(first.decode("latin-1"), "json")


Reading = Callable[[], AbstractContextManager[ledger.Tx]]


async def file(call: Call[Any], statement: settlement.Statement, format: str, reading: Reading) -> Download:
    """`reading` opens what the items are read with: a tenant's eyes, or an operator's."""
    asked: StatementIn = call.query
    return await call.thread(_written, call.server, statement, format, asked.language or _language(call), reading)


def _language(call: Call[Any]) -> str:
    """The language that a browser asks for first, if it is one of ours."""
    sent: Mapping[bytes, bytes] = call.sent
    return "fa" if sent.get(b"accept-language", b"").strip().lower().startswith(b"fa") else "en"


#: A page is styled by itself and does nothing else, wherever it is opened from.
_OF_PAGE: Final = (
    (b"content-security-policy", settlement.page.POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"accept, accept-language, authorization"),
)


def _written(server: Server, statement: settlement.Statement, format: str, language: str, reading: Reading) -> Download:
    sealed = called = None
    payments: list[settlement.Payment] = []
    if format in ("signed", "pdf", "html"):
        # who comes while another seals is asked to come again: a thread that waited would be one that serves nobody
        settlement.sealing.catch_up(server.db, statement.book.id, server.proofs.sealing(), wait=False)
    with server.db.tx("door") as tx:
        if format != "signed":
            called = store.names(tx, statement.book.id)
        if format in ("signed", "pdf", "html"):
            sealed = settlement.sealing.sealed(tx, statement)
            if sealed is None and format != "html":
                raise Problem("unavailable", "the window is being sealed", headers=((b"retry-after", b"5"),))
        if format in ("pdf", "html"):
            every = settlement.payments(tx, statement.book.id, statement.window.number)
            payments = [payment for payment in every if payment.party_id == statement.merchant_id]
    # written to a file of nobody's: what fails half-way leaves nothing, and nothing was sent
    out = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        if format == "pdf":
            assert sealed is not None
            try:
                settlement.paper.write(out, statement, sealed, payments, called or {}, language)
            except settlement.paper.NoFont as lack:
                raise Problem("unavailable", str(lack), headers=((b"retry-after", b"3600"),)) from None
        else:
            with reading() as tx:
                items = settlement.statements.items(tx, statement)
                if format == "csv":
                    _lines(out, (t.encode() for t in settlement.statements.as_csv(statement, items, called)))
                elif format == "html":
                    told = settlement.page.html(statement, sealed, payments, items, called or {}, language)
                    out.write(told.encode())
                elif format == "xlsx":
                    settlement.workbook.write(out, statement, items, called or {})
                else:
                    assert sealed is not None
                    _lines(out, settlement.sealing.document(sealed, statement.merchant_id, items))
        size = out.tell()
        out.seek(0)
    except BaseException:
        out.close()
        raise
    kind = KINDS[format]
    if format == "html":
        return Download(out, size, kind.media_type.encode(), _OF_PAGE)
    name = f'attachment; filename="statement-{statement.window.number}.{kind.suffix}"'.encode()
    return Download(out, size, kind.media_type.encode(), ((b"content-disposition", name),))


def _lines(out: BinaryIO, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        out.write(piece)
