"""The keys merchants call with: `sk_live_...` may do everything, a restricted `rk_live_...` what its scopes name.

A key is 192 random bits, stored as its SHA-256. A slow hash protects secrets that people choose and attackers can guess;
nobody guesses 192 bits, and a door must check a key on every request.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import ledger
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict
from merchants.contracts import key_store, store
from merchants.contracts.parties import misnamed, tidy

#: What a restricted key can be let do. One that makes keys gives no scope that it lacks.
SCOPES: Final = (
    "members:write",
    "lookups:read",
    "sales:write",
    "redemptions:write",
    "records:read",
    "statements:read",
    "statements:write",
    "position:read",
    "batches:write",
    "branches:read",
    "branches:write",
    "topups:write",
    "keys:read",
    "keys:write",
    "claims:write",
    "offers:read",
    "offers:write",
    "breaks:read",
    "segments:read",
    "segments:write",
    "benefits:write",
)
#: Keys of a merchant that open something at the same time, and those it makes in a day.
LARGEST_LIVE: Final = 100
LARGEST_DAY: Final = 500
LARGEST_OVERLAP_HOURS: Final = 168

_PLAIN = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, its secret left out: nobody has that but whoever was shown it. `scopes` of an `sk` are all there are."""

    id: UUID
    book_id: int
    merchant_id: UUID
    kind: str
    label: str
    last_four: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def allows(self, scope: str) -> bool:
        assert scope in SCOPES, scope
        return scope in self.scopes

    def lives(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    def covers(self, other: "Key") -> bool:
        """Whether it may do all that `other` may, now and when there are more scopes."""
        return self.kind == "sk" or (other.kind == "rk" and other.scopes <= self.scopes)


def make(
    tx: ledger.Tx,
    book: ledger.Book,
    merchant_id: UUID,
    label: str,
    kind: str = "sk",
    scopes: Iterable[str] = (),
) -> tuple[Key, str] | ledger.Refusal:
    """A new key and its plain text, which is shown now and never again. A restricted key names one scope or more."""
    label, wanted = tidy(label), sorted(set(scopes))
    if wrong := misnamed("/label", label):
        return wrong
    if kind not in ("sk", "rk"):
        return Invalid("/kind", "must be one of sk, rk")
    if kind == "sk" and wanted:
        return Invalid("/scopes", "only a restricted key (rk) has scopes")
    if kind == "rk" and not (wanted and set(wanted) <= set(SCOPES)):
        return Invalid("/scopes", f"must name one or more of {', '.join(SCOPES)}")
    if store.merchant(tx, book, merchant_id) is None:
        return NotFound("merchant")
    return _make(tx, book, merchant_id, label, kind, wanted)


def _make(
    tx: ledger.Tx,
    book: ledger.Book,
    merchant_id: UUID,
    label: str,
    kind: str,
    scopes: list[str],
    *,
    ended: bool = False,
) -> tuple[Key, str] | LimitExceeded:
    """`ended`: one that lives ends as this one begins."""
    living, lately = key_store.lock_counts(tx, book.id, merchant_id)
    if living - ended >= LARGEST_LIVE:
        return LimitExceeded("keys", LARGEST_LIVE, living + 1)
    if lately >= LARGEST_DAY:
        return LimitExceeded("keys made in a day", LARGEST_DAY, lately + 1)
    plain = f"{kind}_{book.mode}_{secrets.token_urlsafe(24)}"
    row = key_store.add_key(
        tx,
        book.id,
        merchant_id,
        kind=kind,
        label=label,
        hash=_hash(plain),
        last_four=plain[-4:],
        scopes=scopes,
    )
    return _key(row), plain


def hold(tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, *key_ids: UUID) -> list[Key] | NotFound:
    """A merchant's keys, ended or not, in the order asked for. Until the transaction ends nobody else ends them."""
    found = key_store.lock_keys(tx, book.id, merchant_id, key_ids)
    if not found.keys() >= set(key_ids):
        return NotFound("key")
    return [_key(found[id]) for id in key_ids]


def authenticate(tx: ledger.Tx, plain: str) -> Key | None:
    """The live key that `plain` is, or None."""
    if not _PLAIN.fullmatch(plain):
        return None
    hash = _hash(plain)
    found = key_store.key_by_hash(tx, hash)
    if found is None or not hmac.compare_digest(found[1], hash):
        return None
    return _key(found[0])


def revoke(tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, key_id: UUID) -> Key | NotFound:
    """End a key now; doors see it within a second. Ending it again changes nothing."""
    row = key_store.revoke_key(tx, book.id, merchant_id, key_id)
    return NotFound("key") if row is None else _key(row)


def rotate(
    tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, key_id: UUID, overlap_hours: int = 24
) -> tuple[Key, str] | ledger.Refusal:
    """A new key like the old one, which goes on for `overlap_hours`. A key is replaced once: two are live, never three."""
    if not 0 <= overlap_hours <= LARGEST_OVERLAP_HOURS:
        return Invalid("/overlap_hours", f"must be 0 to {LARGEST_OVERLAP_HOURS}")
    old = key_store.lock_keys(tx, book.id, merchant_id, [key_id]).get(key_id)
    if old is None:
        return NotFound("key")
    if old.revoked_at is not None:
        return StateConflict("key", "revoked")
    if old.expires_at is not None:
        return StateConflict("key", "replaced by another")
    made = _make(tx, book, merchant_id, old.label, old.kind, old.scopes, ended=not overlap_hours)
    if not isinstance(made, LimitExceeded):
        key_store.expire_key(tx, key_id, overlap_hours)
    return made


def list_keys(
    tx: ledger.Tx,
    book: ledger.Book,
    merchant_id: UUID,
    *,
    after: UUID | None = None,
    limit: int = store.LARGEST_PAGE,
) -> list[Key]:
    """A page of a merchant's keys in the order they were made, ended ones included."""
    return [_key(row) for row in key_store.keys_of(tx, book.id, merchant_id, after, limit)]


def _hash(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()


def _key(row: key_store.KeyRow) -> Key:
    scopes = frozenset(SCOPES if row.kind == "sk" else row.scopes)
    return Key(**{**row._asdict(), "scopes": scopes})


class KeyRing:
    """Keys that were checked a moment ago. Threads may share it.

    What it answers is at most `oldest_seconds` old, so a revoked key opens nothing a second later. Only keys that exist
    are remembered: guesses cannot push them out.
    """

    def __init__(self, database: ledger.Database, *, oldest_seconds: float = 1.0, largest: int = 10_000) -> None:
        self._database = database
        self._oldest = oldest_seconds
        self._largest = largest
        self._held: OrderedDict[bytes, tuple[float, Key]] = OrderedDict()
        self._forgotten: OrderedDict[UUID, float] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, plain: str) -> Key | None:
        """The key if it was checked a moment ago. Reads nothing: a door asks this before it goes to a thread."""
        with self._lock:
            held = self._held.get(_hash(plain))
        return held[1] if held is not None and time.monotonic() - held[0] < self._oldest else None

    def key(self, plain: str) -> Key | None:
        """The live key that `plain` is, or None. May read the database (role door)."""
        if not _PLAIN.fullmatch(plain):
            return None
        if (held := self.remembered(plain)) is not None:
            return held
        hash = _hash(plain)
        # the age counts from before the read: what is revoked while it runs is not believed longer for it
        asked_at = time.monotonic()
        with self._database.tx("door") as tx:
            key = authenticate(tx, plain)
        with self._lock:
            self._held.pop(hash, None)
            if key is not None and self._forgotten.get(key.id, 0.0) < asked_at:
                self._held[hash] = (asked_at, key)
                while len(self._held) > self._largest:
                    self._held.popitem(last=False)
        return key

    def forget(self, key_id: UUID) -> None:
        """Ask the database for this key again, whatever was checked or is being read: it may have ended."""
        with self._lock:
            for hash in [hash for hash, (_, key) in self._held.items() if key.id == key_id]:
                del self._held[hash]
            self._forgotten[key_id] = time.monotonic()
            self._forgotten.move_to_end(key_id)
            while len(self._forgotten) > self._largest:
                self._forgotten.popitem(last=False)
