"""Where a run happens: a PostgreSQL of its own as the house runs one, in a directory that is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from deploy import postgres
from deploy.errors import Refusal
from deploy.migrate import migrate

#: What a record of a sale takes with all that hangs off it, its indexes, and the WAL and sorts while it is loaded.
RECORD_BYTES: Final = 3_500
#: A pgbench database of scale 1, and what a server takes before anybody has stored anything.
SCALE_BYTES: Final = 16_000_000
BASE_BYTES: Final = 6_000_000_000

#: What must be on for a figure to mean anything, as PostgreSQL itself says it is.
SAFE: Final = ("fsync", "synchronous_commit", "full_page_writes")


class Room:
    """A server, and databases made and thrown away on it."""

    def __init__(self, server: postgres.Server, home: Path) -> None:
        self.server = server
        self.home = home

    @property
    def postmaster(self) -> int:
        assert self.server.pid is not None
        return self.server.pid

    def new(self, name: str, *, like: str | None = None, migrated: bool = False) -> str:
        """The address of a new database: empty, migrated, or a copy of one that nobody is connected to."""
        with psycopg.connect(self.server.url, autocommit=True) as conn:
            if like is None:
                conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            else:
                conn.execute(
                    sql.SQL("create database {} template {} strategy file_copy").format(
                        sql.Identifier(name), sql.Identifier(like)
                    )
                )
        url = self.server.dsn(name)
        if migrated:
            migrate(url)
        return url

    def drop(self, name: str) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as conn:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def settle(self) -> None:
        """Write out what the set-up left, so that nobody measured pays for it."""
        with psycopg.connect(self.server.url, autocommit=True) as conn:
            conn.execute("checkpoint")


@contextlib.contextmanager
def room(at: Path | None, records: int, scale: int) -> Iterator[Room]:
    """A server in a directory under `at` (else where temporary files go), with room for so much; gone at the end."""
    os.environ.pop("MANEX_DATABASE_URL", None)  # nobody else's database is for this
    _enough(at or Path(tempfile.gettempdir()), records, scale)
    place = Path(tempfile.mkdtemp(prefix="manex-bench-", dir=at))
    try:
        with postgres.running(place / "home", settings={"max_connections": "200"}, label="manex bench") as server:
            _safe(server)
            yield Room(server, place / "home")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _enough(at: Path, records: int, scale: int) -> None:
    needed = BASE_BYTES * (scale >= 10) + scale * SCALE_BYTES + records * RECORD_BYTES
    free = shutil.disk_usage(at).free
    if free < needed:
        raise Refusal(
            f"this run needs {needed / 1e9:.0f} GB of disk and {at} has {free / 1e9:.0f} GB free;"
            " name another directory with --place, or fewer records with --records"
        )


def _safe(server: postgres.Server) -> None:
    with psycopg.connect(server.url) as conn:
        for name in SAFE:
            row = conn.execute("select current_setting(%s)", [name]).fetchone()
            if row is None or row[0] != "on":
                raise Refusal(f"{name} is not on: what such a server does fast, nobody may rely on")
