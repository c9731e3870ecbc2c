"""`manex demo`: a coalition of shops lives through a year of real baskets and settles each week."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import psycopg
import typer
import uvloop
from psycopg import sql
from rich import progress as bars
from rich.console import Console

import ledger
import wallet_app
from deploy import postgres
from deploy.commands import db
from deploy.commands.audit import audited
from deploy.demo import build, journey, plan, report, state
from deploy.demo.drive import Driver, Progress
from deploy.demo.serving import ApiServer
from deploy.demo.wire import Wire
from deploy.errors import Refusal
from deploy.home import manex_home
from deploy.migrate import migrate
from gateway import operator_keys

#: The demo's own, so that it never touches what a user keeps on the same server.
DATABASE: Final = "manex_demo"
LABEL: Final = "manex demo"
WAIT_SECONDS: Final = 60
SEED: Final = 1


def demo(
    days: Annotated[int | None, typer.Option(min=1, max=365, help="Only the first days of the year.")] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End with the report.")] = False,
    via: Annotated[Literal["single", "batch"], typer.Option(help="One by one, or through /v1/batches.")] = "single",
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides what members do.")] = SEED,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: print the figures as JSON.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it is served, on 127.0.0.1; 0: a free one.")
    ] = 8000,
) -> None:
    """Replay a year of real baskets through the API, settle each week, show what came of it and serve it.

    Stopped or killed at any moment it goes on where it was when it is run again.
    """
    files = state.Files(manex_home() / "demo")
    with _alone(files.folder), _server(manex_home()) as server:
        begun = None if fresh else files.read()
        _same(begun, seed, days)
        if not fresh:
            _ours(begun, server)
        if begun is None or begun.book is None:
            begun = _begin(files, server, seed, days)
        url = server.dsn(DATABASE)
        migrate(url)
        try:
            uvloop.run(_run(files, begun, url, port, via=via, as_json=as_json, serve=not no_serve))
        except KeyboardInterrupt:
            typer.echo("\nStopped; the next start goes on where it was.", err=True)
            raise typer.Exit(130) from None


async def _run(
    files: state.Files, begun: state.State, url: str, port: int, *, via: str, as_json: bool, serve: bool
) -> None:
    console = Console(stderr=as_json)
    began = time.monotonic()
    with ApiServer(url, port, files.folder / "server.log") as server:
        await server.ready()
        async with Wire(server.base, server.revive) as wire:
            if begun.book is None:
                begun = await build.build(wire, begun)
                files.write(begun)
            year = journey.prepared(files.cache)
            journal = state.Journal(files.journal)
            with contextlib.closing(journal), _progress(begun) as progress:
                driver = Driver(wire, begun, journal, via=via, progress=progress)
                gc.freeze()
                await driver.replay(journey.hours(year))
            if begun.seconds is None:
                begun = msgspec.structs.replace(begun, seconds=round(time.monotonic() - began, 1))
                files.write(begun)
            found = await report.read(wire, begun)
        _agree(found, begun, driver)
        found = msgspec.structs.replace(found, audit=_audit(url), seconds=begun.seconds)
        if as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
            sys.stdout.flush()
        else:
            report.show(console, found, server.base if serve else "")
        if found.audit != "clean":
            raise Refusal("the audit found what must not be: manex audit names the rows")
        if serve:
            await _serve(console, server, driver.telephone)


async def _serve(console: Console, server: ApiServer, telephone: str | None) -> None:
    """Until Ctrl-C or SIGTERM. `telephone`: of a member to sign in as."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print(f"\nServing on {server.base} (Ctrl-C ends it)")
    if telephone is not None:
        console.print(f"The wallet of a member: {server.base}{wallet_app.ROOT}/")
        console.print(f"Sign in with {telephone}; the code is said here.")
        server.say = lambda text: console.print(text, markup=False, highlight=False)
    while not stop.is_set():
        if server.dead:
            await server.revive()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)


