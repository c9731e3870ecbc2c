"""A book's merchants, branches, tills, contracts, terms and sponsorships in force: one frozen picture to decide a batch on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import ledger
from merchants.contracts import sponsorship_store, store
from merchants.contracts.parties import Branch, Contract, Merchant, Sponsorship, Terms, Till


@dataclass(frozen=True, slots=True)
class Network:
    """The picture. Contracts and terms are by merchant, the version in force; sponsorships are the open ones, by id."""

    merchants: Mapping[UUID, Merchant]
    branches: Mapping[UUID, Branch]
    tills: Mapping[UUID, Till]
    contracts: Mapping[UUID, Contract]
    terms_of: Mapping[UUID, Terms]
    sponsorships: tuple[Sponsorship, ...] = ()

    def merchant(self, id: UUID) -> Merchant | None:
        return self.merchants.get(id)

    def branch(self, id: UUID) -> Branch | None:
        return self.branches.get(id)

    def till(self, id: UUID) -> Till | None:
        return self.tills.get(id)

    def contract(self, merchant_id: UUID) -> Contract | None:
        return self.contracts.get(merchant_id)

    def terms(self, merchant_id: UUID) -> Terms | None:
        return self.terms_of.get(merchant_id)

    def sponsorships_at(self, shop: UUID, now: datetime) -> list[Sponsorship]:
        """Those that give at the shop's sales now, in the order they came."""
        return [s for s in self.sponsorships if s.gives_at(shop, now)]


def load(tx: ledger.Tx, book_id: int) -> Network:
    """Read the picture as it is now."""
    return Network(
        merchants={m.id: m for m in store.all_merchants(tx, book_id)},
        branches={b.id: b for b in store.all_branches(tx, book_id)},
        tills={t.id: t for t in store.all_tills(tx, book_id)},
        contracts={c.merchant_id: c for c in store.contracts_in_force(tx, book_id)},
        terms_of={t.merchant_id: t for t in store.terms_in_force(tx, book_id)},
        sponsorships=tuple(sponsorship_store.open_sponsorships(tx, book_id)),
    )


class NetworkCache(ledger.SettingsCache[Network]):
    """Who is in a book and what they agreed to."""

    def __init__(self) -> None:
        super().__init__(load)
