"""Sponsorships come into force, get and give back budgets, and end: each a record, posted alone under the book's lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict
from merchants.contracts import naming, policy_store, sponsorship_store, store
from merchants.contracts.handlers import Faults
from merchants.contracts.parties import SPONSORS, Merchant, Sponsorship

#: Open ones in a book, and those that give at any one shop: each costs every sale there a look and, perhaps, a lot.
LARGEST_OPEN: Final = 200
LARGEST_AT_SHOP: Final = 20
LARGEST_SHOPS: Final = 500


@dataclass(frozen=True, slots=True)
class NewSponsorship:
    """`shops` None: every shop. `begins_at` None: at once. `ends_at` None: until it is ended."""

    merchant_id: UUID
    shops: tuple[UUID, ...] | None
    rules: Mapping[str, Any]
    budget_points: int = 0
    begins_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndSponsorship:
    merchant_id: UUID
    sponsorship_id: UUID


@dataclass(frozen=True, slots=True)
class ChangeBudget:
    """Points to set aside in addition; below zero, to give back."""

    merchant_id: UUID
    sponsorship_id: UUID
    points: int


@dataclass(frozen=True, slots=True)
class SponsorshipDone:
    record_id: UUID
    sponsorship: Sponsorship
    # what the budget holds now
    budget_points: int
    at: datetime


Asked = NewSponsorship | EndSponsorship | ChangeBudget


class SponsorshipHandler:
    """Decides requests of the kinds `sponsorship`, `sponsorship_end` and `sponsorship_budget`.

    `faults` reads rules and says what is wrong with them, `forbidden` what the network's policy forbids in them, `names`
    looks up what they name: a sponsor's own segments, or the network's, and no shop's.
    """

    exclusive = True

    def __init__(
        self,
        faults: Faults,
        forbidden: policy_store.Forbidden = policy_store.nothing,
        names: naming.Naming | None = None,
    ) -> None:
        self._faults = faults
        self._forbidden = forbidden
        self._names = names or naming.Unnamed()

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "SponsorshipRound":
        (request,) = requests
        asked: Asked = request.body
        found = {m.id: m for m in store.all_merchants(tx, book.id)}
        needs = ledger.Needs()
        if asked.merchant_id not in found:
            return SponsorshipRound(needs, self._names, self._forbidden, policy_store.RulePolicy(), found, [], None)
        # whichever of them it issues from: the ledger knows
        needs.accounts |= {ledger.AccountName(kind, asked.merchant_id) for kind in ("pool", "credit", "own")}
        if isinstance(asked, NewSponsorship):
            id, named = ledger.ids.new(), None
        else:
            id = asked.sponsorship_id
            named = sponsorship_store.sponsorships_by_id(tx, book.id, [id]).get(id)
        # an account that is asked for is there from then on: none of a sponsorship in another's name
        if isinstance(asked, NewSponsorship) or (named is not None and named.merchant_id == asked.merchant_id):
            needs.accounts.add(ledger.budgets.name(asked.merchant_id, id))
        _, policy = policy_store.policy_of(tx, book.id)
        open = sponsorship_store.open_sponsorships(tx, book.id)
        made = SponsorshipRound(needs, self._names, self._forbidden, policy, found, open, named, id)
        if isinstance(asked, NewSponsorship):
            faults = list(self._faults(asked.rules))
            made.rules = (
                naming.Found(asked.rules, faults)
                if faults
                else self._names.find(tx, book, asked.merchant_id, asked.rules, asked.shops)
            )
        return made


@dataclass(slots=True)
class SponsorshipRound:
    needs: ledger.Needs
    names: naming.Naming
    forbidden: policy_store.Forbidden
    policy: policy_store.RulePolicy
    merchants: Mapping[UUID, Merchant]
    open: list[Sponsorship]
    # the one that the request names
    named: Sponsorship | None
    id: UUID = field(default_factory=ledger.ids.new)
    # of a new one, with what they name
    rules: naming.Found = field(default_factory=lambda: naming.Found({}))
    _born: Sponsorship | None = None
    _ended: Sponsorship | None = None

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        asked: Asked = request.body
        merchant = self.merchants.get(asked.merchant_id)
        if merchant is None:
            return NotFound("merchant")
        if isinstance(asked, NewSponsorship):
            return self._open(asked, merchant, request.actor, working)
        sponsorship = self.named
        if sponsorship is None or sponsorship.merchant_id != merchant.id:
            return NotFound("sponsorship")
        if sponsorship.state != "open":
            return StateConflict("sponsorship", sponsorship.state)
        if isinstance(asked, EndSponsorship):
            return self._end(sponsorship, request.actor, working)
        return self._budget(sponsorship, merchant, asked.points, request.actor, working)

    def _open(self, asked: NewSponsorship, merchant: Merchant, actor: str, working: ledger.Working) -> ledger.Decision:
        """Who may sponsor, then wrong fields, then what the network forbids, then the limits of open sponsorships, then what its budget may take."""
        if merchant.kind not in SPONSORS:
            return StateConflict("merchant", f"a {merchant.kind}")
        if (issuer := _issuer(merchant, working)) is None:
            return _unfit(merchant)
        if wrong := self._fault(asked, working.now):
            return wrong
        barred = policy_store.refused(
            self.forbidden, asked.rules, self.policy, issuer.unit_value, working.now, "/rules"
        )
        if barred is not None:
            return barred
        if limit := self._crowded(asked, working.now):
            return limit
        if asked.budget_points and (short := ledger.budgets.limit(working, issuer, asked.budget_points)):
            return short
        # nothing below may refuse
        born = self._born = Sponsorship(
            id=self.id,
            merchant_id=merchant.id,
            shops=None if asked.shops is None else frozenset(asked.shops),
            rules=self.rules.rules,
            begins_at=working.now if asked.begins_at is None else asked.begins_at,
            ends_at=asked.ends_at,
            state="open",
            opened_at=working.now,
        )
        draft = working.record(
            "sponsorship",
            actor,
            merchant=merchant.id,
            subject=born.id,
            payload={
                "shops": None if born.shops is None else sorted(born.shops),
                "rules": dict(born.rules),
                "begins_at": born.begins_at,
                "ends_at": born.ends_at,
            },
            revises=(born.id, 1),
        )
        if asked.budget_points:
            ledger.budgets.add(working, actor, issuer, born.id, asked.budget_points)
        return self._accepted(draft, born, working)

    def _end(self, sponsorship: Sponsorship, actor: str, working: ledger.Working) -> ledger.Decision:
        """Always done: what is left of the budget goes back, whatever became of its sponsor."""
        draft = working.record(
            "sponsorship_ended",
            actor,
            merchant=sponsorship.merchant_id,
            subject=sponsorship.id,
            payload={},
            revises=(sponsorship.id, 2),
        )
        if left := self._left(sponsorship, working):
            issuer = working.issuers[sponsorship.merchant_id]
            ledger.budgets.release(working, actor, issuer, sponsorship.id, left)
        self._ended = replace(sponsorship, state="ended", ended_at=working.now)
        return self._accepted(draft, self._ended, working)

    def _budget(
        self, sponsorship: Sponsorship, merchant: Merchant, points: int, actor: str, working: ledger.Working
    ) -> ledger.Decision:
        """Points are given back at any time, and set aside only by whom may issue."""
        assert points != 0, sponsorship.id
        if points < 0:
            left = self._left(sponsorship, working)
            if -points > left:
                return LimitExceeded("budget", left, -points)
            issuer = working.issuers[merchant.id]
            draft = ledger.budgets.release(working, actor, issuer, sponsorship.id, -points)
            return self._accepted(draft, sponsorship, working)
        able = _issuer(merchant, working)
        if able is None:
            return _unfit(merchant)
        if short := ledger.budgets.limit(working, able, points):
            return short
        draft = ledger.budgets.add(working, actor, able, sponsorship.id, points)
        return self._accepted(draft, sponsorship, working)

    def _accepted(self, draft: ledger.Draft, sponsorship: Sponsorship, working: ledger.Working) -> ledger.Accepted:
        return ledger.Accepted(SponsorshipDone(draft.id, sponsorship, self._left(sponsorship, working), working.now))

    def _left(self, sponsorship: Sponsorship, working: ledger.Working) -> int:
        return working.accounts[ledger.budgets.name(sponsorship.merchant_id, sponsorship.id)].balance

    def _fault(self, asked: NewSponsorship, now: datetime) -> ledger.Refusal | None:
        """The first wrong field, in their order."""
        if wrong := self._shops_fault(asked):
            return wrong
        if self.rules.faults:
            pointer, _, detail = self.rules.faults[0]
            return Invalid(f"/rules{pointer}", detail)
        if asked.ends_at is not None and asked.ends_at <= max(now, asked.begins_at or now):
            return Invalid("/ends_at", "must be later than its beginning, and than now")
        return None

    def _shops_fault(self, asked: NewSponsorship) -> ledger.Refusal | None:
        if asked.shops is None:
            return None
        if not 0 < len(asked.shops) <= LARGEST_SHOPS:
            return Invalid("/shops", f"must be 1 to {LARGEST_SHOPS} shops; leave it out for every shop")
        if len(set(asked.shops)) < len(asked.shops):
            return Invalid("/shops", "a shop is named twice")
        for i, shop in enumerate(asked.shops):
            if shop not in self.merchants:
                return NotFound("merchant", f"/shops/{i}")
            if shop == asked.merchant_id:
                return Invalid(f"/shops/{i}", "a sponsor gives at others' sales, not at its own")
        return None

    def _crowded(self, asked: NewSponsorship, now: datetime) -> LimitExceeded | None:
        living = [s for s in self.open if s.ends_at is None or s.ends_at > now]
        if len(living) >= LARGEST_OPEN:
            return LimitExceeded("sponsorships", LARGEST_OPEN, len(living) + 1)
        everywhere = sum(s.shops is None for s in living)
        shops = asked.shops if asked.shops is not None else {shop for s in living for shop in s.shops or ()}
        at_one = everywhere + max((sum(shop in (s.shops or ()) for s in living) for shop in shops), default=0)
        return (
            LimitExceeded("sponsorships at a shop", LARGEST_AT_SHOP, at_one + 1) if at_one >= LARGEST_AT_SHOP else None
        )

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._born is not None:
            sponsorship_store.put_sponsorship(tx, working.book.id, self._born)
            self.names.keep(tx, working.book, self.rules)
        if self._ended is not None:
            sponsorship_store.end_sponsorship(tx, working.book.id, self._ended.id, working.now)
        if self._born is not None or self._ended is not None:
            ledger.raise_settings_revision(tx, working.book.id)


def _issuer(merchant: Merchant, working: ledger.Working) -> ledger.Issuer | None:
    """The contract by which a merchant may issue now, or None."""
    return working.issuers.get(merchant.id) if merchant.state == "active" else None


def _unfit(merchant: Merchant) -> StateConflict:
    return StateConflict("merchant", merchant.state if merchant.state != "active" else "without a contract")


# -- what ends by its own time

#: How many one look takes on; what is left is found by the next.
LARGEST_LOOK: Final = 100


def ending(tx: ledger.Tx, book: ledger.Book) -> list[ledger.Request]:
    """A request for each open sponsorship whose time is over. Ended twice, the second finds it ended."""
    return [
        ledger.due.request(book.id, "sponsorship_end", EndSponsorship(merchant, id))
        for merchant, id in sponsorship_store.sponsorships_over(tx, book, LARGEST_LOOK)
    ]


#: For the job room: ends sponsorships and releases what is left of their budgets.
JOB: Final = ledger.jobs.posting(
    "sponsorships", lambda tx, book: sponsorship_store.next_sponsorship_end(tx, book.id), ending
)
