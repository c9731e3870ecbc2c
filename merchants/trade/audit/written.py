"""Rules as they are written, for the proofs that read them."""
# ruff: noqa: S608 - the statement is composed of this room's own constants

from typing import Any

from ledger.audit import Scope


def written(scope: Scope, table: str) -> dict[str, Any]:
    """By the id of their terms or sponsorship. Read once: a version may have thousands of rules, and decide as many sales."""
    query = f"select id::text, rules from merchants.{table} where book_id = any(%s)"
    return dict(scope.tx.execute(query, [scope.books]).fetchall())
