"""Contracts and terms come into force: each version a record, posted alone under the book's exclusive lock."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import ledger
from ledger.errors import Invalid, NotFound, StateConflict
from merchants.contracts import store
from merchants.contracts.parties import MODES, PERSONS, Contract, Merchant, Terms

LARGEST_FEE_PPM: Final = 200_000
LONGEST_HOLD_MINUTES: Final = 1440
LONGEST_LIFE_DAYS: Final = 36_500
LONGEST_MATURITY_DAYS: Final = 365
LARGEST_CREDIT_LINE: Final = 1000 * ledger.LARGEST_AMOUNT


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


@dataclass(frozen=True, slots=True)
class NewTerms:
    merchant_id: UUID
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContractInForce:
    record_id: UUID
    contract: Contract
    at: datetime


@dataclass(frozen=True, slots=True)
class TermsInForce:
    record_id: UUID
    terms: Terms
    at: datetime


#: What is wrong with rules: (pointer, code, detail) each. The reader of rules lives above this room and is handed in.
Faults = Callable[[Any], Sequence[tuple[str, str, str]]]


def fault(wanted: NewContract, book: ledger.Book) -> Invalid | None:
    """The first thing wrong with a contract for `book`, in the order of its fields."""
    if wanted.mode not in MODES:
        return Invalid("/mode", f"must be one of {', '.join(MODES)}")
    if wanted.mode != "deferred" and wanted.credit_line_points != 0:
        return Invalid("/credit_line_points", "only a deferred contract has a credit line")
    life = book.points_life_days if wanted.points_life_days is None else wanted.points_life_days
    bounds = (
        ("/credit_line_points", wanted.credit_line_points, 0, LARGEST_CREDIT_LINE),
        ("/purchase_fee_ppm", wanted.purchase_fee_ppm, 0, LARGEST_FEE_PPM),
        ("/redemption_fee_ppm", wanted.redemption_fee_ppm, 0, LARGEST_FEE_PPM),
        ("/hold_minutes", wanted.hold_minutes, 1, LONGEST_HOLD_MINUTES),
        # a contract may lengthen the network's life of points and never shorten it
        ("/points_life_days", life, book.points_life_days, max(LONGEST_LIFE_DAYS, book.points_life_days)),
        # points that confirm only after they expired would be none
        ("/maturity_days", wanted.maturity_days, 0, min(LONGEST_MATURITY_DAYS, life - 1)),
    )
    for at, value, least, most in bounds:
        if not least <= value <= most:
            return Invalid(at, f"must be {least} to {most}")
    for at, kinds in (("/earns_for", wanted.earns_for), ("/spends_for", wanted.spends_for)):
        if len(set(kinds)) != len(kinds) or not set(kinds) <= set(PERSONS):
            return Invalid(at, f"must name each at most once of {', '.join(PERSONS)}")
    # one network has one face value; closed-loop points are no money, and worth what their shop says
    value = _unit_value(wanted, book)
    if value < 1 or value > ledger.LARGEST_AMOUNT:
        return Invalid("/unit_value_minor", f"must be 1 to {ledger.LARGEST_AMOUNT}")
    if wanted.mode != "closed_loop" and value != book.face_value_minor:
        return Invalid("/unit_value_minor", f"must be the network's face value, {book.face_value_minor}")
    return None


def _unit_value(wanted: NewContract, book: ledger.Book) -> int:
    return book.face_value_minor if wanted.unit_value_minor is None else wanted.unit_value_minor


class ContractHandler:
    """Decides requests of kind `contract`, body `NewContract`."""

    exclusive = True

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "ContractRound":
        bodies: list[NewContract] = [request.body for request in requests]
        merchants, contracts, _ = store.parties_to(tx, book.id, [body.merchant_id for body in bodies])
        credits = {ledger.AccountName("credit", b.merchant_id) for b in bodies if b.merchant_id in merchants}
        return ContractRound(merchants, contracts, ledger.Needs(accounts=credits))


class ContractRound:
    def __init__(self, merchants: dict[UUID, Merchant], contracts: dict[UUID, Contract], needs: ledger.Needs) -> None:
        self.needs = needs
        self._merchants = merchants
        self._contracts = contracts
        self._born: list[Contract] = []

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """No such merchant, then a wrong field, then a merchant that left, then a change that needs a window's end."""
        body: NewContract = request.body
        merchant = self._merchants.get(body.merchant_id)
        if merchant is None:
            return NotFound("merchant")
        if wrong := fault(body, working.book):
            return wrong
        if merchant.state == "exited":
            return StateConflict("merchant", "exited")
        before = self._contracts.get(merchant.id)
        value = _unit_value(body, working.book)
        if before is not None and (before.mode, before.unit_value_minor) != (body.mode, value):
            # the pool must be sold back first, and a window must end
            return StateConflict("contract", f"{before.mode} at a unit value of {before.unit_value_minor}")
        contract = Contract(
            id=ledger.ids.new(),
            merchant_id=merchant.id,
            version=1 if before is None else before.version + 1,
            mode=body.mode,
            unit_value_minor=value,
            credit_line_points=body.credit_line_points,
            purchase_fee_ppm=body.purchase_fee_ppm,
            redemption_fee_ppm=body.redemption_fee_ppm,
            hold_minutes=body.hold_minutes,
            points_life_days=body.points_life_days,
            maturity_days=body.maturity_days,
            earns_for=tuple(body.earns_for),
            spends_for=tuple(body.spends_for),
        )
        draft = working.record(
            "contract",
            request.actor,
            merchant=merchant.id,
            subject=merchant.id,
            payload=_payload(contract),
            revises=(merchant.id, contract.version),
        )
        if contract.mode == "deferred":
            working.accounts[ledger.AccountName("credit", merchant.id)].floor = -contract.credit_line_points
        self._contracts[merchant.id] = contract
        self._born.append(contract)
        return ledger.Accepted(ContractInForce(draft.id, contract, working.now))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._born:
            store.put_contracts(tx, working.book.id, self._born, working.now)
            ledger.put_issuers(tx, working.book.id, [_issuer(c, working) for c in self._contracts_of_born()])
            ledger.raise_settings_revision(tx, working.book.id)

    def _contracts_of_born(self) -> list[Contract]:
        """The last version of each merchant that got one."""
        return list({contract.merchant_id: contract for contract in self._born}.values())


