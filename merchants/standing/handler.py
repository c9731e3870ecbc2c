"""Ladders come into force, people put members on tiers, and standings follow the stream: each change of tier a record.

A sale is not slowed by it: whoever follows the stream reads what was posted since, in bounded batches, and posts what
changed. The place in the stream moves in the same transaction, and whoever follows holds it, so that each record counts
once. What a change says follows from the stream alone, whenever it is looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import ledger
from ledger import Accepted, Book, Decision, Needs, Request, Tx, Working
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict
from merchants import contracts, people
from merchants.standing import climbing, ladders, store
from merchants.standing.climbing import Change, Standing, Version
from merchants.standing.store import ActRow, HeldRow, Known, LadderRow, Pair

#: Records, members by the clock, and members of a new ladder that one look takes on: sales wait behind no more than that.
LARGEST_LOOK: Final = 200
LARGEST_DUE: Final = 100
LARGEST_SWEEP: Final = 100
#: Versions of one owner in 24 hours: each is posted alone, and looks at every member.
MOST_LADDERS_A_DAY: Final = 20
#: In a live book a sale may be posted with a time that is a moment old: what time changes is decided behind that.
SETTLED: Final = timedelta(seconds=60)


# -- ladders


@dataclass(frozen=True, slots=True)
class NewLadder:
    """`merchant_id` None: the network's own."""

    merchant_id: UUID | None
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LadderDone:
    record_id: UUID
    row: LadderRow


class LadderHandler:
    """Decides requests of kind `ladder`, body `NewLadder`."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "LadderRound":
        (request,) = requests
        body: NewLadder = request.body
        merchant = None if body.merchant_id is None else contracts.merchant(tx, book, body.merchant_id)
        owner = book.public_id if body.merchant_id is None else body.merchant_id
        lately = store.ladders_since(tx, book.id, owner, book.now - timedelta(days=1))
        return LadderRound(merchant, store.ladder_in_force(tx, book.id, owner), lately)


@dataclass(slots=True)
class LadderRound:
    merchant: contracts.Merchant | None
    before: LadderRow | None
    lately: int
    needs: Needs = field(default_factory=Needs)
    _born: LadderRow | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        """No such merchant, then a ladder that cannot be read, a merchant that left, too many in a day."""
        body: NewLadder = request.body
        if body.merchant_id is not None and self.merchant is None:
            return NotFound("merchant")
        if wrong := ladders.faults(body.spec):
            return Invalid(wrong[0].pointer, wrong[0].detail)
        if self.merchant is not None and self.merchant.state == "exited":
            return StateConflict("merchant", "exited")
        if self.lately >= MOST_LADDERS_A_DAY:
            return LimitExceeded("ladders a day", MOST_LADDERS_A_DAY, self.lately + 1)
        # nothing below may refuse
        owner = body.merchant_id or working.book.public_id
        version = 1 if self.before is None else self.before.version + 1
        id = ledger.ids.new()
        draft = working.record(
            "ladder",
            request.actor,
            merchant=body.merchant_id,
            subject=owner,
            payload={"ladder": id, "version": version, "spec": dict(body.spec)},
            # ladders are counted apart from contracts, which have the merchant's own id
            revises=(uuid5(owner, "ladder"), version),
        )
        self._born = LadderRow(id, owner, version, body.spec, working.now, draft.n)
        return Accepted(LadderDone(draft.id, self._born))

    def write(self, tx: Tx, working: Working) -> None:
        if self._born is not None:
            store.put_ladder(tx, working.book.id, working.batch_id, self._born)
            ledger.raise_settings_revision(tx, working.book.id)


class LaddersCache(ledger.SettingsCache[dict[UUID, list[Version]]]):
    """The ladders of a book, by owner: one without ladders costs no statement."""

    def __init__(self) -> None:
        super().__init__(store.versions)


# -- by hand


@dataclass(frozen=True, slots=True)
class PutByHand:
    """Put a member on a tier until `ends_at` (None: for good); `tier` None: let the rule count again."""

    merchant_id: UUID | None
    member_id: UUID
    tier: str | None
    reason: str = field(repr=False)
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ByHandDone:
    record_id: UUID
    act: ActRow


class ByHandHandler:
    """Decides requests of kind `tier_by_hand`, body `PutByHand`. The act is a record of the stream, and the tier follows from
    it as from any other: nobody waits for a lock of the book because a shop puts a friend on a tier."""

    exclusive = False

    def __init__(self, cache: LaddersCache) -> None:
        self._cache = cache

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "ByHandRound":
        members = people.members_by(tx, book.id, {request.body.member_id for request in requests})
        return ByHandRound(members, self._cache.of(tx, book))


@dataclass(slots=True)
class ByHandRound:
    members: Mapping[UUID | str, people.Member]
    versions: Mapping[UUID, Sequence[Version]]
    needs: Needs = field(default_factory=Needs)
    acts: list[ActRow] = field(default_factory=list)

    def decide(self, request: Request, working: Working) -> Decision:
        """No such member, no ladder, one that is not for the member's kind, no such tier, a time that is over."""
        body: PutByHand = request.body
        owner, member = body.merchant_id or working.book.public_id, self.members.get(body.member_id)
        if member is None or member.state == "left":
            return NotFound("member")
        if owner not in self.versions:
            return NotFound("ladder")
        ladder = self.versions[owner][-1].ladder
        if member.kind not in ladder.kinds:
            return StateConflict("ladder", f"not for a {member.kind} person")
        if body.tier is not None and ladder.rank(body.tier) < 0:
            return Invalid("/tier", f"must be one of {', '.join(tier.id for tier in ladder.tiers)}")
        if body.ends_at is not None and body.ends_at <= working.now:
            return Invalid("/ends_at", "must be later than now")
        # nothing below may refuse
        id = ledger.ids.new()
        draft = working.record(
            "tier_by_hand",
            request.actor,
            merchant=body.merchant_id,
            member=member.id,
            subject=owner,
            payload={"act": id, "tier": body.tier, "ends_at": body.ends_at},
        )
        act = ActRow(id, owner, member.id, body.tier, body.ends_at, body.reason, working.now, draft.n)
        self.acts.append(act)
        return Accepted(ByHandDone(draft.id, act))

    def write(self, tx: Tx, working: Working) -> None:
        store.add_acts(tx, working.book.id, working.batch_id, self.acts)


