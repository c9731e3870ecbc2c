"""`manex offers`: measuring, rehearsed on real baskets."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.errors import Refusal
from deploy.home import manex_home
from deploy.measure import aa as trials
from deploy.measure import campaigns, year

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="What hold-outs show, rehearsed on real baskets.",
)


@app.callback()
def group() -> None:
    """What hold-outs show, rehearsed on real baskets."""


@app.command()
def aa(
    runs: Annotated[int, typer.Option(min=10, max=1_000_000, help="How many hold-outs are drawn.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same hold-outs.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Hold-outs of offers that do nothing, over The Complete Journey's baskets: how often something is found all the same.

    Exits 1 when that is not what is promised: 3 to 7 % at one look, at most 5 % of those who look every week.
    """
    bought = year.read(_cache())
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("hold-outs", total=runs)
        found = trials.run(bought, runs, seed, tick=lambda: progress.advance(task))
    if as_json:
        typer.echo(json.dumps(_aa_document(found), indent=2))
    else:
        _show_aa(Console(), found)
    if not found.sound:
        raise typer.Exit(1)


_TOLD = (
    ("once", "one look at the end (Welch)", "3 to 7 %"),
    ("once_adjusted", "the same, less what was before (CUPED)", "3 to 7 %"),
    ("naive", "a look every week, by what is made for one", "too many"),
    ("every_look", "a look every week, by what is made for it", "at most 5 %"),
    ("every_look_adjusted", "the same, less what was before (CUPED)", "at most 5 %"),
)


def _aa_document(found: trials.Found) -> dict[str, Any]:
    told: dict[str, Any] = {"runs": found.runs, "households": found.households, "looks": found.looks}
    for name, _, wanted in _TOLD:
        each: trials.Share = getattr(found, name)
        told[name] = {**dataclasses.asdict(each), "share": each.share, "wanted": wanted}
    return {**told, "sound": found.sound}


def _show_aa(console: Console, found: trials.Found) -> None:
    console.print(
        f"{found.runs:,} hold-outs of a fifth of {found.households:,} households, and no offer; {found.looks} weekly looks",
        highlight=False,
    )
    table = Table("false positives at 95 %", box=None, pad_edge=False)
    for name in ("found", "95 % interval", "wanted"):
        table.add_column(name, justify="right")
    for name, words, wanted in _TOLD:
        each: trials.Share = getattr(found, name)
        table.add_row(words, f"{each.share:.1%}", f"{each.low:.1%} to {each.high:.1%}", wanted)
    console.print(table)
    verdict = "as promised" if found.sound else "not as promised"
    console.print(verdict, style="bold green" if found.sound else "bold red")


@app.command()
def journey(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw it as well, into this file.")] = None,
) -> None:
    """The Complete Journey's 27 campaigns with their coupons, as offers: who got them, what was redeemed, and a comparison.

    Nobody was held out in that data, so nothing here shows what a campaign caused. The words below the figures say more.
    """
    cache = _cache()
    rows = campaigns.compare(year.read(cache), campaigns.prepared(cache))
    if svg is not None:
        try:
            svg.write_text(campaigns.chart(rows), encoding="utf-8")
        except OSError as error:
            raise Refusal(f"{svg} cannot be written: {error.strerror}") from None
    if as_json:
        told = {
            "currency": "USD",
            "unit": "cents a household and week",
            "experiment": False,
            "campaigns": msgspec.to_builtins(rows),
            "says": campaigns.SAYS,
            "says_not": campaigns.SAYS_NOT,
        }
        typer.echo(json.dumps(told, indent=2))
    else:
        _show_journey(Console(), rows)


def _show_journey(console: Console, rows: list[campaigns.Compared]) -> None:
    console.print("A comparison, not an experiment: dollars a household and week\n", highlight=False)
    table = Table("campaign", "type", "from", "to", box=None, pad_edge=False)
    for name in ("households", "redeemed", "by", "difference", "95 %", "p", "Holm", "before", "p"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.id),
            row.type.removeprefix("Type "),
            _day(row.begins),
            _day(row.ends),
            f"{row.households:,}",
            str(row.redeemed),
            str(row.redeemers),
            _dollars(row.difference),
            "" if row.low is None else f"{_dollars(row.low)} to {_dollars(row.high)}",
            _p(row.p_value),
            _p(row.holm_p_value),
            _dollars(row.before),
            _p(row.before_p_value),
        )
    console.print(table)
    for words in (*campaigns.SAYS, *campaigns.SAYS_NOT):
        console.print(f"\n· {words}", highlight=False)


def _day(day: date) -> str:
    return f"{day:%Y-%m-%d}"


def _dollars(cents: float | None) -> str:
    return "-" if cents is None else f"{cents / 100:.2f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<.0001" if value < 0.0001 else f"{value:.4f}"


def _cache() -> Path:
    """Where the demo keeps the prepared data as well."""
    return manex_home() / "demo" / "cache"
