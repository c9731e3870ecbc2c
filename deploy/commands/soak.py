"""`manex soak`: rehearsals that take their time, each on a house of its own in a temporary home."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from deploy.errors import Refusal
from deploy.home import manex_home
from deploy.soak import api as calling
from deploy.soak import brokers as soak_brokers
from deploy.soak import kill as killing
from deploy.soak import steady
from deploy.soak import stream as streaming
from deploy.soak.house import House

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Rehearsals on a house of their own.",
)

GATEWAYS = 2
#: How a steady load is cut: stretches of so long, and no more of them than can be read.
LONGEST_STRETCH_SECONDS = 20.0
LARGEST_TABLE = 60


@app.callback(invoke_without_command=True)
def soak(
    context: typer.Context,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, max=7 * 24 * 60, help="Post for so long, steadily: flat rate, flat memory?")
    ] = None,
    members: Annotated[int, typer.Option(min=100, max=1_000_000, help="Wallets.")] = 20_000,
    shops: Annotated[int, typer.Option(min=5, max=2_000, help="Merchants.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Rehearsals on a house of their own. With --minutes: one load for so long, by two gateways over HTTP.

    The median of the last third of the time is held against that of the middle third. Exits 1 when the rate fell below 0.8
    of it, when private memory of the gateways or of PostgreSQL grew by more than a tenth, or when the books do not audit clean.
    """
    if context.invoked_subcommand is not None:
        return
    if minutes is None:
        typer.echo(context.get_help())
        raise typer.Exit
    seconds = minutes * 60
    stretches = max(steady.FEWEST, min(LARGEST_TABLE, int(seconds // LONGEST_STRETCH_SECONDS)))
    told = steady.rehearse(seconds, stretches, members, shops, lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(told.as_document(), indent=2))
    else:
        Console().print(as_stretches(told))
        for check in told.broken:
            typer.echo(check)
        memory = "memory not known" if told.memory_kept is None else f"{told.memory_kept:.2f} of the memory"
        typer.echo(
            f"\n{told.rate_kept:.2f} of the rate, {memory}, {'flat' if told.flat else 'NOT FLAT'},"
            f" audit {'broken' if told.broken else 'clean'}"
        )
    if told.broken or not told.flat:
        raise typer.Exit(1)


def as_stretches(told: steady.Told) -> Table:
    table = Table("stretch", box=None, pad_edge=False)
    for name in ("a second", "p50", "p99", "gateways", "PostgreSQL"):
        table.add_column(name, justify="right")
    for each in told.stretches:
        waits = ("" if ms is None else f"{ms:,.0f} ms" for ms in (each.p50_ms, each.p99_ms))
        sizes = (
            "" if size is None else f"{size / 2**20:,.0f} MiB" for size in (each.gateways_bytes, each.postgres_bytes)
        )
        table.add_row(str(each.number), f"{each.rate:,.0f}", *waits, *sizes)
    return table


@app.command()
def kill(
    rounds: Annotated[int, typer.Option(min=1, max=1_000, help="How many deaths.")] = 6,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long a round posts.")] = 5.0,
    seed: Annotated[int | None, typer.Option(help="Who dies when; chosen and told when not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Kill -9 a gateway or the database server under load, each round, and prove that nothing acknowledged was lost.

    In doubt is what was not answered at first; it is sent again until it is decided, and "posted" says how much of it
    had been posted before. Silence is the longest time without any answer. Exits 1 when something was; its home is then kept.
    """
    os.environ.pop("MANEX_DATABASE_URL", None)  # nobody else's database is for this
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    place = Path(tempfile.mkdtemp(prefix="manex-soak-"))
    told: list[killing.Round] = []
    clean = False
    try:
        with House(place / "home", GATEWAYS) as house:
            for each in killing.rehearse(house, rounds, seconds, random.Random(chosen)):
                told.append(each)
                typer.echo(f"round {each.number}: {each.victim}, {'clean' if each.clean else 'WRONG'}", err=True)
        clean = all(each.clean for each in told)
    finally:
        if clean:
            shutil.rmtree(place, ignore_errors=True)
        else:
            typer.echo(f"seed {chosen}; the home is kept: {place}", err=True)
    if as_json:
        typer.echo(json.dumps(killing.as_document(told, chosen), indent=2))
    else:
        console = Console()
        console.print(as_table(told))
        for each in told:
            for line in each.wrong:
                console.print(f"round {each.number}: {line}", style="red", highlight=False)
        console.print(f"\n{'clean' if clean else 'not clean'}, seed {chosen}", style="bold", highlight=False)
    if not clean:
        raise typer.Exit(1)


@app.command()
def stream(
    rounds: Annotated[int, typer.Option(min=1, max=1_000, help="How many deaths.")] = 8,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long a round posts.")] = 6.0,
    brokers: Annotated[
        str, typer.Option(help="kafka: three of Apache Kafka's; memory: one that keeps nothing.")
    ] = "kafka",
    seed: Annotated[int | None, typer.Option(help="Where and when; chosen and told when not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Kill -9 a broker, the relay, the consumer and PostgreSQL in turn, under load, and prove the stream by a witness.

    Three real brokers need Java and Maven, which fetches Apache Kafka's jars once. The one in memory comes with the
    packages of the tests; what it takes along when it dies is read from the ledger, and told. Exits 1 when an acknowledged
    fact was lost, doubled or out of order within a key, or derived otherwise; its home is then kept.
    """
    os.environ.pop("MANEX_DATABASE_URL", None)  # nobody else's database is for this
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    place = Path(tempfile.mkdtemp(prefix="manex-soak-"))
    told: list[streaming.Round] = []
    clean = False
    try:
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(soak_brokers.made(brokers, place))
            kafka = {"MANEX_KAFKA_URL": made.url, "MANEX_KAFKA_REPLICAS": str(made.count)}
            house = stack.enter_context(House(place / "home", GATEWAYS, kafka))
            for each in streaming.rehearse(house, made, rounds, seconds, random.Random(chosen)):
                told.append(each)
                typer.echo(f"round {each.number}: {each.victim}, {'clean' if each.clean else 'WRONG'}", err=True)
        clean = all(each.clean for each in told)
    finally:
        if clean:
            shutil.rmtree(place, ignore_errors=True)
        else:
            typer.echo(f"seed {chosen}; the home is kept: {place}", err=True)
    found = streaming.as_document(told, chosen, soak_brokers.named(brokers))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        console = Console()
        console.print(as_rounds(told))
        for each in told:
            for line in each.wrong:
                console.print(f"round {each.number}: {line}", style="red", highlight=False)
        total = found["total"]
        console.print(
            f"\non {found['brokers']}: {total['acknowledged']:,} acknowledged; lost {total['lost']}, doubled"
            f" {total['doubled']}, out of order within a key {total['out_of_order']}",
            highlight=False,
        )
        console.print(f"{'clean' if clean else 'not clean'}, seed {chosen}", style="bold", highlight=False)
    if not clean:
        raise typer.Exit(1)


def as_rounds(rounds: list[streaming.Round]) -> Table:
    table = Table("round", "killed", box=None, pad_edge=False)
    # out of order: within a key; differ: derived tables that the direct road gives otherwise
    columns = ("posted", "seen", "again", "refilled", "lost", "doubled", "disorder", "differ")
    for name in (*columns, "settled", "audit"):
        table.add_column(name, justify="right")
    for each in rounds:
        figures = (each.acknowledged, each.seen, each.seen_again, each.from_ledger)
        faults = (each.lost, each.doubled, each.out_of_order, each.differing)
        shown = [f"{figure:,}" for figure in (*figures, *faults)]
        audit = "clean" if not each.broken_checks else f"{each.broken_checks} broken"
        table.add_row(str(each.number), each.victim, *shown, f"{each.settled_seconds:.1f} s", audit)
    return table


@app.command()
def api(
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long it goes on.")] = 300.0,
    seed: Annotated[int | None, typer.Option(help="Which sequences; chosen and told when not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Sequences of calls made up from the API's document: no fault of ours, no answer untold, the books proven at the end.

    Exits 1 at the first answer that must not be; the home is then kept.
    """
    os.environ.pop("MANEX_DATABASE_URL", None)  # nobody else's database is for this
    chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
    place = Path(tempfile.mkdtemp(prefix="manex-soak-"))
    clean = False
    try:
        with House(place / "home", GATEWAYS) as house:
            report = calling.rehearse(
                house, seconds, chosen, lambda so_far: typer.echo(f"{so_far.calls:,} calls", err=True)
            )
        clean = report.clean
    finally:
        if clean:
            shutil.rmtree(place, ignore_errors=True)
        else:
            typer.echo(f"seed {chosen}; the home is kept: {place}", err=True)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report) | {"clean": clean}, indent=2))
    else:
        Console().print(as_answers(report))
        for fault in report.faults:
            typer.echo(fault)
        typer.echo(
            f"\n{report.calls:,} calls, {len(report.done)} of {len(report.answers)} operations done,"
            f" {report.broken_checks} checks broken, {'clean' if clean else 'not clean'}, seed {chosen}"
        )
    if not clean:
        raise typer.Exit(1)


@app.command()
def pages(
    screen: Annotated[
        list[str] | None, typer.Option("--screen", help="One of the wallet's screens; repeat it.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Look at all of them, whatever was seen before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Every screen of the wallet in both languages and looks, narrow and wide, in a real Chromium.

    Each must break none of axe's rules, be no wider than the window, and ask nothing of anybody else. What was seen to be
    well is remembered in Manex's home until the pages change, so a run that was stopped goes on. Exits 1 when something
    is wrong.
    """
    from deploy.pages import chromium, matrix, scene
    from deploy.pages.screens import SCREENS, every_way

    if unknown := sorted(set(screen or ()) - set(SCREENS)):
        raise Refusal(f"no such screen: {', '.join(unknown)}; there are {', '.join(SCREENS)}")
    ways, file, of = every_way(screen or SCREENS), manex_home() / "soak-pages.jsonl", matrix.version()
    known = [] if again else matrix.remembered(file, of)
    seen = {each.way for each in known}
    left = [way for way in ways if str(way) not in seen]
    told = [each for each in known if each.way in {str(way) for way in ways}]
    chromium.wanted()
    matrix.begin(file, of, known)
    if left:
        with chromium.opened() as browser, scene.made(browser) as place:
            for each in matrix.look(browser, place, left):
                told.append(each)
                matrix.remember(file, each)
                typer.echo(f"{len(told)} of {len(ways)}: {each.way}{', WRONG' if each.faults else ''}", err=True)
    wrong = [each for each in told if each.faults]
    if as_json:
        typer.echo(json.dumps({"looked_at": len(told), "wrong": msgspec.to_builtins(wrong)}, indent=2))
    else:
        for each in wrong:
            for fault in each.faults:
                typer.echo(f"{each.way}: {fault}")
        typer.echo(f"{len(told)} ways of {len(ways)} looked at, {len(wrong)} wrong")
    if wrong:
        raise typer.Exit(1)


def as_answers(report: calling.Report) -> Table:
    table = Table("operation", box=None, pad_edge=False)
    for name in ("2xx", "4xx", "5xx"):
        table.add_column(name, justify="right")
    for operation, by_status in sorted(report.answers.items()):
        figures = [sum(n for status, n in by_status.items() if status // 100 == kind) for kind in (2, 4, 5)]
        table.add_row(operation, *(f"{figure:,}" for figure in figures))
    return table


def as_table(rounds: list[killing.Round]) -> Table:
    table = Table("round", "killed", box=None, pad_edge=False)
    for name in ("sent", "answered", "in doubt", "posted", "lost", "doubled", "changed", "silence", "audit"):
        table.add_column(name, justify="right")
    for each in rounds:
        figures = (each.sent, each.acknowledged, each.in_doubt, each.had_been_posted)
        faults = (each.lost, each.doubled, each.changed)
        shown = [f"{figure:,}" for figure in (*figures, *faults)]
        audit = "clean" if not each.broken_checks else f"{each.broken_checks} broken"
        table.add_row(str(each.number), each.victim, *shown, f"{each.silence_seconds:.1f} s", audit)
    return table
