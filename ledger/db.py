"""Connections: one pool per role, transactions that commit only where they were opened."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

Tx = psycopg.Connection[Any]

#: What each role may do is granted in the migrations; `tenant` reads under row-level security.
ROLES: Final = ("ledger", "settlement", "door", "tenant", "auditor")

STATEMENT_TIMEOUT_MS: Final = 30_000
POOL_WAIT_SECONDS: Final = 15.0


class Database:
    """One PostgreSQL database, entered by role. Owns its pools; close it once."""

    def __init__(self, url: str, *, largest_pool: int = 8, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> None:
        self.url = url
        self._largest = largest_pool
        self.statement_timeout_ms = statement_timeout_ms
        self._pools: dict[str, ConnectionPool[Tx]] = {}
        self._lock = threading.Lock()

    def pool(self, role: str) -> ConnectionPool[Tx]:
        assert role in ROLES, role
        with self._lock:
            if role not in self._pools:
                self._pools[role] = ConnectionPool(
                    self.url,
                    min_size=1,
                    max_size=self._largest,
                    open=True,
                    timeout=POOL_WAIT_SECONDS,
                    configure=lambda conn: _configure(conn, role, self.statement_timeout_ms),
                    check=ConnectionPool.check_connection,
                    name=f"manex-{role}",
                )
            return self._pools[role]

    @contextlib.contextmanager
    def tx(self, role: str, *, tenant: str | None = None) -> Iterator[Tx]:
        """A transaction under `role`; with `tenant` (a merchant's UUID) its reads see only that merchant's rows."""
        with self.pool(role).connection() as conn, conn.transaction():
            if tenant is not None:
                conn.execute("select set_config('manex.tenant', %s, true)", [tenant])
            yield conn

    @contextlib.contextmanager
    def connection(self, role: str) -> Iterator[Tx]:
        """A connection of one's own, outside the pool: the writer's, the audit's."""
        conn = connect(self.url, role, self.statement_timeout_ms)
        try:
            yield conn
        finally:
            conn.close()

    def connections(self) -> dict[str, tuple[int, int, int]]:
        """By role: connections that are open, those in use, and requests that wait for one."""
        with self._lock:
            pools = dict(self._pools)
        found: dict[str, tuple[int, int, int]] = {}
        for role, pool in pools.items():
            told = pool.get_stats()
            size = told.get("pool_size", 0)
            found[role] = (size, size - told.get("pool_available", 0), told.get("requests_waiting", 0))
        return found

    def close(self) -> None:
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()


def connect(url: str, role: str, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> Tx:
    conn: Tx = psycopg.connect(url, autocommit=True, connect_timeout=10)
    _configure(conn, role, statement_timeout_ms)
    return conn


def _configure(conn: Tx, role: str, statement_timeout_ms: int) -> None:
    conn.autocommit = True
    conn.prepare_threshold = 2
    conn.execute(sql.SQL("set role {}").format(sql.Identifier(f"manex_{role}")))
    conn.execute("set time zone 'UTC'")
    timeout = 0 if role == "auditor" else statement_timeout_ms
    conn.execute(sql.SQL("set statement_timeout = {}").format(sql.Literal(timeout)))
    conn.execute("set idle_in_transaction_session_timeout = '60s'")
    conn.execute("set jit = off")
    if role == "ledger":
        # Every posting statement goes by an index. Plans are kept with prepared statements, and one made while a table
        # was young would scan it for ever after.
        for road in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            conn.execute(sql.SQL("set {} = off").format(sql.Identifier(road)))
    if role == "auditor":
        # It reads all there is: joins that take each table once stay linear, whatever the statistics say or lack.
        conn.execute("set enable_nestloop = off")
        conn.execute("set work_mem = '128MB'")