# -- following


@dataclass(slots=True)
class _Told:
    """What becomes of standings in one batch, and the rows of it."""

    standings: dict[Pair, Standing] = field(default_factory=dict)
    held: list[HeldRow] = field(default_factory=list)

    def look(self, pair: Pair, known: Known, until: datetime | None, actor: str, working: Working) -> None:
        """Follow one member, and record what changes."""
        owner, member = pair
        changes, standing = climbing.follow(working.book.time_zone, known.standing, known.events, until)
        for i, change in enumerate(changes):
            after = changes[i + 1].since if i + 1 < len(changes) else None
            self._record(owner, member, change, after, actor, working)
        self.standings[pair] = standing

    def _record(
        self, owner: UUID, member: UUID, change: Change, until: datetime | None, actor: str, working: Working
    ) -> None:
        id, why = ledger.ids.new(), _why(change)
        draft = working.record(
            "tier_changed",
            actor,
            merchant=None if owner == working.book.public_id else owner,
            member=member,
            subject=id,
            payload={
                "ladder": change.ladder_id,
                "tier": change.tier,
                "before": change.before,
                "since": change.since,
                "by": change.by,
                "why": why,
            },
        )
        self.held.append(
            HeldRow(id, owner, member, change.tier, change.since, until, change.by, why, change.ladder_id, draft.n)
        )

    def write(self, tx: Tx, working: Working) -> None:
        store.add_held(tx, working.book.id, working.batch_id, self.held)
        store.put_standings(tx, working.book.id, self.standings)


