"""The part of a book a batch works on: locked accounts, lots and holds, and the moves the ledger knows.

Plain Python over what `store` loaded. A move checks nothing it was not asked to: callers decide first, and below the
first move nothing may refuse. An account that would cross its floor here is a bug and stops the batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from ledger import ids
from ledger.accounts import Account, AccountName, Accounts
from ledger.book import SOURCES, Book, Issuer
from ledger.errors import LimitExceeded
from ledger.holds import Debt, Hold
from ledger.lots import Lot, Slice, TakenBack, first, last_first, worth
from ledger.values import Points

#: What an expired lot gets when a refund of a redemption restores it, once in its life.
GRACE: Final = timedelta(days=30)
#: Lots that one record of the clock tells of; it numbers their entries, four a lot at most, in two bytes.
LARGEST_RECORD: Final = 5_000


@dataclass(slots=True)
class Draft:
    """A record being written: its entries balance per asset, its lot moves say which points."""

    n: int
    id: UUID
    kind: str
    at: datetime
    actor: str
    merchant_id: UUID | None
    member_id: UUID | None
    subject_id: UUID | None
    reverses_id: UUID | None
    payload: dict[str, Any]
    entries: list[tuple[Account, int]] = field(default_factory=list)
    moves: list[tuple[Lot, str, str, UUID | None, int]] = field(default_factory=list)
    revises: tuple[UUID, int] | None = None
    #: the payload in canonical JSON: what is stored and what is hashed. Made once, when all is decided
    told: msgspec.Raw = field(default_factory=msgspec.Raw)


@dataclass(slots=True)
class Needs:
    """What a handler wants locked and loaded before it decides."""

    #: accounts by name, wallets among them
    accounts: set[AccountName] = field(default_factory=set)
    #: (kind, merchant): accounts that many batches move at once. They are read, and locked only while the batch is written
    shared: set[tuple[str, UUID]] = field(default_factory=set)
    #: members whose wallets are wanted, and those whose pending points are as well
    wallets: set[UUID] = field(default_factory=set)
    pending: set[UUID] = field(default_factory=set)
    #: members whose open lots are wanted (their wallet and held accounts come with them)
    lots_of: set[UUID] = field(default_factory=set)
    holds: set[UUID] = field(default_factory=set)
    #: captured holds whose slices are wanted as well, to be restored
    restored: set[UUID] = field(default_factory=set)
    #: lots wanted however empty, of members in `lots_of`
    lots: set[UUID] = field(default_factory=set)

    def __ior__(self, other: "Needs") -> "Needs":
        self.accounts |= other.accounts
        self.shared |= other.shared
        self.wallets |= other.wallets
        self.pending |= other.pending
        self.lots_of |= other.lots_of
        self.holds |= other.holds
        self.restored |= other.restored
        self.lots |= other.lots
        return self


class Working:
    """One batch in the making."""

    def __init__(self, book: Book, batch_id: int, issuers: dict[UUID, Issuer]) -> None:
        self.book = book
        self.now = book.now
        self.batch_id = batch_id
        self.issuers = issuers
        self.accounts = Accounts()
        self.lots: list[Lot] = []
        self._lot_by_id: dict[UUID, Lot] | None = None
        self.lots_of: dict[UUID, list[Lot]] = {}
        self.holds: dict[UUID, Hold] = {}
        #: what each member whose wallet is here owes, oldest first
        self.debts: dict[UUID, list[Debt]] = {}
        self.records: list[Draft] = []

    # -- records

    def record(
        self,
        kind: str,
        actor: str,
        *,
        payload: dict[str, Any],
        merchant: UUID | None = None,
        member: UUID | None = None,
        subject: UUID | None = None,
        reverses: UUID | None = None,
        id: UUID | None = None,
        revises: tuple[UUID, int] | None = None,
    ) -> Draft:
        """Begin a record. `revises` (subject, revision) makes it clash with any other step taken from the same state."""
        draft = Draft(
            n=len(self.records),
            id=id or ids.new(),
            kind=kind,
            at=self.now,
            actor=actor,
            merchant_id=merchant,
            member_id=member,
            subject_id=subject,
            reverses_id=reverses,
            payload=payload,
            revises=revises,
        )
        self.records.append(draft)
        return draft

    def move(self, draft: Draft, source: AccountName, target: AccountName, amount: int) -> None:
        """source -> target: lowers one, raises the other by `amount`, which is positive."""
        self._shift(draft, self.accounts[source], self.accounts[target], amount)

    def _shift(self, draft: Draft, giver: Account, taker: Account, amount: int) -> None:
        assert amount > 0, (draft.kind, amount)
        assert giver.asset == taker.asset, (giver.text, taker.text)
        giver.balance -= amount
        taker.balance += amount
        # credit's floor stops an earn, which asks before (`issuing_limit`), never points that are issued already
        if giver.balance < giver.lowest and giver.kind != "credit":
            giver.lowest = giver.balance
            assert giver.floor is None or giver.balance >= giver.floor, (giver.text, giver.balance)
        draft.entries.append((giver, -amount))
        draft.entries.append((taker, amount))

    # -- lots

    def lot(self, id: UUID) -> Lot | None:
        """A lot that the batch has, by its id."""
        if self._lot_by_id is None:
            self._lot_by_id = {lot.id: lot for lot in self.lots}
        return self._lot_by_id.get(id)

    def have(self, lots: Iterable[Lot]) -> None:
        """Take what was read."""
        held = list(lots)
        self.lots += held
        if self._lot_by_id is not None:
            self._lot_by_id |= {lot.id: lot for lot in held}
        # they come member by member, mostly
        member, of_member = None, None
        for lot in held:
            if member is None or lot.member_id.int != member:
                member, of_member = lot.member_id.int, self.lots_of.get(lot.member_id)
            if of_member is not None:
                of_member.append(lot)

    def _add(self, lot: Lot) -> None:
        self.lots.append(lot)
        if self._lot_by_id is not None:
            self._lot_by_id[lot.id] = lot
        if (of_member := self.lots_of.get(lot.member_id)) is not None:
            of_member.append(lot)

    # -- the pool

    def buy(self, draft: Draft, issuer: Issuer, points: int) -> None:
        """mint -> pool, prefund -> backing: points bought at the issuer's present unit value."""
        merchant = issuer.merchant_id
        self.move(draft, AccountName("mint", merchant), AccountName("pool", merchant), points)
        value = points * issuer.unit_value
        self.move(draft, AccountName("prefund", merchant), AccountName("backing", merchant), value)

    def sell_back(self, actor: str, issuer: Issuer, points: int) -> Draft:
        """pool -> mint, backing -> prefund: the reverse, as a record of its own."""
        merchant, value = issuer.merchant_id, points * issuer.unit_value
        draft = self.record(
            "sell_back",
            actor,
            merchant=merchant,
            payload={"points": points, "unit_value_minor": issuer.unit_value, "value_minor": value},
        )
        self.move(draft, AccountName("pool", merchant), AccountName("mint", merchant), points)
        self.move(draft, AccountName("backing", merchant), AccountName("prefund", merchant), value)
        return draft

    # -- issuing

    def issuing_limit(self, issuer: Issuer, points: int) -> LimitExceeded | None:
        """Why `issuer` may not issue `points` now, or None."""
        account = self.accounts.of(issuer.merchant_id)[SOURCES[issuer.mode]]
        if account.floor is not None:
            if account.balance - points < account.floor:
                return LimitExceeded("issuing", max(0, account.balance - account.floor), points)
            account.lowest = min(account.lowest, account.balance - points)
        return None

    def issue(
        self,
        draft: Draft,
        issuer: Issuer,
        *,
        member: UUID,
        points: Points,
        unit_value: int,
        available_at: datetime,
        expires_at: datetime,
        rule_id: UUID | None,
        sale_id: UUID | None,
        budget: AccountName | None = None,
        repays: bool = True,
    ) -> Lot:
        """issuer's pool, credit or own -> member's wallet (or pending), as one new lot, which repays what the member owes.

        From `budget` when the points were set aside before. Without `repays` the caller repays, with all that arrived.
        """
        ripe = available_at <= self.now
        lot = Lot(
            id=ids.new(),
            member_id=member,
            issuer_id=issuer.merchant_id,
            batch_id=self.batch_id,
            n=draft.n,
            unit_value=unit_value,
            funding=issuer.mode,
            contract_id=issuer.contract_id,
            points=points,
            pending=0 if ripe else points,
            remaining=points if ripe else 0,
            held=0,
            earned_at=self.now,
            available_at=available_at,
            expires_at=expires_at,
            rule_id=rule_id,
            sale_id=sale_id,
            stored=False,
        )
        place = "wallet" if ripe else "pending"
        source = self.accounts[budget] if budget else self.accounts.of(issuer.merchant_id)[SOURCES[issuer.mode]]
        self._shift(draft, source, self.accounts.of(member)[place], points)
        draft.moves.append((lot, "home", place, None, points))
        draft.payload.setdefault("lots", []).append(lot.born)
        self._add(lot)
        if repays:
            self.repay(draft.actor, member, [Slice(lot, points)])
        return lot

    # -- holding

    def hold(
        self,
        draft: Draft,
        *,
        id: UUID,
        member: UUID,
        acceptor: UUID,
        slices: list[Slice],
        deadline: datetime,
    ) -> Hold:
        """wallet -> held, pinning the slices."""
        total = sum(s.points for s in slices)
        for lot, points in slices:
            assert 0 < points <= lot.remaining, lot.id
            lot.remaining -= points
            lot.held += points
            draft.moves.append((lot, "wallet", "held", None, points))
        purse = self.accounts.of(member)
        self._shift(draft, purse["wallet"], purse["held"], total)
        hold = Hold(
            id=id,
            member_id=member,
            acceptor_id=acceptor,
            points=total,
            state="open",
            deadline=deadline,
            slices=slices,
            stored=False,
        )
        self.holds[id] = hold
        return hold

    def capture(self, draft: Draft, hold: Hold, points: int | None = None) -> None:
        """held -> accepted:r, the lots named. Of a hold taken in part the first slices go, and a void gives the rest back."""
        assert hold.state == "open", hold.id
        points = hold.points if points is None else points
        assert 0 < points <= hold.points, (hold.id, points)
        for lot, part in first(hold.slices, points):
            lot.held -= part
            draft.moves.append((lot, "held", "accepted", hold.acceptor_id, part))
        held, accepted = self.accounts.of(hold.member_id)["held"], self.accounts.of(hold.acceptor_id)["accepted"]
        self._shift(draft, held, accepted, points)
        hold.state = "captured"
        if rest := hold.points - points:
            void = self.record(
                "void",
                draft.actor,
                merchant=hold.acceptor_id,
                member=hold.member_id,
                subject=hold.id,
                payload={"points": rest, "rest_of": draft.id},
            )
            self._let_go(void, hold, last_first(hold.slices, 0, rest))

    def release(self, draft: Draft, hold: Hold, state: str) -> None:
        """held -> wallet: a void or a lapse; it repays what the member owes. What expired meanwhile gets no grace."""
        assert hold.state == "open", hold.id
        hold.state = state
        self._let_go(draft, hold, hold.slices)

    def _let_go(self, draft: Draft, hold: Hold, slices: list[Slice]) -> None:
        for lot, points in slices:
            lot.held -= points
            lot.remaining += points
            draft.moves.append((lot, "held", "wallet", None, points))
        total = sum(s.points for s in slices)
        self.move(draft, AccountName("held", hold.member_id), AccountName("wallet", hold.member_id), total)
        # while they were held no activity of their member could prolong them
        self._prolong(draft, [lot for lot, _ in slices])
        self.repay(draft.actor, hold.member_id, slices)

    def restore(self, draft: Draft, hold: Hold, slices: list[Slice]) -> None:
        """accepted:r -> wallet: a refund of a redemption. An expired lot gets grace once, else it expires again at once.

        Catch up with the member before: grace is for what comes back, not for what lay there. What came back repays debts.
        """
        assert hold.state == "captured", hold.id
        graced = []
        for lot, points in slices:
            if lot.expires_at <= self.now and not lot.grace_used:
                until = self.now + GRACE
                graced.append({"lot": lot.id, "expired_at": lot.expires_at, "expires_at": until})
                lot.expires_at, lot.grace_used = until, True
            lot.remaining += points
            draft.moves.append((lot, "accepted", "wallet", hold.acceptor_id, points))
        total = sum(s.points for s in slices)
        self.move(draft, AccountName("accepted", hold.acceptor_id), AccountName("wallet", hold.member_id), total)
        draft.payload["graced"] = graced
        self.catch_up(hold.member_id)
        self.repay(draft.actor, hold.member_id, slices)

    # -- giving

    def give(self, draft: Draft, *, giver: UUID, receiver: UUID, slices: list[Slice]) -> list[Lot]:
        """wallet:giver -> wallet:receiver: each slice becomes a child lot, like its parent in all but whose it is.

        A gift repays nothing of what the receiver owes.
        """
        assert giver != receiver, giver
        children = []
        for lot, points in slices:
            assert lot.member_id == giver, lot.id
            assert 0 < points <= lot.remaining, lot.id
            lot.remaining -= points
            child = Lot(
                id=ids.new(),
                member_id=receiver,
                issuer_id=lot.issuer_id,
                batch_id=self.batch_id,
                n=draft.n,
                unit_value=lot.unit_value,
                funding=lot.funding,
                contract_id=lot.contract_id,
                points=points,
                pending=0,
                remaining=points,
                held=0,
                earned_at=lot.earned_at,
                available_at=lot.available_at,
                expires_at=lot.expires_at,
                rule_id=lot.rule_id,
                sale_id=lot.sale_id,
                parent_id=lot.id,
                grace_used=lot.grace_used,
                stored=False,
            )
            draft.moves.append((lot, "wallet", "given", None, points))
            draft.moves.append((child, "given", "wallet", None, points))
            self._add(child)
            children.append(child)
        self.move(draft, AccountName("wallet", giver), AccountName("wallet", receiver), sum(s.points for s in slices))
        draft.payload["lots"] = [child.born for child in children]
        return children

    # -- owing

    def take_back(self, draft: Draft, lot: Lot, taken: TakenBack, sale: UUID) -> None:
        """A refund of a sale: pending and wallet -> home; what is nowhere to be had becomes a debt to the lot's issuer."""
        member, issuer = lot.member_id, lot.issuer_id
        for place, points in (("pending", taken.pending), ("wallet", taken.wallet)):
            if points:
                draft.moves.append((lot, place, "home", None, points))
                self.return_home(draft, lot, AccountName(place, member), points)
        lot.pending -= taken.pending
        lot.remaining -= taken.wallet
        if taken.owed:
            self.move(draft, AccountName("debt", member, issuer), AccountName("claim", issuer), taken.owed)
            debts = self.debts.setdefault(member, [])
            # lots of one issuer that one refund could not take back are one debt
            same = (d for d in debts if (d.batch_id, d.n, d.creditor_id) == (self.batch_id, draft.n, issuer))
            if (debt := next(same, None)) is not None:
                debt.points += taken.owed
                debt.remaining += taken.owed
                return
            debts.append(
                Debt(
                    id=ids.new(),
                    member_id=member,
                    creditor_id=issuer,
                    sale_id=sale,
                    closed_loop=lot.funding == "closed_loop",
                    points=taken.owed,
                    remaining=taken.owed,
                    batch_id=self.batch_id,
                    n=draft.n,
                    stored=False,
                )
            )

    def repay(self, actor: str, member: UUID, arrived: Iterable[Slice]) -> None:
        """Points that arrived -> debt:m:c with claim:c -> accepted:c, oldest debt first: a record for each debt."""
        living = sorted((s for s in arrived if s.lot.expires_at > self.now), key=lambda s: s.lot.order)
        left = {s.lot.id: int(s.points) for s in living}
        for debt in self.debts.get(member, ()):
            slices = []
            for lot, _ in living:
                if debt.taken_by(lot) and (paid := min(left[lot.id], debt.remaining)):
                    left[lot.id] -= paid
                    debt.remaining -= paid
                    slices.append(Slice(lot, Points(paid)))
            if slices:
                self._repaid(actor, debt, slices)

    def _repaid(self, actor: str, debt: Debt, slices: list[Slice]) -> None:
        """As if the slices were captured at the creditor's, without a fee."""
        creditor = debt.creditor_id
        total = sum(s.points for s in slices)
        draft = self.record(
            "repayment",
            actor,
            merchant=creditor,
            member=debt.member_id,
            subject=debt.sale_id,
            payload={
                "debt": debt.id,
                "points": total,
                "value_minor": worth(slices),
                "redemption_fee_ppm": 0,
                "slices": [s.told for s in slices],
            },
        )
        owed = AccountName("debt", debt.member_id, creditor)
        for lot, points in slices:
            place = "wallet" if lot.available_at <= self.now else "pending"
            if place == "wallet":
                lot.remaining -= points
            else:
                lot.pending -= points
            draft.moves.append((lot, place, "accepted", creditor, points))
            self.move(draft, AccountName(place, debt.member_id), owed, points)
        self.move(draft, AccountName("claim", creditor), AccountName("accepted", creditor), total)

    # -- going home

    def return_home(self, draft: Draft, lot: Lot, source: AccountName, points: int) -> None:
        """source -> the lot's home: credit or own, the pool while it still holds such points, else mint with its money."""
        issuer = lot.issuer_id
        lot.returned += points
        if lot.funding == "deferred":
            self.move(draft, source, AccountName("credit", issuer), points)
        elif lot.funding == "closed_loop":
            self.move(draft, source, AccountName("own", issuer), points)
        elif self.issuers[issuer].pools(lot.unit_value):
            self.move(draft, source, AccountName("pool", issuer), points)
        else:
            self.move(draft, source, AccountName("mint", issuer), points)
            value = points * lot.unit_value
            self.move(draft, AccountName("backing", issuer), AccountName("prefund", issuer), value)

    # -- time

    def catch_up(self, member: UUID) -> None:
        """Post what the clock did to a member's points: those that confirm do, then those past their time expire."""
        self._mature(member)
        gone = [lot for lot in self.lots_of[member] if lot.remaining > 0 and lot.expires_at <= self.now]
        for part in _parts(gone):
            points = sum(lot.remaining for lot in part)
            draft = self.record("expiry", "clock", member=member, payload={"points": points})
            for lot in part:
                draft.moves.append((lot, "wallet", "home", None, lot.remaining))
                self.return_home(draft, lot, AccountName("wallet", member), lot.remaining)
                lot.remaining = 0

    def _mature(self, member: UUID) -> None:
        """pending -> wallet. Points repaid what was owed when they were earned; confirming repays nothing."""
        ripe = [lot for lot in self.lots_of[member] if lot.pending > 0 and lot.available_at <= self.now]
        for part in _parts(ripe):
            points = sum(lot.pending for lot in part)
            draft = self.record("maturity", "clock", member=member, payload={"points": points})
            self.move(draft, AccountName("pending", member), AccountName("wallet", member), points)
            for lot in part:
                draft.moves.append((lot, "pending", "wallet", None, lot.pending))
                lot.remaining += lot.pending
                lot.pending = 0

    def active(self, draft: Draft, member: UUID) -> None:
        """The member earns or spends: where the network expires the points of the inactive, theirs live on."""
        if self.book.active_until is not None:
            self._prolong(draft, [lot for lot in self.lots_of[member] if lot.remaining > 0 or lot.pending > 0])

    def _prolong(self, draft: Draft, lots: Iterable[Lot]) -> None:
        """Move the expiry of living lots, telling the record which: never back, and never what expired already."""
        until = self.book.active_until
        if until is None:
            return
        moved = [lot for lot in lots if self.now < lot.expires_at < until]
        told = [{"lot": lot.id, "expired_at": lot.expires_at, "expires_at": until} for lot in moved]
        for lot in moved:
            lot.expires_at = until
        if moved:
            draft.payload["prolonged"] = told


def _parts(lots: list[Lot]) -> list[list[Lot]]:
    """Lots in the order in which they go, as many together as one record tells of."""
    ordered = sorted(lots, key=lambda lot: lot.order)
    return [ordered[i : i + LARGEST_RECORD] for i in range(0, len(ordered), LARGEST_RECORD)]


def homes(lots: Iterable[Lot]) -> set[AccountName]:
    """Every account the points of `lots` might go home to."""
    names: set[AccountName] = set()
    for lot in lots:
        if lot.funding == "deferred":
            names.add(AccountName("credit", lot.issuer_id))
        elif lot.funding == "closed_loop":
            names.add(AccountName("own", lot.issuer_id))
        else:
            names |= {AccountName(kind, lot.issuer_id) for kind in ("pool", "mint", "backing", "prefund")}
    return names
