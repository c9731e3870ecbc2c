"""`manex audit`: every rule of the books proved again from their raw rows, while the house is open."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final
from uuid import UUID

import psycopg
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import ledger.audit
import merchants.trade.audit
import settlement.audit
from deploy import books, postgres
from deploy.errors import Refusal
from deploy.home import manex_home
from ledger.audit import Check, Finding, Report

#: Where else the books may be, beside the house's own database.
DEMO: Final = "manex_demo"

#: Every package's checks, from the ground floor up.
CHECKS: Final[list[Check]] = [*ledger.audit.CHECKS, *merchants.trade.audit.CHECKS, *settlement.audit.CHECKS]


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    book: Annotated[str | None, typer.Option(metavar="ID", help="One book only: its bok_... or number.")] = None,
    database: Annotated[
        str | None, typer.Option(help=f"The database of this home: by default the house's own, else {DEMO}.")
    ] = None,
) -> None:
    """Exits 1 when a check fails, and names the first rows that break it."""
    with postgres.reached(manex_home()) as server:
        report = audited(server.dsn(database) if database else books.where(server, DEMO), book)
    if as_json:
        typer.echo(as_document(report))
    else:
        show(Console(), report)
    if not report.clean:
        raise typer.Exit(1)


def audited(url: str, book: str | None = None) -> Report:
    """Prove the books of a database; a terminal is told what is being proved."""
    try:
        with Console(stderr=True).status("") as status:
            return ledger.audit.run(
                url,
                CHECKS,
                book=_book(book),
                begins=lambda check: status.update(f"{check.name}: {check.proves}"),
            )
    except ledger.errors.BookNotFound:
        raise Refusal(f"there is no book {book}") from None
    except psycopg.Error as error:
        raise Refusal(f"the database cannot be audited: {error}") from error


def show(console: Console, report: Report) -> None:
    console.print(as_table(report))
    for finding in report.findings:
        if not finding.ok:
            _tell(console, finding)
    broken = sum(not finding.ok for finding in report.findings)
    verdict = f"{broken} of {len(report.findings)} checks are broken" if broken else "clean"
    seconds = sum(finding.seconds for finding in report.findings)
    console.print(f"\n{verdict}, {seconds:.1f} s", style="bold red" if broken else "bold green", highlight=False)


def as_document(report: Report) -> str:
    return json.dumps(report.document, ensure_ascii=False, indent=2)


def as_table(report: Report) -> Table:
    table = Table("check", "verdict", box=None, pad_edge=False)
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    for finding in report.findings:
        verdict = Text("ok", "green") if finding.ok else Text("broken", "bold red")
        table.add_row(finding.name, verdict, f"{finding.rows:,}", f"{finding.seconds:.2f}")
    return table


def _tell(console: Console, finding: Finding) -> None:
    """What a broken check would prove, and the rows that stand against it."""
    console.print(f"\n{finding.name}", style="bold red", highlight=False)
    console.print(f"  should hold: {finding.proves}", highlight=False)
    for row in finding.offending:
        console.print(Text("  " + _line(row)), soft_wrap=True)


def _line(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _book(text: str | None) -> int | UUID | None:
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return int(text)
    found = ledger.ids.read("book", text)
    if found is None:
        raise Refusal(f"a book is bok_ and 32 hexadecimal digits, or a number; {text} is neither")
    return found