def _agree(found: report.Report, begun: state.State, driver: Driver) -> None:
    """What the API says is what was sent: nothing was lost, nothing done twice."""
    points = found.points
    for what, told, sent in (
        ("baskets", found.baskets, begun.plan.baskets(begun.days)),
        ("baskets", found.baskets, driver.baskets),
        ("points redeemed", points.redeemed - points.repaid, driver.redeemed - driver.restored),
        ("points issued", points.issued, points.redeemed + points.expired + points.returned + points.outstanding),
        ("points given", points.given, driver.given),
        ("points given back", found.refunds.restored, driver.restored),
        ("refunds", found.refunds.sales + found.refunds.redemptions, driver.refunds),
        ("money refunded", found.refunds.amount, driver.refunded),
        ("the sum of positions", sum(found.settlement.positions.values()), 0),
        *((f"the position of {m.name}", found.settlement.positions[m.name], m.position) for m in found.merchants),
    ):
        if told != sent:
            raise Refusal(f"{what}: the API says {told:,}, and it should be {sent:,}")


def _begin(files: state.Files, server: postgres.Server, seed: int, days: int | None) -> state.State:
    """A plan, an empty database and two operators' keys. Half done before, it is done anew."""
    path = journey.prepared(files.cache)
    planned = plan.make(lambda: journey.hours(path))
    begun = state.State(version=state.VERSION, seed=seed, days=days, plan=planned)
    files.write(begun)  # first: from here on a kill leaves what the next start knows to be half built
    files.journal.unlink(missing_ok=True)
    with psycopg.connect(server.url, autocommit=True) as connection:
        name = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        connection.execute(sql.SQL("create database {}").format(name))
    url = server.dsn(DATABASE)
    migrate(url)
    maker, approver = _operator_keys(url)
    begun = msgspec.structs.replace(begun, maker=maker, approver=approver)
    files.write(begun)
    return begun


def _operator_keys(url: str) -> tuple[str, str]:
    """Of two persons: what one submits the other approves."""
    database = ledger.Database(url, largest_pool=1)
    try:
        with database.tx("door") as tx:
            maker = operator_keys.make(tx, name="demo, maker", roles=frozenset({"maker", "auditor"}))
            approver = operator_keys.make(tx, name="demo, approver", roles=frozenset({"approver", "auditor"}))
    finally:
        database.close()
    return maker.secret, approver.secret


def _audit(url: str) -> str:
    return "clean" if audited(url).clean else "broken"


def _same(begun: state.State | None, seed: int, days: int | None) -> None:
    if begun is not None and (begun.seed, begun.days) != (seed, days):
        span = f"--days {begun.days}" if begun.days else "the whole year"
        raise Refusal(
            f"the demo here was begun with --seed {begun.seed} and {span}: repeat that, or begin anew with --fresh"
        )


def _ours(begun: state.State | None, server: postgres.Server) -> None:
    """A database of that name which nothing here knows of is not ours to drop; without it a begun demo cannot go on."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
    if found is not None and begun is None:
        raise Refusal(f"there is a database {DATABASE} that this home knows nothing of: --fresh drops it")
    if found is None and begun is not None and begun.book is not None:
        raise Refusal(f"the database {DATABASE} of this demo is gone: begin anew with --fresh")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One demo at a time; one that was killed is gone in a moment."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(f"another demo is running from {folder}") from None
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _server(home: Path) -> Iterator[postgres.Server]:
    """The database server, run here; or the one that `manex db start` left running."""
    found = postgres.holder(home)
    attached = postgres.attached(home) if found is not None and found.label == db.LABEL else None
    if attached is not None:
        yield attached
        return
    with postgres.running(home, wait_seconds=WAIT_SECONDS, label=LABEL) as server:
        yield server


@contextlib.contextmanager
def _progress(begun: state.State) -> Iterator[Progress]:
    """A bar with rate and time left on a terminal, nothing elsewhere."""
    total = begun.plan.baskets(begun.days)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]:,.0f}/s"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("baskets", total=total, rate=0)
        began, live = time.monotonic(), 0

        def advance(baskets: int, posted: bool) -> None:
            nonlocal live
            live += baskets if posted else 0
            bar.update(task, advance=baskets, rate=live / max(time.monotonic() - began, 0.001))

        yield advance
