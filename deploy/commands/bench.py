"""`manex bench`: speed, as ratios within one run against PostgreSQL's own pgbench on the same server."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from deploy.bench import doors, machine, settling
from deploy.bench import growth as growths
from deploy.bench import picture as pictures
from deploy.bench import place as places
from deploy.bench import posting as postings
from deploy.bench import reads as reading
from deploy.bench import rules as ruling
from deploy.bench.place import Room
from deploy.bench.posting import LOTS, Sizes
from deploy.bench.report import Report, show
from deploy.errors import Refusal


class Part(StrEnum):
    POSTING = "posting"
    HTTP = "http"
    READS = "reads"
    GROWTH = "growth"
    NEXT_OFFER = "next-offer"
    SETTLEMENT = "settlement"
    RULES = "rules"
    PAGES = "pages"
    ALL = "all"


#: Columns of the tables where there is no terminal.
WIDTH = 120

Seconds = Annotated[float, typer.Option(min=0.2, max=300, help="How long a contender works in a round.")]
Rounds = Annotated[int, typer.Option(min=3, max=100, help="How often each contender has its turn.")]
Shops = Annotated[int, typer.Option(min=5, max=2_000, help="Merchants.")]
Members = Annotated[int, typer.Option(min=100, max=1_000_000, help="Wallets.")]
Scale = Annotated[int, typer.Option(min=1, max=1_000, help="pgbench's: so many times 100,000 accounts.")]
Callers = Annotated[int, typer.Option(min=1, max=4_096, help="Requests under way at a time, in each process.")]
Records = Annotated[int, typer.Option(min=1_000, max=1_000_000_000, help="Records that the full book has stored.")]
Place = Annotated[
    Path | None, typer.Option(file_okay=False, exists=True, help="The directory to work in; else a temporary one.")
]
Picture = Annotated[Path | None, typer.Option(dir_okay=False, help="Write the figures as an SVG to this file.")]
Households = Annotated[int | None, typer.Option(min=10, help="next-offer: the first so many of 2,469, not all.")]
Tune = Annotated[bool, typer.Option("--tune", help="next-offer: compare other constants on July to September.")]
Items = Annotated[
    list[int] | None, typer.Option("--items", min=2, max=100_000_000, help="settlement: items of a window; repeat it.")
]
Over = Annotated[
    list[int] | None,
    typer.Option("--merchants", min=5, max=2_000, help="settlement: merchants of a window; repeat it."),
]
Pairs = Annotated[int, typer.Option(min=1, max=50_000_000, help="settlement: pairs that are netted alone.")]
Parties = Annotated[int, typer.Option(min=2, max=1_000_000, help="settlement: merchants that are netted alone.")]
Screens = Annotated[list[str] | None, typer.Option("--screen", help="pages: one of the wallet's screens; repeat it.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def bench(
    part: Annotated[
        Part,
        typer.Argument(
            help="posting, http, reads, growth (loads ten million records first), rules; all of these; settlement;"
            " next-offer; pages."
        ),
    ],
    seconds: Seconds = 10.0,
    rounds: Rounds = 3,
    shops: Shops = 200,
    members: Members = 100_000,
    scale: Scale = 100,
    callers: Callers = 256,
    records: Records = 10_000_000,
    items: Items = None,
    merchants: Over = None,
    parties: Parties = 10_000,
    pairs: Pairs = 2_000_000,
    place: Place = None,
    picture: Picture = None,
    as_json: AsJson = False,
    households: Households = None,
    tune: Tune = False,
    screen: Screens = None,
) -> None:
    """How fast it is, beside PostgreSQL's own pgbench on the same server; how good next offers are, on real baskets.

    posting: in process, one writer and two, one hot shop, against TPC-B, a naive contender and the bare writes. http: a sale
    a request by one and two gateway processes, and batches, on loopback. reads: balances, many at a time, against one pooled
    query each. growth: a book with so many records stored, against one that has just begun; takes long, and tens of GB. rules:
    a sale with a thousand live rules, against one with none.

    next-offer: what members are told they will buy next, against what is most popular and what they bought most often,
    on The Complete Journey's last quarter; needs the demo's packages, and takes some minutes.

    settlement: windows of one, two and four million items over 10, 100 and 1,000 merchants, from consumed to paid, and the
    netting of many merchants alone; takes hours.

    pages: the wallet's main screens in a real Chromium, cold, on a phone of the middle range and a mobile network: the largest
    paint, how much moved, and what came over the line.
    """
    if part is Part.PAGES:
        _pages(screen, rounds, as_json)
        return
    if part is Part.NEXT_OFFER:
        _next_offer(households, tune, as_json)
        return
    if part is Part.SETTLEMENT:
        wanted = settling.Windows()
        windows = settling.Windows(
            tuple(items or wanted.items), tuple(merchants or wanted.merchants), members, parties, pairs
        )
        _settle(windows, place, picture, as_json)
        return
    parts = list(_PARTS) if part is Part.ALL else [part]
    _run(parts, Sizes(seconds, rounds, shops, members, scale, callers, records), place, picture, as_json)


def _next_offer(households: int | None, tune: bool, as_json: bool) -> None:
    from deploy.bench import next_offer

    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    if tune:
        for setting, scores in next_offer.tuned(say, households or next_offer.TUNED_ON):
            typer.echo(json.dumps({**setting._asdict(), **scores}))
        return
    result = next_offer.run(households, say)
    if as_json:
        typer.echo(result.json())
    else:
        next_offer.show(Console(width=max(WIDTH, Console().width)), result)


def _pages(screens: Sequence[str] | None, rounds: int, as_json: bool) -> None:
    from deploy.pages import chromium, scene, speed
    from deploy.pages.screens import MAIN, SCREENS

    wanted = tuple(screens or MAIN)
    if unknown := sorted(set(wanted) - set(SCREENS)):
        raise Refusal(f"no such screen: {', '.join(unknown)}; there are {', '.join(SCREENS)}")
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    with chromium.opened() as browser, scene.made(browser) as place:
        found = speed.as_document(speed.measure(browser, place, wanted, rounds, say), rounds, browser.version)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("screen", "", box=None, pad_edge=False)
    for name in ("LCP", "CLS", "HTML", "JS", "CSS", "total"):
        table.add_column(name, justify="right")
    for each in found["screens"]:
        weight = each["weight"]
        sizes = [f"{weight[kind] / 1024:,.1f} KiB" for kind in ("html", "js", "css", "total")]
        paint = "" if each["lcp_ms"] is None else f"{each['lcp_ms']:,.0f} ms"
        table.add_row(each["screen"], each["language"], paint, f"{each['cls']:.4f}", *sizes)
    console = Console()
    console.print(table)
    console.print(
        f"\n{found['browser']}, cold, 360 wide; processor {speed.CPU_SLOWER} times slower, {speed.DOWN_BITS / 1e6:.1f} Mbit/s"
        f" down, {speed.ROUND_TRIP_MS} ms there and back; medians of {rounds}",
        highlight=False,
    )


def _settle(windows: settling.Windows, at: Path | None, svg: Path | None, as_json: bool) -> None:
    """Figures are printed when every window's book audits clean, and not otherwise."""
    signal.signal(signal.SIGTERM, _interrupted)
    aside = Console(stderr=True)
    if windows.pairs > windows.parties * (windows.parties - 1):
        raise Refusal(f"{windows.parties:,} merchants are not {windows.pairs:,} pairs")
    with places.room(at, windows.most_records, 1) as room:
        curve = settling.run(
            room, windows, machine.seen(_version(room)), lambda text: aside.print(text, style="dim", highlight=False)
        )
    if curve.broken:
        raise Refusal("the books do not audit clean, and so there are no figures:\n" + "\n".join(curve.broken))
    if svg is not None:
        svg.write_text(pictures.of_curve(curve))
    if as_json:
        typer.echo(curve.json())
    else:
        console = Console()
        settling.show(Console(width=max(WIDTH, console.width)), curve)


