"""`manex simulate`: random histories told to the real ledger and to a plain model, in a database of their own; and what a
real house's own sales would have come to under other rules."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy import books, config, postgres
from deploy.commands.audit import DEMO
from deploy.errors import Refusal
from deploy.home import manex_home
from deploy.programme import picture, reading
from deploy.programme import running as programmes
from deploy.simulate import database, faults, running
from deploy.simulate.asking import Step
from deploy.simulate.plain import Expected
from deploy.simulate.plots import Plot
from deploy.simulate.real import Simulated
from deploy.simulate.running import Failure, Run
from merchants import whatif

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Random histories in a database of their own, and a house's own sales under other rules.",
)


@app.callback()
def simulate() -> None:
    """Random histories in a database of their own, and a house's own sales under other rules."""


@app.command("programme")
def of_programme(
    rules: Annotated[
        Path,
        typer.Option("--rules", metavar="FILE", help="YAML or JSON: terms by merchant's id or name; '*' is the rest."),
    ],
    merchant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Change the rules of this one only: its mer_... or name.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=whatif.LONGEST_DAYS, help="Today and the days before it.")] = 30,
    book: Annotated[
        str | None, typer.Option(metavar="ID", help="Where there are several: its bok_... or number.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw it as well, into this file.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The home to look in; by default this one's.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help=f"The database of that home: by default the house's own, else {DEMO}.")
    ] = None,
) -> None:
    """What the sales of the last days would have earned under new rules, and what that would come to. Nothing is written."""
    new = reading.read(rules)
    home = manex_home() if data is None else data.absolute()
    configured = config.text("MANEX_DATABASE_URL")
    if data is not None and configured:
        raise Refusal("--data is a home with a database of its own, and MANEX_DATABASE_URL says another")
    if not configured and not (home / "postgres").is_dir():
        raise Refusal(f"there is no house at {home}: manex demo makes one")
    with postgres.reached(home) as server, _members() as went:
        url = server.dsn(database) if database else books.where(server, DEMO)
        told = programmes.simulated(url, new, days, merchant=merchant, named=book, went=went)
    if svg is not None:
        try:
            svg.write_text(picture.drawn(told), encoding="utf-8")
        except OSError as error:
            raise Refusal(f"{svg} cannot be written: {error.strerror}") from None
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        programmes.show(Console(emoji=False), told)