def _payload(contract: Contract) -> dict[str, Any]:
    facts = dataclasses.asdict(contract)
    facts["contract"] = facts.pop("id")
    del facts["merchant_id"]  # the record's own column
    return facts


def _issuer(contract: Contract, working: ledger.Working) -> ledger.Issuer:
    before = working.issuers.get(contract.merchant_id)
    return ledger.Issuer(
        merchant_id=contract.merchant_id,
        mode=contract.mode,
        unit_value=contract.unit_value_minor,
        credit_line=contract.credit_line_points,
        contract_id=contract.id,
        suspended=before is not None and before.suspended,
    )


class TermsHandler:
    """Decides requests of kind `terms`, body `NewTerms`. `faults` reads rules and says what is wrong with them."""

    exclusive = True

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "TermsRound":
        merchants, _, versions = store.parties_to(tx, book.id, [request.body.merchant_id for request in requests])
        return TermsRound(merchants, versions, self._faults)


class TermsRound:
    def __init__(self, merchants: dict[UUID, Merchant], versions: dict[UUID, int], faults: Faults) -> None:
        self.needs = ledger.Needs()
        self._merchants = merchants
        self._versions = versions
        self._faults = faults
        self._born: list[Terms] = []

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """No such merchant, then rules that cannot be read, then a merchant that left."""
        body: NewTerms = request.body
        merchant = self._merchants.get(body.merchant_id)
        if merchant is None:
            return NotFound("merchant")
        if wrong := self._faults(body.rules):
            pointer, _, detail = wrong[0]
            return Invalid(f"/rules{pointer}", detail)
        if merchant.state == "exited":
            return StateConflict("merchant", "exited")
        version = self._versions.get(merchant.id, 0) + 1
        terms = Terms(ledger.ids.new(), merchant.id, version, body.rules)
        draft = working.record(
            "terms",
            request.actor,
            merchant=merchant.id,
            subject=merchant.id,
            payload={"terms": terms.id, "version": version},
            # terms are counted apart from contracts, which have the merchant's own id
            revises=(uuid5(merchant.id, "terms"), version),
        )
        self._versions[merchant.id] = version
        self._born.append(terms)
        return ledger.Accepted(TermsInForce(draft.id, terms, working.now))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        if self._born:
            store.put_terms(tx, working.book.id, self._born, working.now)
            ledger.raise_settings_revision(tx, working.book.id)
