"""`manex up`: serve."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import gateway.log
from deploy import config
from deploy import up as house


def up(
    host: Annotated[str | None, typer.Option(help="The address to listen on; else MANEX_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="The port; else MANEX_PORT.")] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=config.LARGEST_PROCESSES, help="Gateway processes; else MANEX_PROCESSES."),
    ] = None,
) -> None:
    """Serve the API until SIGTERM or Ctrl-C. What else can be set is in docs/operate.md.

    Exits 0 when it was told to stop and all was finished, 1 when it could not start, 2 when the configuration cannot be
    read, 3 when the database server was lost, 4 when gateways kept dying, 5 when requests had to be cut off.
    """
    told = {"MANEX_HOST": host, "MANEX_PORT": port, "MANEX_PROCESSES": processes}
    chosen = config.load({**os.environ, **{name: str(value) for name, value in told.items() if value is not None}})
    gateway.log.to_stream(chosen.log_level)
    code = house.run(chosen)
    if code:
        raise typer.Exit(code)