@contextlib.contextmanager
def _members() -> Iterator[Callable[[int, int], None]]:
    """How far it is, on a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("members"), BarColumn(), TextColumn("{task.completed:,.0f}"), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, of: progress.update(task, completed=done, total=max(done, of))


@app.command("ledger")
def of_ledger(
    seeds: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many histories.")] = 100,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 0,
    steps: Annotated[int, typer.Option(min=1, max=1_000, help="How many groups of operations a history has.")] = (
        running.STEPS
    ),
    seed: Annotated[int | None, typer.Option(min=0, help="This one only, every step told.")] = None,
    fault: Annotated[str | None, typer.Option(metavar="NAME", help="Plant a fault; 'list' names them.")] = None,
    prove_every: Annotated[int, typer.Option(min=1, help="Audit and empty the database after so many seeds.")] = 50,
) -> None:
    """Post random histories of every operation, and compare everything with a plain model after every batch.

    The first seed on which they differ is told with the shortest history found that shows it, and the exit code is 1.
    The same seed and steps always make the same history.
    """
    console = Console(emoji=False)  # an account of the taxi's is not a picture
    if fault == "list":
        for each in faults.FAULTS.values():
            console.print(f"{each.name:<28} {each.rule}", highlight=False)
        return
    if fault is not None and fault not in faults.FAULTS:
        raise Refusal(f"there is no fault {fault}; --fault list names them")
    os.environ.pop("MANEX_DATABASE_URL", None)  # nobody else's database is for this
    logging.disable(logging.CRITICAL)  # a failure is told below, not in a log
    sought = faults.FAULTS[fault] if fault else None
    begins = sought.begins if sought else None
    with database.temporary() as url, faults.planted(sought):
        if seed is not None:
            failed = _one(console, url, seed, steps, begins)
        else:
            failed = _many(console, url, first, seeds, steps, prove_every, begins)
    if failed is not None:
        planted = f" --fault {fault}" if fault else ""
        console.print(f"\nagain: ./manex simulate ledger --seed {failed} --steps {steps}{planted}", highlight=False)
        raise typer.Exit(1)


def _one(console: Console, url: str, seed: int, steps: int, begins: Plot | None) -> int | None:
    """Every step of one seed, which is returned when it fails."""

    def tell(step: int, answered: Sequence[tuple[Step, Expected]]) -> None:
        console.print(f"step {step}", style="bold", highlight=False)
        for operation, answer in answered:
            facts = ", ".join(f"{name} {value}" for name, value in answer.facts.items())
            console.print(f"  {operation}\n    {answer.code or 'accepted'} {facts}", highlight=False, soft_wrap=True)

    simulated = Simulated.open(url)
    try:
        run = running.play(simulated, seed, steps, tell, begins)
        if run.failure is not None:
            _explain(console, simulated, run, run.failure)
            return seed
    finally:
        simulated.close()
    return seed if _proved(console, url, f"seed {seed}") else None


def _many(
    console: Console, url: str, first: int, seeds: int, steps: int, prove_every: int, begins: Plot | None
) -> int | None:
    """Seed after seed, until one fails, which is returned."""
    all_kinds: Counter[str] = Counter()
    all_codes: Counter[str] = Counter()
    all_reached: Counter[str] = Counter()
    began = time.monotonic()
    simulated = Simulated.open(url)
    columns = (
        TextColumn("seed {task.fields[seed]}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("", total=seeds, seed=first, rate="")
            for seed in range(first, first + seeds):
                run = running.play(simulated, seed, steps, begins=begins)
                all_kinds += run.kinds
                all_codes += run.codes
                all_reached += run.reached
                done = seed - first + 1
                rate = f"{done / (time.monotonic() - began):.1f} seeds/s, {sum(all_kinds.values()):,} operations"
                progress.update(task, advance=1, seed=seed, rate=rate)
                if run.failure is not None:
                    progress.stop()
                    _explain(console, simulated, run, run.failure)
                    return seed
                if done % prove_every == 0 or done == seeds:
                    if _proved(console, url, f"seeds {max(first, seed - prove_every + 1)} to {seed}"):
                        return seed
                    database.empty(url)
    finally:
        simulated.close()
    for title, counted in (("operation", all_kinds), ("answer", all_codes), ("road", all_reached)):
        console.print(_counted(title, counted))
    seconds = time.monotonic() - began
    console.print(
        f"\n{seeds:,} seeds from {first}, {sum(all_kinds.values()):,} operations, {seeds / seconds:.1f} seeds/s: all as the"
        " plain model has it, and the audit is clean",
        style="bold green",
        highlight=False,
    )
    return None


def _counted(title: str, counted: Counter[str]) -> Table:
    table = Table(title, box=None, pad_edge=False)
    table.add_column("times", justify="right")
    for name, times in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(name, f"{times:,}")
    return table


def _proved(console: Console, url: str, which: str) -> bool:
    """Whether the audit found something, which is told."""
    findings = database.proved(url)
    for finding in findings:
        console.print(f"{which}: the audit finds {finding.name} broken: {finding.proves}", style="bold red")
        for row in finding.offending:
            console.print(f"  {row}", highlight=False, soft_wrap=True)
    return bool(findings)


def _explain(console: Console, simulated: Simulated, run: Run, failure: Failure) -> None:
    """The seed, the step, the shortest history found, and what each side says."""
    console.print(f"seed {run.seed} fails at step {failure.step}", style="bold red", highlight=False)
    shortest = running.shortened(simulated, run.seed, failure)
    console.print(f"{sum(len(group) for group in shortest.history)} operations are enough; a blank line ends a batch:")
    for group in shortest.history:
        console.print()
        for operation in group:
            console.print(f"  {operation}", highlight=False, soft_wrap=True)
    console.print("\nthen", style="bold")
    for line in shortest.told:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
