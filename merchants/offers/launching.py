"""The life of an offer: drafted, changed as long as it is a draft, launched, ended. Each step but a change is a record.

A draft's record commits to the salt, which the server drew and nobody has seen; the launch freezes the audience and the design
and reveals the salt. From then on nothing of an offer changes, so nobody ever comes into another arm: not by merging members,
not by another launch, not by other shares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import ledger
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict, Suspended
from merchants import contracts
from merchants.offers import assigning, audience_store, design, giving, giving_store, store, tally_store
from merchants.offers.design import LARGEST_AUDIENCE, LARGEST_DAY, LARGEST_DRAFTS, LARGEST_RUNNING, Design, Faults
from merchants.offers.giving import NOTHING, Count, Given, Giving
from merchants.offers.store import Offer


@dataclass(frozen=True, slots=True)
class NewOffer:
    merchant_id: UUID
    design: Design


@dataclass(frozen=True, slots=True)
class LaunchOffer:
    merchant_id: UUID
    offer_id: UUID


@dataclass(frozen=True, slots=True)
class EndOffer:
    """`early`: before its time, by people."""

    merchant_id: UUID
    offer_id: UUID
    early: bool = True


@dataclass(frozen=True, slots=True)
class FundOffer:
    """A sponsor, or the network's own issuer, agrees to pay for an offer as it is drafted now."""

    merchant_id: UUID
    offer_id: UUID


@dataclass(frozen=True, slots=True)
class ChangeOfferBudget:
    """Points that the funder of a launched offer sets aside in addition; below zero, takes back."""

    merchant_id: UUID
    offer_id: UUID
    points: int


@dataclass(frozen=True, slots=True)
class OfferDone:
    """Of a launched offer that gives: what its budget holds now, and what it gave."""

    record_id: UUID
    offer: Offer
    at: datetime
    budget_points: int | None = None
    given: Count | None = None


Asked = NewOffer | LaunchOffer | EndOffer | FundOffer | ChangeOfferBudget

KINDS: Final = ("offer_draft", "offer_launch", "offer_end", "offer_fund", "offer_budget")


class OfferHandler:
    """Decides requests of KINDS. `faults` reads the rules of variants and says what is wrong with them, `names` looks up what
    they name when an offer is launched, `forbidden` what the network's policy forbids in them where they give points."""

    exclusive = True

    def __init__(
        self, faults: Faults, names: contracts.Naming, forbidden: contracts.Forbidden = contracts.nothing
    ) -> None:
        self._faults = faults
        self._names = names
        self._forbidden = forbidden

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "OfferRound":
        (request,) = requests
        asked: Asked = request.body
        made = OfferRound(self._faults, self._names, self._forbidden, contracts.merchant(tx, book, asked.merchant_id))
        made.drafts, made.running, made.lately = store.counts(tx, book, asked.merchant_id)
        if isinstance(asked, NewOffer):
            made.unknown = audience_store.unknown(tx, book, asked.merchant_id, asked.design)
            made.funder_id = funder_of(tx, book.id, asked.merchant_id, asked.design)
            return made
        found = store.funded_by if isinstance(asked, FundOffer | ChangeOfferBudget) else store.offer
        made.named = found(tx, book.id, asked.merchant_id, asked.offer_id, lock=True)
        if made.named is None:
            return made
        if isinstance(asked, LaunchOffer) and made.named.state == "draft":
            made.named = audience_store.settled(tx, book, made.named)
            made.audience = audience_store.audience(tx, book, made.named)
            made.rules = [
                self._names.find(tx, book, asked.merchant_id, variant.rules, [asked.merchant_id])
                for variant in made.named.design.variants
            ]
        if (funder_id := made.named.funder_id) is not None:
            made.funder = contracts.merchant(tx, book, funder_id)
            _, made.policy = contracts.policy_of(tx, book.id)
            if made.named.state != "draft":
                made.given = giving_store.given(tx, [made.named.id], ledger.days.local(book.now, book.time_zone).date())
            # whichever of them it issues from: the ledger knows
            made.needs.accounts = {ledger.AccountName(kind, funder_id) for kind in ("pool", "credit", "own")}
            made.needs.accounts.add(ledger.budgets.name(funder_id, made.named.id))
        return made


