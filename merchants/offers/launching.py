"""The life of an offer: drafted, changed as long as it is a draft, launched, ended. Each step but a change is a record.

A draft's record commits to the salt, which the server drew and nobody has seen; the launch freezes the audience and the design
and reveals the salt. From then on nothing of an offer changes, so nobody ever comes into another arm: not by merging members,
not by another launch, not by other shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import ledger
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict, Suspended
from merchants import contracts
from merchants.offers import assigning, design, store, tally_store
from merchants.offers.design import LARGEST_AUDIENCE, LARGEST_DAY, LARGEST_DRAFTS, LARGEST_RUNNING, Design, Faults
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
class OfferDone:
    record_id: UUID
    offer: Offer
    at: datetime


Asked = NewOffer | LaunchOffer | EndOffer

KINDS: Final = ("offer_draft", "offer_launch", "offer_end")


class OfferHandler:
    """Decides requests of KINDS. `faults` reads the rules of variants and says what is wrong with them, `names` looks up what
    they name when an offer is launched."""

    exclusive = True

    def __init__(self, faults: Faults, names: contracts.Naming) -> None:
        self._faults = faults
        self._names = names

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "OfferRound":
        (request,) = requests
        asked: Asked = request.body
        made = OfferRound(self._faults, self._names, contracts.merchant(tx, book, asked.merchant_id))
        made.drafts, made.running, made.lately = store.counts(tx, book, asked.merchant_id)
        if isinstance(asked, NewOffer):
            made.unknown = store.unknown_members(tx, book.id, asked.design.members)
            return made
        made.named = store.offer(tx, book.id, asked.merchant_id, asked.offer_id, lock=True)
        if isinstance(asked, LaunchOffer) and made.named is not None and made.named.state == "draft":
            made.audience = store.audience(tx, book.id, made.named)
            made.rules = [
                self._names.find(tx, book, asked.merchant_id, variant.rules, [asked.merchant_id])
                for variant in made.named.design.variants
            ]
        return made


@dataclass(slots=True)
class OfferRound:
    faults: Faults
    names: contracts.Naming
    merchant: contracts.Merchant | None
    needs: ledger.Needs = field(default_factory=ledger.Needs)
    # the offer that the request names, and who is in its audience now
    named: Offer | None = None
    audience: list[UUID] = field(default_factory=list)
    unknown: set[UUID] = field(default_factory=set)
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
        return self._end(self.named, asked, request.actor, working)

    def _draft(
        self, asked: NewOffer, merchant: contracts.Merchant, actor: str, working: ledger.Working
    ) -> ledger.Decision:
        if unfit := _unfit(merchant):
            return unfit
        if wrong := design_fault(asked.design, self.unknown, self.faults):
            return wrong
        if self.drafts >= LARGEST_DRAFTS:
            return LimitExceeded("drafts", LARGEST_DRAFTS, self.drafts + 1)
        # nothing below may refuse
        self._born = Offer(self.id, merchant.id, asked.design, self.salt, "draft", working.now)
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
        """The merchant, the offer's state, its times, what its rules name, how many run and were launched today, then its
        audience."""
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
        return ledger.Accepted(OfferDone(draft.id, launched, working.now))

    def _end(self, offer: Offer, asked: EndOffer, actor: str, working: ledger.Working) -> ledger.Decision:
        """Whatever became of its merchant."""
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
        return ledger.Accepted(OfferDone(draft.id, self._ended, working.now))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._born is not None:
            store.add(tx, working.book.id, self._born)
        if self._launched is not None:
            store.launch(tx, working.book.id, *self._launched)
            for found in self.rules:
                self.names.keep(tx, working.book, found)
        if self._ended is not None:
            store.end(tx, working.book.id, self._ended.id, working.now)


def change(
    tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, id: UUID, wanted: Design, faults: Faults
) -> Offer | ledger.Refusal:
    """A draft as `wanted` from here on. No record: what counts is what is launched."""
    found = store.offer(tx, book.id, merchant_id, id, lock=True)
    if found is None:
        return NotFound("offer")
    if found.state != "draft":
        return StateConflict("offer", found.state)
    if wrong := design_fault(wanted, store.unknown_members(tx, book.id, wanted.members), faults):
        return wrong
    changed = replace(found, design=wanted)
    store.change(tx, book.id, changed)
    return changed


def design_fault(wanted: Design, unknown: set[UUID], faults: Faults) -> Invalid | NotFound | None:
    if wrong := design.fault(wanted, faults):
        return wrong
    for i, member in enumerate(wanted.members):
        if member in unknown:
            return NotFound("member", f"/audience/members/{i}")
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