def _run(parts: Sequence[Part], sizes: Sizes, at: Path | None, svg: Path | None, as_json: bool) -> None:
    """Run parts on one server. Figures are printed when every database of the run audits clean, and not otherwise."""
    signal.signal(signal.SIGTERM, _interrupted)
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    # lots are loaded twice or three times over, by which part it is; a part's databases are gone before the next
    stored = sizes.members * LOTS * 3 + (sizes.records if Part.GROWTH in parts else 0)
    with places.room(at, stored, sizes.scale) as room:
        settings = asdict(sizes)
        if Part.GROWTH not in parts:
            del settings["records"]
        report = Report(machine.seen(_version(room)), settings)
        for part in parts:
            report.parts.append(_PARTS[part](room, sizes, say))
    if report.broken:
        raise Refusal("the books do not audit clean, and so there are no figures:\n" + "\n".join(report.broken))
    if svg is not None:
        svg.write_text(pictures.drawn(report))
    if as_json:
        typer.echo(report.json())
    else:
        console = Console()
        show(Console(width=max(WIDTH, console.width)), report)


_PARTS: Final = {
    Part.POSTING: postings.run,
    Part.HTTP: doors.run,
    Part.READS: reading.run,
    Part.GROWTH: growths.run,
    Part.RULES: ruling.run,
}


def _version(room: Room) -> str:
    with psycopg.connect(room.server.url) as conn:
        row = conn.execute("show server_version").fetchone()
    assert row is not None
    return str(row[0])


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    """As Ctrl-C: what was made is removed on the way out."""
    raise KeyboardInterrupt