@dataclass(slots=True)
class OfferRound:
    faults: Faults
    names: contracts.Naming
    forbidden: contracts.Forbidden
    merchant: contracts.Merchant | None
    needs: ledger.Needs = field(default_factory=ledger.Needs)
    # the offer that the request names, who pays for it, and who is in its audience now
    named: Offer | None = None
    funder: contracts.Merchant | None = None
    policy: contracts.RulePolicy = field(default_factory=contracts.RulePolicy)
    given: Mapping[UUID, Given] = field(default_factory=dict)
    audience: list[UUID] = field(default_factory=list)
    # of a draft: what its design names and nobody knows, and who is to pay for it
    unknown: NotFound | None = None
    funder_id: UUID | None = None
    # of an offer to be launched, the rules of each variant with what they name
    rules: list[contracts.Found] = field(default_factory=list)
    drafts: int = 0
    running: int = 0
    lately: int = 0
    # drawn for a draft: whoever asks for one never chooses it
    id: UUID = field(default_factory=ledger.ids.new)
    salt: bytes = field(default_factory=assigning.new_salt)
    _born: Offer | None = None
    _launched: tuple[Offer, list[tuple[UUID, str]]] | None = None
    _ended: Offer | None = None
    _agreed: Offer | None = None

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """No such merchant, one that may not, then the offer."""
        asked: Asked = request.body
        merchant = self.merchant
        if merchant is None:
            return NotFound("merchant")
        if isinstance(asked, NewOffer):
            return self._draft(asked, merchant, request.actor, working)
        if self.named is None:
            return NotFound("offer")
        if isinstance(asked, LaunchOffer):
            return self._launch(self.named, merchant, request.actor, working)
        if isinstance(asked, FundOffer):
            return self._agree(self.named, request.actor, working)
        if isinstance(asked, ChangeOfferBudget):
            return self._budget(self.named, asked.points, request.actor, working)
        return self._end(self.named, asked, request.actor, working)

    def _draft(
        self, asked: NewOffer, merchant: contracts.Merchant, actor: str, working: ledger.Working
    ) -> ledger.Decision:
        if unfit := _unfit(merchant):
            return unfit
        if wrong := design_fault(asked.design, self.unknown, self.funder_id, self.faults):
            return wrong
        if self.drafts >= LARGEST_DRAFTS:
            return LimitExceeded("drafts", LARGEST_DRAFTS, self.drafts + 1)
        # nothing below may refuse
        self._born = Offer(
            self.id, merchant.id, asked.design, self.salt, "draft", working.now, funder_id=self.funder_id
        )
        draft = working.record(
            "offer_drafted",
            actor,
            merchant=merchant.id,
            subject=self.id,
            payload={"commitment": assigning.commitment(self.salt).hex()},
            revises=(self.id, 1),
        )
        return ledger.Accepted(OfferDone(draft.id, self._born, working.now))

    def _launch(
        self, offer: Offer, merchant: contracts.Merchant, actor: str, working: ledger.Working
    ) -> ledger.Decision:
        """The merchant, the offer's state, its times, what its rules name, how many run and were launched today, its audience,
        then its funding: the funder, what it agreed to, what the network forbids, what its budget may take."""
        if unfit := _unfit(merchant):
            return unfit
        if offer.state != "draft":
            return StateConflict("offer", offer.state)
        if wrong := design.late(offer.design, working.now):
            return wrong
        for i, found in enumerate(self.rules):
            for pointer, _, detail in found.faults:
                return Invalid(f"/variants/{i}/rules{pointer}", detail)
        if self.running >= LARGEST_RUNNING:
            return LimitExceeded("running offers", LARGEST_RUNNING, self.running + 1)
        if self.lately >= LARGEST_DAY:
            return LimitExceeded("launches in a day", LARGEST_DAY, self.lately + 1)
        if not self.audience:
            return StateConflict("audience", "empty")
        if len(self.audience) > LARGEST_AUDIENCE:
            return LimitExceeded("audience", LARGEST_AUDIENCE, len(self.audience))
        funding = None if offer.design.giving is None else self._funding(offer, offer.design.giving, working)
        if isinstance(funding, ledger.Refusal):
            return funding
        # nothing below may refuse
        begins = max(working.now, offer.design.begins_at or working.now)
        named = zip(offer.design.variants, self.rules, strict=True)
        variants = tuple(replace(variant, rules=found.rules) for variant, found in named)
        launched = replace(
            offer,
            design=replace(offer.design, begins_at=begins, variants=variants),
            state="launched",
            launched_at=working.now,
            audience_size=len(self.audience),
            count_at=begins + timedelta(days=offer.design.windows_days[0]),
        )
        arms = offer.arms
        self._launched = launched, [(id, assigning.arm(offer.salt, arms, id)) for id in sorted(self.audience)]
        draft = working.record(
            "offer_launched",
            actor,
            merchant=merchant.id,
            subject=offer.id,
            payload={
                **design.told(launched.design),
                "members": len(self.audience),
                "audience_hash": assigning.audience_hash(self.audience).hex(),
                "salt": offer.salt.hex(),
                "begins_at": begins,
                "ends_at": offer.design.ends_at,
            },
            revises=(offer.id, 2),
        )
        if funding is not None:
            issuer, points = funding
            draft.payload["funder"] = issuer.merchant_id
            if points:
                ledger.budgets.add(working, actor, issuer, offer.id, points, of="offer")
        return self._done(draft, launched, working)

    def _funding(
        self, offer: Offer, given: Giving, working: ledger.Working
    ) -> tuple[ledger.Issuer, int] | ledger.Refusal:
        """Who issues, and how many points are set aside at the launch."""
        issuer = self._issuer(working)
        if isinstance(issuer, ledger.Refusal):
            return issuer
        if not offer.agreed_to:
            return StateConflict("offer", f"without consent of its {given.by}")
        for i, variant in enumerate(offer.design.variants):
            barred = contracts.refused(self.forbidden, variant.rules, self.policy, issuer.unit_value, working.now)
            if barred is not None:
                return Invalid(f"/variants/{i}/rules{barred.at}", barred.why)
        affordable = given.affordable(issuer.unit_value)
        if affordable == 0:
            return Invalid("/budget_minor", f"one point is worth {issuer.unit_value}")
        points = given.budget_points if affordable is None else min(given.budget_points, affordable)
        if points and (short := ledger.budgets.limit(working, issuer, points)):
            return short
        return issuer, points

    def _issuer(self, working: ledger.Working) -> ledger.Issuer | ledger.Refusal:
        """Whose points are given, by the contract in force."""
        funder = self.funder
        assert funder is not None
        if funder.state == "suspended":
            return Suspended()
        if funder.state != "active":
            return StateConflict("merchant", funder.state)
        return working.issuers.get(funder.id) or StateConflict("merchant", "without a contract")

    def _done(self, draft: ledger.Draft, offer: Offer, working: ledger.Working) -> ledger.Accepted:
        left = self._left(offer, working)
        given = self.given[offer.id].ever if offer.id in self.given else NOTHING
        return ledger.Accepted(OfferDone(draft.id, offer, working.now, left, None if left is None else given))

    def _left(self, offer: Offer, working: ledger.Working) -> int | None:
        if offer.funder_id is None or offer.state == "draft":
            return None
        return working.accounts[ledger.budgets.name(offer.funder_id, offer.id)].balance

    def _agree(self, offer: Offer, actor: str, working: ledger.Working) -> ledger.Decision:
        """Agreed to twice, it is agreed to."""
        assert offer.design.giving is not None
        if offer.state != "draft":
            return StateConflict("offer", offer.state)
        if offer.design.giving.by == "merchant":
            return StateConflict("offer", "funded by its own merchant")
        issuer = self._issuer(working)
        if isinstance(issuer, ledger.Refusal):
            return issuer
        # nothing below may refuse
        draft_hash = design.agreed(offer.design)
        self._agreed = replace(offer, agreed=draft_hash)
        draft = working.record(
            "offer_funded",
            actor,
            merchant=issuer.merchant_id,
            subject=offer.id,
            payload={"draft": draft_hash.hex(), "shop": offer.merchant_id, "giving": giving.told(offer.design.giving)},
        )
        return ledger.Accepted(OfferDone(draft.id, self._agreed, working.now))

    def _budget(self, offer: Offer, points: int, actor: str, working: ledger.Working) -> ledger.Decision:
        """Taken back at any time, set aside by whom may issue, and never more than what the offer may be worth."""
        assert points != 0, offer.id
        assert offer.design.giving is not None
        if offer.state != "launched":
            return StateConflict("offer", offer.state)
        left = self._left(offer, working)
        assert left is not None
        if points < 0:
            if -points > left:
                return LimitExceeded("budget", left, -points)
            assert self.funder is not None
            issuer = working.issuers[self.funder.id]
            draft = ledger.budgets.release(working, actor, issuer, offer.id, -points, of="offer")
            return self._done(draft, offer, working)
        able = self._issuer(working)
        if isinstance(able, ledger.Refusal):
            return able
        affordable = offer.design.giving.affordable(able.unit_value)
        if affordable is not None and self.given[offer.id].ever.points + left + points > affordable:
            return LimitExceeded("budget", affordable, self.given[offer.id].ever.points + left + points)
        if short := ledger.budgets.limit(working, able, points):
            return short
        draft = ledger.budgets.add(working, actor, able, offer.id, points, of="offer")
        return self._done(draft, offer, working)

    def _end(self, offer: Offer, asked: EndOffer, actor: str, working: ledger.Working) -> ledger.Decision:
        """Whatever became of its merchant. What is left of its budget goes back."""
        if offer.state != "launched":
            return StateConflict("offer", offer.state)
        # nothing below may refuse
        self._ended = replace(offer, state="ended", ended_at=working.now)
        draft = working.record(
            "offer_ended",
            actor,
            merchant=offer.merchant_id,
            subject=offer.id,
            payload={"early": True} if asked.early else {},
            revises=(offer.id, 3),
        )
        if left := self._left(offer, working):
            assert offer.funder_id is not None
            ledger.budgets.release(working, actor, working.issuers[offer.funder_id], offer.id, left, of="offer")
        return self._done(draft, self._ended, working)

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._born is not None:
            store.add(tx, working.book.id, self._born)
        if self._launched is not None:
            store.launch(tx, working.book.id, *self._launched)
            for found in self.rules:
                self.names.keep(tx, working.book, found)
        if self._ended is not None:
            store.end(tx, working.book.id, self._ended.id, working.now)
        if self._agreed is not None:
            assert self._agreed.agreed is not None
            store.agree(tx, working.book.id, self._agreed.id, self._agreed.agreed)
        changed = self._launched[0] if self._launched is not None else self._ended
        if changed is not None and changed.design.giving is not None:
            ledger.raise_settings_revision(tx, working.book.id)


