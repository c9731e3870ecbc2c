"""Entitlements are opened and ended, granted to members, and used at the counter: each act a record.

Whatever is counted is counted under a lock on its entitlements, taken in the order of their ids behind those of trade and
before any wallet: of two tills that race for the last place one is first, and the other is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import ledger
from ledger import Accepted, Book, Decision, Needs, Refusal, Request, Tx, Working, ids
from ledger.errors import DuplicateReference, Invalid, NotFound, SpendLocked, StateConflict, Suspended
from merchants import contracts, people, standing
from merchants.benefits import deciding, store
from merchants.benefits.deciding import GRANTED, Capacity, Counts, Entitlement, Grant, Holder
from merchants.benefits.store import Pair, Use, UseRow


@dataclass(frozen=True, slots=True)
class NewEntitlement:
    """`begins_at` None: at once. `ends_at` None: until it is ended."""

    merchant_id: UUID
    kind: str
    name: dict[str, str]
    who: str
    tiers: tuple[str, ...]
    capacity: Capacity
    begins_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndEntitlement:
    merchant_id: UUID
    entitlement_id: UUID


@dataclass(frozen=True, slots=True)
class GrantEntitlement:
    """`uses` None: as often as the capacity allows."""

    merchant_id: UUID
    entitlement_id: UUID
    member_id: UUID
    uses: int | None = None
    ends_at: datetime | None = None

    @property
    def named(self) -> UUID:
        return self.member_id


@dataclass(frozen=True, slots=True)
class EndGrant:
    merchant_id: UUID
    grant_id: UUID


@dataclass(frozen=True, slots=True)
class UseEntitlement:
    """The member by id, or by number."""

    merchant_id: UUID
    entitlement_id: UUID
    branch_id: UUID
    external_reference: str
    member_id: UUID | None = None
    member_number: str | None = None

    @property
    def named(self) -> UUID | str:
        named = self.member_id if self.member_id is not None else self.member_number
        assert named is not None, "a use is of somebody"
        return named


@dataclass(frozen=True, slots=True)
class VoidUse:
    merchant_id: UUID
    use_id: UUID


@dataclass(frozen=True, slots=True)
class EntitlementDone:
    record_id: UUID
    entitlement: Entitlement


@dataclass(frozen=True, slots=True)
class GrantDone:
    record_id: UUID
    grant: Grant


@dataclass(frozen=True, slots=True)
class UseDone:
    """`left`: how often the member may use it yet; None: without a limit."""

    record_id: UUID
    use: Use
    left: int | None


@dataclass(slots=True)
class Known:
    """What deciding needs, read at once for a batch, and what the batch adds."""

    network: contracts.Network
    entitlements: dict[UUID, Entitlement]
    # by id, and by number where they were named so
    members: dict[UUID | str, people.Member]
    tiers: standing.Tiers
    counts: dict[Pair, Counts]
    grants: dict[UUID, Grant]
    uses: dict[UUID, Use]
    referred: dict[tuple[UUID, str], UUID]
    born: list[tuple[Entitlement, int]] = field(default_factory=list)
    changed: set[UUID] = field(default_factory=set)
    new_grants: list[tuple[Grant, UUID, int]] = field(default_factory=list)
    ended_grants: list[UUID] = field(default_factory=list)
    new_uses: list[UseRow] = field(default_factory=list)
    voided: list[UUID] = field(default_factory=list)

    def member(self, asked: UseEntitlement | GrantEntitlement) -> people.Member | None:
        """The member that is named, if there."""
        found = self.members.get(asked.named)
        return None if found is None or found.state == "left" else found

    def own(self, merchant_id: UUID, entitlement_id: UUID) -> Entitlement | None:
        found = self.entitlements.get(entitlement_id)
        return found if found is not None and found.merchant_id == merchant_id else None

    def holder(self, entitlement: Entitlement, member_id: UUID) -> Holder:
        granted = [g for g in self.grants.values() if (g.entitlement_id, g.member_id) == (entitlement.id, member_id)]
        return Holder(member_id, self.tiers.at(entitlement.merchant_id, member_id), granted)

    def counted(self, entitlement: Entitlement, member_id: UUID) -> Counts:
        return self.counts.setdefault((entitlement.id, member_id), Counts())

    def count(self, entitlement: Entitlement, member_id: UUID, by: int, *, today: bool, period: bool) -> None:
        """A use, or one that never was."""
        entitlement.used += by
        self.changed.add(entitlement.id)
        if today:
            for (id, _), counts in self.counts.items():
                if id == entitlement.id:
                    counts.today += by
        counts = self.counted(entitlement, member_id)
        counts.member += by
        counts.period += by if period else 0


class Handler:
    """Decides what shops ask of entitlements."""

    exclusive = False

    def __init__(self, networks: contracts.NetworkCache, ladders: standing.LaddersCache) -> None:
        self._networks = networks
        self._ladders = ladders

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "Round":
        asked = [request.body for request in requests]
        used = [c for c in asked if isinstance(c, UseEntitlement)]
        named = {c.entitlement_id for c in asked if isinstance(c, UseEntitlement | GrantEntitlement | EndEntitlement)}
        voided = {c.use_id for c in asked if isinstance(c, VoidUse)}
        ended = {c.grant_id for c in asked if isinstance(c, EndGrant)}
        named |= store.entitlements_of_uses(tx, book.id, voided) | store.entitlements_of_grants(tx, book.id, ended)
        # everything below is read behind this lock
        found = store.lock(tx, book.id, named)
        uses = store.uses(tx, book.id, voided)
        members = people.members_by(
            tx,
            book.id,
            {c.member_id for c in asked if isinstance(c, UseEntitlement | GrantEntitlement) and c.member_id}
            | {use.member_id for use in uses.values()},
            {c.member_number for c in used if c.member_number},
        )
        pairs = {(use.entitlement_id, use.member_id) for use in uses.values()}
        pairs |= {(c.entitlement_id, member.id) for c in used if (member := members.get(c.named)) is not None}
        grants = {grant.id: grant for grant in store.grants(tx, book.id, pairs)} | (
            store.grants_by_id(tx, book.id, ended) if ended else {}
        )
        known = Known(
            network=self._networks.of(tx, book),
            entitlements=found,
            members=members,
            tiers=standing.tiers_of(tx, book, self._ladders.of(tx, book), {member for _, member in pairs}),
            counts=store.counts(tx, book, found, pairs),
            grants=grants,
            uses=uses,
            referred=store.known(tx, [(c.merchant_id, c.external_reference) for c in used]),
        )
        return Round(known)


@dataclass(slots=True)
class Round:
    known: Known
    needs: Needs = field(default_factory=Needs)

    def decide(self, request: Request, working: Working) -> Decision:
        asked = request.body
        if isinstance(asked, UseEntitlement):
            return use(asked, request.actor, self.known, working)
        if isinstance(asked, VoidUse):
            return void(asked, request.actor, self.known, working)
        if isinstance(asked, NewEntitlement):
            return new(asked, request.actor, self.known, working)
        if isinstance(asked, EndEntitlement):
            return end(asked, request.actor, self.known, working)
        if isinstance(asked, GrantEntitlement):
            return grant(asked, request.actor, self.known, working)
        assert isinstance(asked, EndGrant), asked
        return end_grant(asked, request.actor, self.known, working)

    def write(self, tx: Tx, working: Working) -> None:
        known, book_id = self.known, working.book.id
        store.add_entitlements(tx, book_id, working.batch_id, known.born)
        store.put_entitlements(tx, [known.entitlements[id] for id in sorted(known.changed)])
        store.add_grants(tx, book_id, working.batch_id, known.new_grants)
        store.end_grants(tx, known.ended_grants, working.now)
        store.add_uses(tx, book_id, working.batch_id, known.new_uses)
        store.void_uses(tx, known.voided, working.now)


# -- deciding


def new(asked: NewEntitlement, actor: str, known: Known, working: Working) -> Decision:
    """No such merchant, then a wrong field, then a merchant that left."""
    merchant = known.network.merchant(asked.merchant_id)
    if merchant is None:
        return NotFound("merchant")
    now = working.now
    born = Entitlement(
        ids.new(), asked.merchant_id, asked.kind, asked.name, asked.who, asked.tiers, asked.capacity,
        now if asked.begins_at is None else asked.begins_at, asked.ends_at, "open", 0, now,
    )  # fmt: skip
    if wrong := deciding.fault(born, now):
        return wrong
    if merchant.state == "exited":
        return StateConflict("merchant", "exited")
    # nothing below may refuse
    draft = working.record(
        "entitlement",
        actor,
        merchant=born.merchant_id,
        subject=born.id,
        payload={
            "kind": born.kind,
            "name": dict(born.name),
            "who": born.who,
            "tiers": list(born.tiers),
            "capacity": born.capacity.told,
            "begins_at": born.begins_at,
            "ends_at": born.ends_at,
        },
    )
    known.entitlements[born.id] = born
    known.born.append((born, draft.n))
    return Accepted(EntitlementDone(draft.id, born))


def end(asked: EndEntitlement, actor: str, known: Known, working: Working) -> Decision:
    """No such entitlement, then one that was ended."""
    found = known.own(asked.merchant_id, asked.entitlement_id)
    if found is None:
        return NotFound("entitlement")
    if found.state != "open":
        return StateConflict("entitlement", found.state)
    # nothing below may refuse
    draft = working.record("entitlement_ended", actor, merchant=found.merchant_id, subject=found.id, payload={})
    found.state, found.ended_at = "ended", working.now
    known.changed.add(found.id)
    return Accepted(EntitlementDone(draft.id, found))


def grant(asked: GrantEntitlement, actor: str, known: Known, working: Working) -> Decision:
    """No such entitlement or member, then a wrong field, then one that is ended, or is not given by grants."""
    found, member = known.own(asked.merchant_id, asked.entitlement_id), known.member(asked)
    if found is None:
        return NotFound("entitlement")
    if member is None:
        return NotFound("member", "/member")
    if asked.uses is not None and not 1 <= asked.uses <= deciding.LARGEST_CAPACITY:
        return Invalid("/uses", f"must be 1 to {deciding.LARGEST_CAPACITY}")
    if asked.ends_at is not None and asked.ends_at <= working.now:
        return Invalid("/ends_at", "must be later than now")
    if found.state != "open":
        return StateConflict("entitlement", found.state)
    if found.who != GRANTED:
        return StateConflict("entitlement", f"for {found.who}, and needs no grant")
    # nothing below may refuse
    born = Grant(ids.new(), found.id, member.id, asked.uses, asked.ends_at, working.now)
    draft = working.record(
        "entitlement_granted",
        actor,
        merchant=found.merchant_id,
        member=member.id,
        subject=found.id,
        payload={"grant": born.id, "uses": born.uses, "ends_at": born.ends_at},
    )
    known.grants[born.id] = born
    known.new_grants.append((born, found.merchant_id, draft.n))
    return Accepted(GrantDone(draft.id, born))


def end_grant(asked: EndGrant, actor: str, known: Known, working: Working) -> Decision:
    """No such grant, then one that was taken back."""
    found = known.grants.get(asked.grant_id)
    if found is None or known.own(asked.merchant_id, found.entitlement_id) is None:
        return NotFound("entitlement_grant")
    if found.ended_at is not None:
        return StateConflict("grant", "taken back")
    # nothing below may refuse
    draft = working.record(
        "entitlement_grant_ended",
        actor,
        merchant=asked.merchant_id,
        member=found.member_id,
        subject=found.entitlement_id,
        payload={"grant": found.id},
    )
    found.ended_at = working.now
    known.ended_grants.append(found.id)
    return Accepted(GrantDone(draft.id, found))


def use(asked: UseEntitlement, actor: str, known: Known, working: Working) -> Decision:
    """No such entitlement, branch or member; a reference that is taken; a shop or branch that does not give, a member who is
    frozen; then why the member may not: it does not stand, it is not theirs, the first limit that is reached."""
    found, member = known.own(asked.merchant_id, asked.entitlement_id), known.member(asked)
    if found is None:
        return NotFound("entitlement")
    branch = known.network.branch(asked.branch_id)
    if branch is None or branch.merchant_id != asked.merchant_id:
        return NotFound("branch", "/branch")
    if member is None:
        return NotFound("member", "/member")
    reference = (asked.merchant_id, asked.external_reference)
    if (existing := known.referred.get(reference)) is not None:
        return DuplicateReference(ids.show("entitlement_use", existing))
    if refusal := _closed(known, branch, member):
        return refusal
    holder, counts = known.holder(found, member.id), known.counted(found, member.id)
    if refusal := deciding.refused(found, holder, counts, working.now):
        return refusal
    # nothing below may refuse
    of = holder.grant(working.now) if found.who == GRANTED else None
    id = ids.new()
    payload: dict[str, Any] = {"use": id, "branch": branch.id}
    if of is not None:
        payload["grant"] = of.id
        of.used += 1
    draft = working.record(
        "entitlement_used", actor, merchant=found.merchant_id, member=member.id, subject=found.id, payload=payload
    )
    known.count(found, member.id, 1, today=True, period=True)
    of_id = None if of is None else of.id
    row = UseRow(
        id, found.id, found.merchant_id, branch.id, member.id, of_id, asked.external_reference, working.now, draft.n
    )
    known.new_uses.append(row)
    known.referred[reference] = id
    done = Use(id, found.id, found.merchant_id, member.id, of_id, asked.external_reference, working.now, None)
    known.uses[id] = done
    return Accepted(UseDone(draft.id, done, deciding.left(found, holder, counts, working.now)))


def _closed(known: Known, branch: contracts.Branch, member: people.Member) -> Refusal | None:
    merchant = known.network.merchant(branch.merchant_id)
    assert merchant is not None, branch.id
    if merchant.state == "suspended":
        return Suspended()
    if merchant.state != "active":
        return StateConflict("merchant", merchant.state)
    if branch.state != "active":
        return StateConflict("branch", branch.state)
    return SpendLocked("network") if member.state == "frozen" else None


def void(asked: VoidUse, actor: str, known: Known, working: Working) -> Decision:
    """No such use, then one that was voided. Its place is free again, whatever became of the entitlement."""
    found = known.uses.get(asked.use_id)
    if found is None or found.merchant_id != asked.merchant_id:
        return NotFound("entitlement_use")
    if found.voided_at is not None:
        return StateConflict("use", "voided")
    # nothing below may refuse
    draft = working.record(
        "entitlement_use_voided",
        actor,
        merchant=found.merchant_id,
        member=found.member_id,
        subject=found.entitlement_id,
        payload={"use": found.id},
    )
    entitlement, zone = known.entitlements[found.entitlement_id], working.book.time_zone
    today = deciding.PerPeriod(1, "day").begin(working.now, zone)
    period = entitlement.capacity.per_period
    since = today if period is None else period.begin(working.now, zone)
    known.count(entitlement, found.member_id, -1, today=found.at >= today, period=found.at >= since)
    if found.grant_id is not None and (of := known.grants.get(found.grant_id)) is not None:
        of.used -= 1
    done = known.uses[found.id] = found._replace(voided_at=working.now)
    known.voided.append(found.id)
    holder = known.holder(entitlement, found.member_id)
    left = deciding.left(entitlement, holder, known.counted(entitlement, found.member_id), working.now)
    return Accepted(UseDone(draft.id, done, left))


def handlers(networks: contracts.NetworkCache) -> dict[str, ledger.Handler]:
    """The kinds that this room decides, for `ledger.Committer`."""
    handler = Handler(networks, standing.LaddersCache())
    kinds = ("entitlement", "entitlement_end", "entitlement_grant", "entitlement_grant_end")
    return dict.fromkeys((*kinds, "entitlement_use", "entitlement_use_void"), handler)
