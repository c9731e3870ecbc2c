"""A statement as a workbook: its figures, its counterparties, every item. Written row by row, whatever their number."""

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Final
from uuid import UUID

import ledger
from settlement.papers import statements
from settlement.papers.statements import Statement
from settlement.store import ItemRow

#: Rows of a sheet end here; a longer statement goes on in another.
LONGEST_SHEET: Final = 1_000_000


def write(
    out: BinaryIO,
    statement: Statement,
    items: Iterable[ItemRow],
    names: Mapping[UUID, str],
    longest: int = LONGEST_SHEET,
) -> None:
    """Text stays text: a cell that begins as a formula does is no formula."""
    # a second of a gateway's start, for what few callers ask
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book = Workbook(write_only=True)
    figures = book.create_sheet("Statement")
    for figure in _figures(statement, names):
        figures.append(_cells(figure))
    others = book.create_sheet("Counterparties")
    others.append(["counterparty", "name", "accepted_points", "receivable_minor", "redeemed_points", "payable_minor"])
    for other in statement.counterparties:
        told = (other.accepted_points, other.receivable_minor, other.redeemed_points, other.payable_minor)
        called = statements.party_name(statement.book, other.party_id, names)
        others.append(_cells([statements.party_shown(statement.book, other.party_id), called, *told]))
    sheet, rows = None, 0
    for row in items:
        line = statements.cells_of(statement, row, names)
        if sheet is None or rows == longest:
            sheet, rows = book.create_sheet("Items"), 0
            sheet.append(list(line))
        sheet.append(_cells(line.values()))
        rows += 1
    if sheet is None:
        book.create_sheet("Items")
    book.save(out)


def _figures(statement: Statement, names: Mapping[UUID, str]) -> list[list[Any]]:
    window, position, book = statement.window, statement.position, statement.book
    show = ledger.ids.show
    return [
        ["statement", show("statement", statement.id)],
        ["network", book.network],
        ["merchant", show("merchant", statement.merchant_id)],
        ["name", names.get(statement.merchant_id, "")],
        ["window", window.number],
        ["opened_at", window.opened_at.isoformat()],
        ["closed_at", window.closed_at.isoformat() if window.closed_at else ""],
        ["first_sequence", window.first_sequence],
        ["last_sequence", window.last_sequence],
        ["ledger_hash", window.ledger_hash.hex() if window.ledger_hash else ""],
        ["positions_hash", window.positions_hash.hex() if window.positions_hash else ""],
        ["currency", book.currency],
        ["exponent", book.exponent],
        ["items", position.items],
        ["own_points", statement.own_points],
        ["receivable_minor", position.receivable_minor],
        ["payable_minor", position.payable_minor],
        ["fee_millionths", position.fee.millionths],
        ["carry_in_millionths", position.fee.carry_in],
        ["fee_minor", position.fee.minor],
        ["carry_out_millionths", position.fee.carry_out],
        ["position_minor", position.position_minor],
        ["backing_minor", position.backing_minor],
        ["account_minor", position.account_minor],
    ]


def _cells(row: Iterable[Any]) -> list[Any]:
    """Numbers that a spreadsheet holds exactly are numbers; longer ones and all else are text, made harmless."""
    return [
        (cell if abs(cell) < 10**15 else str(cell)) if isinstance(cell, int) else statements.harmless(cell)
        for cell in row
    ]
