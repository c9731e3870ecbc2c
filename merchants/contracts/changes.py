"""What may only change at a window's end: how a merchant's points are paid for, what they are worth, the face value.

It is agreed on before, and comes into force right behind the record that closes the window: what settles in one window
was issued and accepted under one set of values. Unissued points are sold back first; lots stay what they are.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import ledger
from ledger import AccountName
from merchants.contracts import store
from merchants.contracts.parties import PERSONS, Contract

LONGEST_LIFE_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class NewContract:
    """`unit_value_minor` None: the network's face value. `points_life_days` None: the network's, whatever it becomes."""

    merchant_id: UUID
    mode: str
    credit_line_points: int = 0
    purchase_fee_ppm: int = 0
    redemption_fee_ppm: int = 0
    hold_minutes: int = 15
    points_life_days: int | None = None
    maturity_days: int = 0
    unit_value_minor: int | None = None
    earns_for: Sequence[str] = PERSONS
    spends_for: Sequence[str] = PERSONS

    @property
    def facts(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"merchant_id": str(self.merchant_id)}


@dataclass(frozen=True, slots=True)
class NewRules:
    """The network's rules, all of them. A face value in minor units; a life in days; None: no rule of inactivity."""

    face_value_minor: int
    points_life_days: int
    inactivity_days: int | None


@dataclass(frozen=True, slots=True)
class Agreed:
    """Something that waits for the window's end. `record_id` and `actor` say who agreed to it."""

    subject_id: UUID
    kind: str
    facts: dict[str, Any]
    record_id: UUID
    actor: str

    @property
    def contract(self) -> NewContract:
        assert self.kind == "contract", self
        return NewContract(**{**self.facts, "merchant_id": UUID(self.facts["merchant_id"])})

    @property
    def rules(self) -> NewRules:
        assert self.kind == "rules", self
        return NewRules(**self.facts)


def version_of(wanted: NewContract, before: Contract | None, face_value: int, id: UUID) -> Contract:
    """The version of a merchant's contract that what it agreed to makes at this face value.

    What it said of its points' value counts for closed-loop ones only: all others have the network's, which may have changed
    since it was agreed on.
    """
    closed = wanted.mode == "closed_loop"
    value = wanted.unit_value_minor if closed and wanted.unit_value_minor is not None else face_value
    return Contract(
        id=id,
        merchant_id=wanted.merchant_id,
        version=1 if before is None else before.version + 1,
        mode=wanted.mode,
        unit_value_minor=value,
        credit_line_points=wanted.credit_line_points,
        purchase_fee_ppm=wanted.purchase_fee_ppm,
        redemption_fee_ppm=wanted.redemption_fee_ppm,
        hold_minutes=wanted.hold_minutes,
        points_life_days=wanted.points_life_days,
        maturity_days=wanted.maturity_days,
        earns_for=tuple(wanted.earns_for),
        spends_for=tuple(wanted.spends_for),
    )


def put_in_force(contract: Contract, actor: str, working: ledger.Working, agreed: UUID | None = None) -> ledger.Draft:
    """The record of a version that comes into force, and the floor that its credit line is."""
    facts = dataclasses.asdict(contract)
    facts["contract"] = facts.pop("id")
    del facts["merchant_id"]  # the record's own column
    if agreed is not None:
        facts["agreed"] = agreed
    draft = working.record(
        "contract",
        actor,
        merchant=contract.merchant_id,
        subject=contract.merchant_id,
        payload=facts,
        revises=(contract.merchant_id, contract.version),
    )
    if contract.mode == "deferred":
        working.accounts[AccountName("credit", contract.merchant_id)].floor = -contract.credit_line_points
    return draft


def issuer(contract: Contract, *, suspended: bool) -> ledger.Issuer:
    """What the ledger is to know of a merchant under a contract. Whoever left has no new one."""
    return ledger.Issuer(
        merchant_id=contract.merchant_id,
        mode=contract.mode,
        unit_value=contract.unit_value_minor,
        credit_line=contract.credit_line_points,
        contract_id=contract.id,
        suspended=suspended,
    )


def accounts(merchant: UUID) -> set[AccountName]:
    """What a change of a merchant's funding or value may touch."""
    return {AccountName(kind, merchant) for kind in ("credit", "own", "pool", "mint", "prefund", "backing")}


