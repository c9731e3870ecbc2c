"""The SQL of keys (role door). Their times are the world's, not a book's: a key opens a door, and a test clock may stand still."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import ledger
from merchants.contracts.store import LARGEST_PAGE

_KEY: Final = "id, book_id, merchant_id, kind, label, last_four, scopes, created_at, expires_at, revoked_at"


class KeyRow(NamedTuple):
    """A key as the table has it, its hash left out."""

    id: UUID
    book_id: int
    merchant_id: UUID
    kind: str
    label: str
    last_four: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def add_key(
    tx: ledger.Tx,
    book_id: int,
    merchant_id: UUID,
    *,
    kind: str,
    label: str,
    hash: bytes,
    last_four: str,
    scopes: Sequence[str],
) -> KeyRow:
    row = tx.execute(
        "insert into merchants.api_key (id, book_id, merchant_id, kind, label, hash, last_four, scopes, created_at)"
        f" values (%s, %s, %s, %s, %s, %s, %s, %s, now()) returning {_KEY}",
        [ledger.ids.new(), book_id, merchant_id, kind, label, hash, last_four, list(scopes)],
    ).fetchone()
    assert row is not None
    return KeyRow(*row)


def key_by_hash(tx: ledger.Tx, hash: bytes) -> tuple[KeyRow, bytes] | None:
    """The live key with this hash, and the hash as stored."""
    row = tx.execute(
        f"select {_KEY}, hash from merchants.api_key where hash = %s and revoked_at is null"
        " and (expires_at is null or expires_at > clock_timestamp())",
        [hash],
    ).fetchone()
    return None if row is None else (KeyRow(*row[:-1]), bytes(row[-1]))


def lock_keys(tx: ledger.Tx, book_id: int, merchant_id: UUID, ids: Iterable[UUID]) -> dict[UUID, KeyRow]:
    """Those of the keys that are the merchant's, locked in the order of their ids until the transaction ends."""
    rows = tx.execute(
        f"select {_KEY} from merchants.api_key where book_id = %s and merchant_id = %s and id = any(%s)"
        " order by id for no key update",
        [book_id, merchant_id, list(ids)],
    )
    return {row[0]: KeyRow(*row) for row in rows}


def lock_counts(tx: ledger.Tx, book_id: int, merchant_id: UUID) -> tuple[int, int]:
    """How many keys of a merchant are living, and how many were made within a day.

    Until the transaction ends nobody else makes one: the numbers are exact.
    """
    tx.execute(
        "select from merchants.merchant where book_id = %s and id = %s for no key update", [book_id, merchant_id]
    )
    row = tx.execute(
        "select count(*) filter (where revoked_at is null and (expires_at is null or expires_at > now())),"
        " count(*) filter (where created_at > now() - interval '1 day')"
        " from merchants.api_key where book_id = %s and merchant_id = %s",
        [book_id, merchant_id],
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def expire_key(tx: ledger.Tx, key_id: UUID, hours: int) -> None:
    tx.execute(
        "update merchants.api_key set expires_at = now() + make_interval(hours => %s) where id = %s", [hours, key_id]
    )


def revoke_key(tx: ledger.Tx, book_id: int, merchant_id: UUID, key_id: UUID) -> KeyRow | None:
    row = tx.execute(
        "update merchants.api_key set revoked_at = coalesce(revoked_at, clock_timestamp())"
        f" where book_id = %s and merchant_id = %s and id = %s returning {_KEY}",
        [book_id, merchant_id, key_id],
    ).fetchone()
    return None if row is None else KeyRow(*row)


def keys_of(
    tx: ledger.Tx, book_id: int, merchant_id: UUID, after: UUID | None = None, limit: int = LARGEST_PAGE
) -> list[KeyRow]:
    rows = tx.execute(
        f"select {_KEY} from merchants.api_key where book_id = %s and merchant_id = %s"
        " and (%s::uuid is null or id > %s) order by id limit %s",
        [book_id, merchant_id, after, after, min(limit, LARGEST_PAGE + 1)],
    )
    return [KeyRow(*row) for row in rows]
