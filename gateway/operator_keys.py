"""Service keys of operators: `op_...`, random, shown once, stored hashed."""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import ledger
from gateway import store

ROLES: Final = ("maker", "approver", "auditor")
PREFIX: Final = "op_"
SECRET_BYTES: Final = 32
FRESH_SECONDS: Final = 1.0
LARGEST_CACHE: Final = 1_000


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A living key: who it stands for, what it may do, and in which book (None: in all)."""

    id: UUID
    operator_id: UUID
    book_id: int | None
    name: str
    roles: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class NewKey:
    id: UUID
    operator_id: UUID
    secret: str = field(repr=False)


def make(
    tx: ledger.Tx,
    *,
    name: str,
    roles: frozenset[str],
    operator_id: UUID | None = None,
    book_id: int | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key; without `operator_id` it stands for somebody new. The secret is in the answer and nowhere else."""
    assert roles <= set(ROLES), roles
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    made = NewKey(ledger.ids.new(), operator_id or ledger.ids.new(), secret)
    store.add_operator_key(
        tx,
        id=made.id,
        operator_id=made.operator_id,
        book_id=book_id,
        name=name,
        hash=_hash(secret),
        last_four=secret[-4:],
        roles=sorted(roles),
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    return made


class OperatorRing:
    """Reads keys, and remembers each for at most a second: so long may a revoked key live on."""

    def __init__(self, db: ledger.Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._held: OrderedDict[bytes, tuple[float, OperatorKey | None]] = OrderedDict()
        self._forgotten: OrderedDict[UUID, float] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, secret: str) -> tuple[bool, OperatorKey | None]:
        """Whether it is known without asking, and what."""
        held = self._held.get(_hash(secret))
        if held is None or self._clock() - held[0] > FRESH_SECONDS:
            return False, None
        return True, held[1]

    def find(self, secret: str) -> OperatorKey | None:
        """The living key with this secret. Asks the database."""
        name, at = _hash(secret), self._clock()
        with self._db.tx("door") as tx:
            row = store.operator_key(tx, name)
        key = None if row is None else OperatorKey(row[0], row[1], row[2], row[3], frozenset(row[4]))
        with self._lock:
            if key is not None and self._forgotten.get(key.id, -1.0) >= at:
                self._held.pop(name, None)
                return key
            self._held[name] = (at, key)
            self._held.move_to_end(name)
            if len(self._held) > LARGEST_CACHE:
                self._held.popitem(last=False)
        return key

    def forget(self, key_id: UUID) -> None:
        """Ask the database for this key again, whatever was found or is being read: it may have ended."""
        with self._lock:
            for name in [name for name, (_, key) in self._held.items() if key is not None and key.id == key_id]:
                del self._held[name]
            self._forgotten[key_id] = self._clock()
            self._forgotten.move_to_end(key_id)
            if len(self._forgotten) > LARGEST_CACHE:
                self._forgotten.popitem(last=False)


def _hash(secret: str) -> bytes:
    """The secret is 256 random bits: a plain hash hides it, and costs nothing."""
    return hashlib.sha256(secret.encode()).digest()
