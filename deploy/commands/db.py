"""`manex db`: the database server of this home, for work at the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from deploy import config, postgres
from deploy.errors import Refusal
from deploy.home import TREE, manex_home

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="The database server of MANEX_HOME (by default the user's data directory).",
)

LABEL = "manex db"
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
WAIT_SECONDS = 120


@app.command()
def start(
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and stop it with Ctrl-C.")] = False,
) -> None:
    """Start the server and leave it running in the background."""
    home = manex_home()
    _only_ours()
    if foreground:
        stay(home)
        return
    found = postgres.holder(home)
    if found is None:
        _start_detached(home)
        typer.echo(f"started in {home}")
    else:
        typer.echo(f"already running, by {found}")
    server = postgres.attached(home)
    if server is not None:
        typer.echo(server.url)


@app.command()
def stop() -> None:
    """Stop the server that `manex db start` started."""
    home = manex_home()
    _only_ours()
    found = postgres.holder(home)
    if found is None:
        typer.echo("not running")
        return
    if found.label != LABEL:
        raise Refusal(f"the database belongs to {found}: stop that instead")
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + WAIT_SECONDS
    while postgres.holder(home) is not None:
        if time.monotonic() > deadline:
            raise Refusal(f"{found} does not stop; its log is {home / 'postgres.log'}")
        time.sleep(postgres.POLL_SECONDS)
    typer.echo("stopped")


@app.command()
def status() -> None:
    """Say whether the server runs and who runs it; exits 3 when it does not."""
    home = manex_home()
    if config.text("MANEX_DATABASE_URL"):
        typer.echo("configured by MANEX_DATABASE_URL; not run by Manex")
        return
    found = postgres.holder(home)
    server = postgres.attached(home) if found else None
    if found is None or server is None:
        typer.echo("not running" if found is None else f"starting or stopping, by {found}")
        raise typer.Exit(3)
    typer.echo(f"running, by {found}\n{server.url}\ndata and log in {home}")


@app.command()
def url(
    database: Annotated[str | None, typer.Option(help="Another database of the server.")] = None,
    user: Annotated[str | None, typer.Option(help="Another role.")] = None,
) -> None:
    """Print the address that psql and other libpq programs take."""
    typer.echo(_running_server().dsn(database, user))


@app.command()
def programs() -> None:
    """Print the directory of the server's programs, for PATH: pg_dump and its like."""
    typer.echo(postgres.find_binaries().directory)


@app.command(context_settings=PASS_ON)
def psql(
    context: typer.Context,
    database: Annotated[str | None, typer.Option(help="Another database of the server.")] = None,
) -> None:
    """Open psql on the running server. Other words go to psql: manex db psql -c 'select 1'."""
    program = postgres.find_binaries().program("psql")
    _become([program, _running_server().dsn(database), *context.args])


def stay(home: Path) -> None:
    """Run the server until SIGTERM, SIGINT or SIGHUP, or until it cannot be kept alive."""
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: done.set())
    with postgres.running(home, on_log=_say, label=LABEL) as server:
        typer.echo(server.url)
        sys.stdout.flush()
        while not done.wait(0.5):
            if server.failure:
                raise server.failure


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _start_detached(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    output = home / "db.log"
    with output.open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", "db", "start", "--foreground"],
            env={**os.environ, "PYTHONPATH": str(TREE)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + WAIT_SECONDS
    while postgres.attached(home) is None:
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise Refusal(f"the server did not start:\n{output.read_text(errors='replace').strip()}")
        time.sleep(postgres.POLL_SECONDS)


def _only_ours() -> None:
    if config.text("MANEX_DATABASE_URL"):
        raise Refusal("MANEX_DATABASE_URL is set: that server is not ours to start or stop")


def _running_server() -> postgres.Server:
    server = postgres.attached(manex_home())
    if server is None:
        raise Refusal("the database is not running: manex db start")
    return server


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], command)