def _why(change: Change) -> dict[str, Any]:
    """The days that were measured, from the first to before the last, and what was in them."""
    found = change.reach
    return {"from": found.period.start.isoformat(), "to": found.period.end.isoformat(), **found.measures.told}


@dataclass(frozen=True, slots=True)
class Follow:
    """Look at what was posted since, and at whom time changes: some of it, or all."""


class Follower:
    """Decides requests of kind `standing`, body `Follow`. Two processes never follow one book at once: the second finds
    nothing to do."""

    exclusive = False

    def __init__(self, cache: LaddersCache) -> None:
        self._cache = cache

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "FollowRound":  # noqa: ARG002 - the protocol's
        round = FollowRound()
        place = store.lock_place(tx, book.id)
        if place is None:
            return round
        versions = self._cache.of(tx, book)
        lines = ledger.stream.lines(tx, book.id, place, LARGEST_LOOK)
        pairs: set[Pair] = set()
        for line in lines:
            if line.member_id is None or line.kind not in ("sale", "refund", "tier_by_hand"):
                continue
            owners = {line.merchant_id or book.public_id}
            if line.kind != "tier_by_hand":
                owners.add(book.public_id)
            pairs |= {(owner, line.member_id) for owner in owners if owner in versions}
        round.next = place + len(lines)
        if len(lines) < LARGEST_LOOK:
            round.until = settled(book)
            pairs |= set(store.due(tx, book.id, round.until, LARGEST_DUE))
            if (sweep := store.sweeping(tx, book.id)) is not None:
                members = store.members_after(tx, book.id, sweep[1], LARGEST_SWEEP)
                pairs |= {(sweep[0], member) for member in members}
                round.swept = sweep[0], members[-1] if len(members) == LARGEST_SWEEP else None
        round.known = store.read(tx, book, versions, pairs, round.next - 1)
        return round


def settled(book: Book) -> datetime:
    """Nothing is posted any more with a time before this."""
    return book.now if book.mode == "test" else book.now - SETTLED


@dataclass(slots=True)
class FollowRound:
    needs: Needs = field(default_factory=Needs)
    # where the next look begins, and how far time is looked at; None: another looks, or more is to be read before
    next: int | None = None
    until: datetime | None = None
    known: Mapping[Pair, Known] = field(default_factory=dict)
    # the owner of a new ladder, and the last of its members who was looked at now; None: the last there is
    swept: tuple[UUID, UUID | None] | None = None
    told: _Told = field(default_factory=_Told)

    def decide(self, request: Request, working: Working) -> Decision:
        """Never refused. A second request in a batch finds what the first one did."""
        known, self.known = self.known, {}
        for pair in sorted(known):
            self.told.look(pair, known[pair], self.until, request.actor, working)
        return Accepted(len(known))

    def write(self, tx: Tx, working: Working) -> None:
        if self.next is None:
            return
        self.told.write(tx, working)
        store.put_place(tx, working.book.id, self.next)
        if self.swept is not None:
            store.put_sweep(tx, *self.swept)


def handlers(cache: LaddersCache) -> dict[str, ledger.Handler]:
    """The kinds that this room decides, for `ledger.Committer`."""
    return {"ladder": LadderHandler(), "tier_by_hand": ByHandHandler(cache), "standing": Follower(cache)}


# -- finding


def next_look(tx: Tx, book: Book) -> datetime | None:
    """When standings are next to be looked at: at once while the stream is ahead."""
    place = store.place(tx, book.id)
    if place is None:
        return None
    if place < ledger.stream.end(tx, book.id) or store.sweeping(tx, book.id) is not None:
        return book.now
    due = store.next_due(tx, book.id)
    return None if due is None else due + (book.now - settled(book))


def looking(tx: Tx, book: Book) -> list[Request]:
    when = next_look(tx, book)
    return [] if when is None or when > book.now else [ledger.due.request(book.id, "standing", Follow())]


#: For the job room: follows the stream, and time.
JOB: Final = ledger.jobs.posting("standings", next_look, looking)
