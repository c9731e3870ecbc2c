"""Contracts and terms come into force: each version a record, posted alone under the book's exclusive lock."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import ledger
from ledger.errors import Invalid, NotFound, StateConflict
from merchants.contracts import changes, naming, policy_store, store
from merchants.contracts.changes import LONGEST_LIFE_DAYS, NewContract, NewRules
from merchants.contracts.parties import MODES, PERSONS, Contract, Merchant, Terms

LARGEST_FEE_PPM: Final = 200_000
LONGEST_HOLD_MINUTES: Final = 1440
LONGEST_MATURITY_DAYS: Final = 365
LARGEST_FACE_VALUE: Final = 1_000_000
LARGEST_CREDIT_LINE: Final = 1000 * ledger.LARGEST_AMOUNT


@dataclass(frozen=True, slots=True)
class NewTerms:
    merchant_id: UUID
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContractInForce:
    """A version that is in force; with `at` None one that was agreed on and comes into force at the window's end."""

    record_id: UUID
    contract: Contract
    at: datetime | None


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
        return Invalid("/unit_value", f"must be 1 to {ledger.LARGEST_AMOUNT}")
    if wanted.mode != "closed_loop" and value != book.face_value_minor:
        return Invalid("/unit_value", f"must be the network's face value, {book.face_value_minor}")
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
        self._agreed: list[changes.Agreed] = []

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """No such merchant, then a wrong field, then a merchant that left.

        A change of funding or value is agreed on now and waits for the window's end.
        """
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
        contract = changes.version_of(body, before, working.book.face_value_minor, ledger.ids.new())
        if before is not None and (before.mode, before.unit_value_minor) != (body.mode, value):
            agreed = changes.agree(merchant.id, "contract", body.facts, request.actor, working)
            self._agreed.append(agreed)
            return ledger.Accepted(ContractInForce(agreed.record_id, contract, None))
        draft = changes.put_in_force(contract, request.actor, working)
        self._contracts[merchant.id] = contract
        self._born.append(contract)
        return ledger.Accepted(ContractInForce(draft.id, contract, working.now))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        changes.put_agreed(tx, working.book.id, self._agreed)
        if self._born:
            # whatever waited for the window's end was agreed on before this
            store.withdraw(tx, working.book.id, [c.merchant_id for c in self._born])
            store.put_contracts(tx, working.book.id, self._born, working.now)
            issuers = [
                changes.issuer(c, suspended=self._merchants[c.merchant_id].state == "suspended")
                for c in self._contracts_of_born()
            ]
            ledger.put_issuers(tx, working.book.id, issuers)
            ledger.raise_settings_revision(tx, working.book.id)

    def _contracts_of_born(self) -> list[Contract]:
        """The last version of each merchant that got one."""
        return list({contract.merchant_id: contract for contract in self._born}.values())


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """`at` None: agreed on, and in force when the open window closes, because the face value changes."""

    record_id: UUID
    rules: NewRules
    at: datetime | None


class RulesHandler:
    """Decides requests of kind `rules`, body `NewRules`. What members have keeps its value and its time."""

    exclusive = True

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "RulesRound":  # noqa: ARG002 - the protocol's
        agreed = [changes.Agreed(*row) for row in store.agreed(tx, book.id)]
        terms = [(c.points_life_days, c.maturity_days) for c in store.contracts_in_force(tx, book.id)]
        terms += [(a.contract.points_life_days, a.contract.maturity_days) for a in agreed if a.kind == "contract"]
        longest = min((life for life, _ in terms if life is not None), default=changes.LONGEST_LIFE_DAYS)
        # points that confirm only after they expired would be none
        shortest = max((days + 1 for life, days in terms if life is None), default=1)
        return RulesRound(shortest, longest)


class RulesRound:
    def __init__(self, shortest_life: int, longest_life: int) -> None:
        self.needs = ledger.Needs()
        self._lives = shortest_life, longest_life
        self._done: NewRules | None = None
        self._agreed: list[changes.Agreed] = []

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """A wrong field; a new face value then waits for the window's end, and all else is in force at once."""
        rules: NewRules = request.body
        bounds = (
            ("/face_value", rules.face_value_minor, 1, LARGEST_FACE_VALUE),
            ("/points_life_days", rules.points_life_days, *self._lives),
            ("/inactivity_days", rules.inactivity_days or 1, 1, changes.LONGEST_LIFE_DAYS),
        )
        for at, value, least, most in bounds:
            if not least <= value <= most:
                return Invalid(at, f"must be {least} to {most}")
        book = working.book
        if rules.face_value_minor != book.face_value_minor:
            agreed = changes.agree(book.public_id, "rules", dataclasses.asdict(rules), request.actor, working)
            self._agreed.append(agreed)
            return ledger.Accepted(RulesInForce(agreed.record_id, rules, None))
        self._done = rules
        draft = changes.record_rules(rules, request.actor, working)
        return ledger.Accepted(RulesInForce(draft.id, rules, working.now))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        changes.put_agreed(tx, working.book.id, self._agreed)
        if self._done is not None:
            rules, book = self._done, working.book
            store.withdraw(tx, book.id, [book.public_id])
            ledger.put_rules(tx, book.id, rules.face_value_minor, rules.points_life_days, rules.inactivity_days)
            ledger.raise_settings_revision(tx, book.id)


class TermsHandler:
    """Decides requests of kind `terms`, body `NewTerms`.

    `faults` reads rules and says what is wrong with them, `forbidden` what the network's policy forbids in them, `names`
    looks up what they name.
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

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "TermsRound":
        merchants, agreed, versions = store.parties_to(tx, book.id, [request.body.merchant_id for request in requests])
        values = {id: contract.unit_value_minor for id, contract in agreed.items()}
        _, policy = policy_store.policy_of(tx, book.id)
        (request,) = requests
        shop, rules = request.body.merchant_id, request.body.rules
        faults = list(self._faults(rules))
        found = naming.Found(rules, faults) if faults else self._names.find(tx, book, shop, rules, [shop])
        return TermsRound(merchants, values, versions, found, self._names, self._forbidden, policy)


class TermsRound:
    def __init__(
        self,
        merchants: dict[UUID, Merchant],
        values: dict[UUID, int],
        versions: dict[UUID, int],
        found: naming.Found,
        names: naming.Naming,
        forbidden: policy_store.Forbidden,
        policy: policy_store.RulePolicy,
    ) -> None:
        self.needs = ledger.Needs()
        self._merchants = merchants
        self._values = values
        self._versions = versions
        self._found = found
        self._names = names
        self._forbidden = forbidden
        self._policy = policy
        self._born: list[Terms] = []

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        """No such merchant, then rules that cannot be read or name what is not there, then what the network forbids, then a
        merchant that left."""
        body: NewTerms = request.body
        merchant = self._merchants.get(body.merchant_id)
        if merchant is None:
            return NotFound("merchant")
        if self._found.faults:
            pointer, _, detail = self._found.faults[0]
            return Invalid(pointer, detail)
        value = self._values.get(merchant.id, working.book.face_value_minor)
        if barred := policy_store.refused(self._forbidden, body.rules, self._policy, value, working.now):
            return barred
        if merchant.state == "exited":
            return StateConflict("merchant", "exited")
        version = self._versions.get(merchant.id, 0) + 1
        terms = Terms(ledger.ids.new(), merchant.id, version, self._found.rules)
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
            self._names.keep(tx, working.book, self._found)
            ledger.raise_settings_revision(tx, working.book.id)
