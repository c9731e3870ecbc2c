"""The SQL of operators' keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import ledger


def add_operator_key(
    tx: ledger.Tx,
    *,
    id: UUID,
    operator_id: UUID,
    book_id: int | None,
    name: str,
    hash: bytes,
    last_four: str,
    roles: Sequence[str],
    created_at: datetime,
    expires_at: datetime | None,
) -> None:
    tx.execute(
        "insert into gateway.operator_key"
        " (id, operator_id, book_id, name, hash, last_four, roles, created_at, expires_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [id, operator_id, book_id, name, hash, last_four, list(roles), created_at, expires_at],
    )


def operator_key(tx: ledger.Tx, hash: bytes) -> tuple[Any, ...] | None:
    """(id, operator, book, name, roles) of the living key with this hash."""
    return tx.execute(
        "select id, operator_id, book_id, name, roles from gateway.operator_key"
        " where hash = %s and revoked_at is null and (expires_at is null or expires_at > now())",
        [hash],
    ).fetchone()


def operator_named(tx: ledger.Tx, name: str) -> UUID | None:
    """The person or service that the newest key of this name stands for."""
    row = tx.execute(
        "select operator_id from gateway.operator_key where name = %s order by created_at desc, id desc limit 1", [name]
    ).fetchone()
    return None if row is None else row[0]


def revoke_operator_key(tx: ledger.Tx, id: UUID, now: datetime) -> bool:
    """End a key; whether it was living."""
    return (
        tx.execute(
            "update gateway.operator_key set revoked_at = %s where id = %s and revoked_at is null", [now, id]
        ).rowcount
        == 1
    )