def change(
    tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, id: UUID, wanted: Design, faults: Faults
) -> Offer | ledger.Refusal:
    """A draft as `wanted` from here on. No record: what counts is what is launched."""
    found = store.offer(tx, book.id, merchant_id, id, lock=True)
    if found is None:
        return NotFound("offer")
    if found.state != "draft":
        return StateConflict("offer", found.state)
    unknown, funder_id = (
        audience_store.unknown(tx, book, merchant_id, wanted),
        funder_of(tx, book.id, merchant_id, wanted),
    )
    if wrong := design_fault(wanted, unknown, funder_id, faults):
        return wrong
    changed = replace(found, design=wanted, funder_id=funder_id)
    store.change(tx, book.id, changed)
    return changed


def funder_of(tx: ledger.Tx, book_id: int, merchant_id: UUID, wanted: Design) -> UUID | None:
    """Whose points an offer gives; None: nobody's, or of somebody who is not there."""
    if wanted.giving is None:
        return None
    if wanted.giving.by == "merchant":
        return merchant_id
    if wanted.giving.by == "network":
        return store.network_issuer(tx, book_id)
    return store.sponsor(tx, book_id, wanted.giving.sponsor)


def design_fault(
    wanted: Design, unknown: NotFound | None, funder_id: UUID | None, faults: Faults
) -> Invalid | NotFound | None:
    """What is wrong with the fields, then what they name and nobody knows."""
    if wrong := design.fault(wanted, faults):
        return wrong
    if unknown is not None:
        return unknown
    if wanted.giving is not None and funder_id is None:
        return NotFound("merchant", "/funding/sponsor" if wanted.giving.by == "sponsor" else "/funding/by")
    return None


