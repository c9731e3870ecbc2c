"""The house's own database on a server: which one it is, made where it is missing, at the newest schema."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import errors, sql

from deploy import config, postgres
from deploy.errors import Refusal
from deploy.migrate import migrate

#: On a server of ours. A configured URL names its own.
DATABASE: Final = "manex"


def url(server: postgres.Server) -> str:
    """The address of the house's database, which may not be there yet."""
    return server.url if config.text("MANEX_DATABASE_URL") else server.dsn(DATABASE)


def prepared(server: postgres.Server) -> str:
    """The address of the house's database, there and migrated."""
    if not config.text("MANEX_DATABASE_URL"):
        with psycopg.connect(server.url, autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):  # another was first
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    migrate(url(server))
    return url(server)


def has_books(address: str) -> bool:
    """Whether a database is there and Manex has been at work in it."""
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            row = connection.execute("select to_regclass('ledger.book') is not null").fetchone()
    except errors.InvalidCatalogName:
        return False
    except psycopg.OperationalError as error:
        if "does not exist" in str(error):  # libpq's word for the same, without its code
            return False
        raise
    return bool(row and row[0])


def where(server: postgres.Server, *others: str) -> str:
    """The address of the house's database, else of the first other one of the home that has books; Refusal without any."""
    for address in (url(server), *map(server.dsn, others)):
        if has_books(address):
            return address
    raise Refusal("there are no books here yet: manex demo makes some")


def wait_for(server: postgres.Server, seconds: float, stopped: Callable[[], bool]) -> None:
    """Return when the server takes connections: a machine that boots may start it after us."""
    give_up = time.monotonic() + seconds
    while not stopped():
        try:
            psycopg.connect(server.url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > give_up:
                raise Refusal(f"the database does not answer: {error}") from None
            time.sleep(0.5)