@dataclass(slots=True)
class Boundary:
    """Everything that comes into force at a window's end. Made before the close is decided, under the exclusive lock."""

    contracts: dict[UUID, Contract]
    waiting: list[Agreed]
    needs: ledger.Needs
    rules: NewRules | None = None
    born: list[Contract] = field(default_factory=list)

    def decide(self, working: ledger.Working) -> None:
        """Right behind the close: the rules, then merchant by merchant what was agreed or what a new face value asks."""
        face_value = working.book.face_value_minor
        for agreed in self.waiting:
            if agreed.kind == "rules":
                self.rules = agreed.rules
                face_value = self.rules.face_value_minor
                record_rules(self.rules, agreed.actor, working, agreed.record_id)
        agreements = {a.subject_id: a for a in self.waiting if a.kind == "contract"}
        for merchant in sorted(self.contracts):
            self._renew(merchant, agreements.get(merchant), face_value, working)

    def _renew(self, merchant: UUID, agreed: Agreed | None, face_value: int, working: ledger.Working) -> None:
        before, now = self.contracts[merchant], working.issuers[merchant]
        if now.exited:
            return
        if agreed is not None:
            after = version_of(agreed.contract, before, face_value, ledger.ids.new())
        elif before.mode != "closed_loop" and before.unit_value_minor != face_value:
            after = dataclasses.replace(
                before, id=ledger.ids.new(), version=before.version + 1, unit_value_minor=face_value
            )
        else:
            return
        actor = agreed.actor if agreed else "clock"
        if (after.mode, after.unit_value_minor) != (before.mode, before.unit_value_minor):
            # what is set aside goes back first, and is sold with the pool
            ledger.budgets.release_all(working, actor, now)
            if pool := working.accounts[AccountName("pool", merchant)].balance:
                working.sell_back(actor, now, pool)
        put_in_force(after, actor, working, agreed.record_id if agreed else None)
        self.born.append(after)

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self.rules is not None:
            rules = self.rules
            ledger.put_rules(tx, working.book.id, rules.face_value_minor, rules.points_life_days, rules.inactivity_days)
        if self.born:
            store.put_contracts(tx, working.book.id, self.born, working.now)
            issuers = [issuer(c, suspended=working.issuers[c.merchant_id].suspended) for c in self.born]
            ledger.put_issuers(tx, working.book.id, issuers)
        if self.waiting:
            store.withdraw(tx, working.book.id, [agreed.subject_id for agreed in self.waiting])
            ledger.raise_settings_revision(tx, working.book.id)


def boundary(tx: ledger.Tx, book: ledger.Book) -> Boundary | None:
    """What waits for the end of the open window; None when nothing does, which is nearly always."""
    waiting = [Agreed(*row) for row in store.agreed(tx, book.id)]
    if not waiting:
        return None
    contracts = {contract.merchant_id: contract for contract in store.contracts_in_force(tx, book.id)}
    needs = ledger.Needs()
    for merchant in contracts:
        needs.accounts |= accounts(merchant)
    needs.accounts |= ledger.budgets.names(tx, book.id, list(contracts))
    return Boundary(contracts, waiting, needs)


def record_rules(rules: NewRules, actor: str, working: ledger.Working, agreed: UUID | None = None) -> ledger.Draft:
    book = working.book
    before = NewRules(book.face_value_minor, book.points_life_days, book.inactivity_days)
    facts: dict[str, Any] = dataclasses.asdict(rules) | {"before": dataclasses.asdict(before)}
    return working.record(
        "rules",
        actor,
        subject=book.public_id,
        payload=facts | ({"agreed": agreed} if agreed is not None else {}),
    )


def agree(subject: UUID, kind: str, facts: dict[str, Any], actor: str, working: ledger.Working) -> Agreed:
    """A fact of its own: what was agreed, by whom, in place of whatever waited before."""
    draft = working.record(
        f"{kind}_agreed",
        actor,
        merchant=subject if kind == "contract" else None,
        subject=subject,
        payload=facts,
    )
    return Agreed(subject, kind, facts, draft.id, actor)


def put_agreed(tx: ledger.Tx, book_id: int, waiting: Sequence[Agreed]) -> None:
    store.put_agreed(tx, book_id, [(a.subject_id, a.kind, a.facts, a.record_id, a.actor) for a in waiting])
