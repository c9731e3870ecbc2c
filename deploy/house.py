"""The composition root: which handlers and jobs make up a running house on one database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import ledger
import settlement
from merchants import benefits, contracts, insight, offers, safety, standing, trade
from merchants.programme import policy, terms


def handlers(
    networks: contracts.NetworkCache, spend_key: bytes, ladders: standing.LaddersCache
) -> dict[str, ledger.Handler]:
    """Every kind of request the ledger takes, and who decides it."""
    names = trade.Names(ladders)
    return {
        **ledger.due.handlers(),
        **ledger.notices.handlers(),
        **trade.handlers(networks, spend_key, ladders),
        "contract": contracts.ContractHandler(),
        "terms": contracts.TermsHandler(terms.faults, policy.forbidden, names),
        "rules": contracts.RulesHandler(),
        "rule_policy": contracts.RulePolicyHandler(),
        "buy_out": contracts.BuyOutHandler(),
        **dict.fromkeys(safety.MOVES, safety.Brakes()),
        "velocity_limits": safety.LimitsHandler(),
        **standing.handlers(ladders),
        **benefits.handlers(networks),
        **dict.fromkeys(
            ("sponsorship", "sponsorship_end", "sponsorship_budget"),
            contracts.SponsorshipHandler(terms.faults, policy.forbidden, names),
        ),
        **dict.fromkeys(offers.KINDS, offers.OfferHandler(terms.faults, names, policy.forbidden)),
        **settlement.handlers(),
    }


def _close_window(db: ledger.Database, committer: ledger.Committer, book: ledger.Book) -> int:
    return int(settlement.schedule.close_due(db, committer, book.id) is not None)


#: What falls due, in the order in which one moment's work is done: points that are gone by a window's end have left
#: their wallets when it closes.
JOBS = (
    *ledger.jobs.OWN,
    contracts.sponsorships.JOB,
    trade.APPROVALS_JOB,
    *insight.JOBS,
    standing.JOB,
    ledger.jobs.Job("windows", settlement.schedule.next_due, _close_window),
    settlement.overdue.JOB,
    settlement.reconciliation.JOB,
    # counting takes longest and nobody waits for it
    *offers.JOBS,
)


@dataclass
class House:
    """A database with everything that posts to it. Close it once: it finishes what it took."""

    db: ledger.Database
    committer: ledger.Committer
    networks: contracts.NetworkCache
    ladders: standing.LaddersCache

    @classmethod
    def open(
        cls,
        url: str,
        spend_key: bytes,
        watch: ledger.Watch | None = None,
        *,
        largest_pool: int = 8,
        statement_timeout_ms: int = 30_000,
    ) -> "House":
        networks, ladders = contracts.NetworkCache(), standing.LaddersCache()
        db = ledger.Database(url, largest_pool=largest_pool, statement_timeout_ms=statement_timeout_ms)
        committer = ledger.Committer(
            url, handlers(networks, spend_key, ladders), watch, statement_timeout_ms=statement_timeout_ms
        )
        return cls(db, committer, networks, ladders)

    def advance(self, book_id: int, to: datetime) -> datetime:
        """Move a test book's clock; returns it when all that became due is done."""
        return ledger.jobs.advance(self.db, self.committer, JOBS, book_id, to)

    def drain(self, book_id: int) -> None:
        """Let settlement catch up with the ledger."""
        settlement.drain(self.db, book_id)

    def book(self, public_id: UUID) -> ledger.Book | None:
        with self.db.tx("door") as tx:
            return ledger.books.by_public_id(tx, public_id)

    def close(self) -> None:
        self.committer.close()
        self.db.close()