def _unfit(merchant: contracts.Merchant) -> ledger.Refusal | None:
    if merchant.state == "suspended":
        return Suspended()
    if merchant.state != "active":
        return StateConflict("merchant", merchant.state)
    # what a sponsor gives is bought at other merchants' tills: there is nothing of its own to measure
    return StateConflict("merchant", f"a {merchant.kind}") if merchant.kind != "shop" else None


# -- what falls due

#: Offers that one look ends; what is left is found by the next.
LARGEST_LOOK: Final = 100


def ending(tx: ledger.Tx, book: ledger.Book) -> list[ledger.Request]:
    """A request for each running offer whose time is over. Ended twice, the second finds it ended."""
    return [
        ledger.due.request(book.id, "offer_end", EndOffer(merchant, id, early=False))
        for merchant, id in store.over(tx, book, LARGEST_LOOK)
    ]


def count_due(db: ledger.Database, _committer: ledger.Committer, book: ledger.Book) -> int:
    """Count one window that is over, and keep what it came to."""
    with db.tx("door") as tx:
        offer = tally_store.to_count(tx, book)
        if offer is None:
            return 0
        assert offer.design.begins_at is not None
        ends = [(days, offer.design.begins_at + timedelta(days=days)) for days in offer.design.windows_days]
        days, _ = next(each for each in ends if each[1] == offer.count_at)
        tally_store.keep(tx, book.id, offer, tally_store.count(tx, book, offer, days))
        tally_store.count_next_at(tx, offer.id, min((at for later, at in ends if later > days), default=None))
    return 1


#: For the job room, an offer's end before the windows that are over at the same moment.
JOBS: Final = (
    ledger.jobs.posting("offers", lambda tx, book: store.next_end(tx, book.id), ending),
    ledger.jobs.Job("offer_windows", lambda tx, book: tally_store.next_count(tx, book.id), count_due),
)
