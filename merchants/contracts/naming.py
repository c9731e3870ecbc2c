"""What rules name is looked up when they come into force: whether it is there, and which version of it they mean from then on.

Whoever knows tiers and segments lives above this room and is handed in.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import ledger


@dataclass(frozen=True, slots=True)
class Found:
    """The rules as they are kept, with versions for names; or what is wrong with a name: (pointer, code, detail) each.

    `segments`: those whose members have to be kept from now on.
    """

    rules: Mapping[str, Any]
    faults: Sequence[tuple[str, str, str]] = ()
    segments: Sequence[tuple[UUID, int]] = ()


class Naming(Protocol):
    """Both are asked in a posting that stands alone in its book, the first one while it reads."""

    def find(
        self,
        tx: ledger.Tx,
        book: ledger.Book,
        merchant_id: UUID,
        rules: Mapping[str, Any],
        shops: Collection[UUID] | None,
    ) -> Found:
        """What rules of a merchant name, that are about sales at `shops` (None: at any)."""
        ...

    def keep(self, tx: ledger.Tx, book: ledger.Book, found: Found) -> None: ...


class Unnamed:
    """Where nobody knows what rules name."""

    def find(
        self,
        tx: ledger.Tx,  # noqa: ARG002 - the protocol's
        book: ledger.Book,  # noqa: ARG002 - the protocol's
        merchant_id: UUID,  # noqa: ARG002 - the protocol's
        rules: Mapping[str, Any],
        shops: Collection[UUID] | None,  # noqa: ARG002 - the protocol's
    ) -> Found:
        return Found(rules)

    def keep(self, tx: ledger.Tx, book: ledger.Book, found: Found) -> None:
        """There is nothing."""
