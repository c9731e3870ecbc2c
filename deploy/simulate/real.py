"""The real book a history is told to: the house's own handlers, committer and database, in this process, without HTTP.

It keeps what everything is called: shops, members, sales, redemptions by name here, by id there.
"""

import dataclasses
import itertools
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import ledger
import settlement
from deploy.house import House
from deploy.simulate.money import Money
from deploy.simulate.plain import (
    BEGINNING,
    COMPANY,
    FACE_VALUE,
    LIFE,
    MEMBERS,
    SHOPS,
    SPONSORS,
    Expected,
    accepted,
    refused,
)
from merchants import contracts, people

SPEND_KEY: Final = b"s" * 32
#: Names of what is nowhere: what refers to an operation that was dropped.
NOWHERE: Final = UUID("5b3c1f0e-0000-8000-8000-000000000000")

_telephones = itertools.count(1)


class Watch:
    """Hears of batches that could not be posted whole: alone on a database none ever has to be."""

    def __init__(self) -> None:
        self.trouble: list[str] = []

    def committed(self, requests: int, replayed: int, seconds: float) -> None: ...

    def repeated(self, reason: str) -> None:
        self.trouble.append(f"a batch was tried again: {reason}")

    def singly(self, requests: int) -> None:
        self.trouble.append(f"a batch of {requests} could not be posted whole")


@dataclasses.dataclass
class Simulated:
    """A house for simulations on one database. Each seed has a book of its own in it."""

    url: str
    watch: Watch
    house: House

    @classmethod
    def open(cls, url: str) -> "Simulated":
        watch = Watch()
        return cls(url, watch, House.open(url, SPEND_KEY, watch))

    def close(self) -> None:
        self.house.close()


class Real:
    def __init__(self, simulated: Simulated, network: str) -> None:
        self.url = simulated.url
        self.house = simulated.house
        self.watch = simulated.watch
        self.sales: dict[str, UUID] = {}
        self.redemptions: dict[str, UUID] = {}
        self.sponsorships: dict[str, UUID] = {}
        self.households: dict[str, UUID] = {}
        self._shops: dict[str, UUID] = {}
        self._branches: dict[str, UUID] = {}
        self._members: dict[str, UUID] = {}
        self._secrets: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._devices: dict[str, UUID] = {}
        self._lots: dict[UUID, str] = {}
        self._instructions: dict[str, UUID] = {}
        self.money = Money(self)
        with self.house.db.tx("door") as tx:
            book = ledger.books.open_book(
                tx,
                ledger.books.NewBook(
                    network=network,
                    mode="test",
                    currency="USD",
                    exponent=2,
                    face_value_minor=FACE_VALUE,
                    points_life_days=LIFE.days,
                    time_zone="UTC",
                    window_schedule=None,
                    clock=BEGINNING,
                ),
            )
            assert isinstance(book, ledger.Book), book
            self.book = book
            for name in SHOPS:
                self._open_shop(tx, name)
            for name in SPONSORS:
                self._add(tx, name, "network" if name == "network" else "sponsor")
            self._accounts(tx)
            for name in MEMBERS:
                self._enrol(tx, name, "legal" if name == COMPANY else "natural")
        self.now = BEGINNING

    def _open_shop(self, tx: ledger.Tx, name: str) -> None:
        branch = contracts.add_branch(tx, self.book, self._add(tx, name, "shop"), "main", name, "physical", None)
        assert isinstance(branch, contracts.Branch), branch
        self._branches[name] = branch.id

    def _add(self, tx: ledger.Tx, name: str, kind: str) -> UUID:
        merchant = contracts.add_merchant(tx, self.book, name, kind, None, BEGINNING)
        assert isinstance(merchant, contracts.Merchant), merchant
        self._shops[name] = merchant.id
        return merchant.id

    def _enrol(self, tx: ledger.Tx, name: str, kind: str) -> None:
        enrolled = people.enrol(
            tx,
            self.book,
            phone=f"+98912{next(_telephones):07d}",
            kind=kind,
            given_name=name,
            family_name=None,
            language="fa",
            consents={},
            enrolled_by=None,
            now=BEGINNING,
        )
        assert isinstance(enrolled, people.Enrolled), enrolled
        made = people.enrol_device(tx, self.book, enrolled.member.id, "phone", SPEND_KEY, BEGINNING)
        assert not isinstance(made, ledger.Refusal), made
        self._members[name], self._secrets[name] = enrolled.member.id, made[1]
        self._numbers[name], self._devices[name] = enrolled.member.number, made[0].id

    # -- names

    def shop(self, name: str) -> UUID:
        return self._shops[name]

    def branch(self, name: str) -> UUID:
        return self._branches[name]

    def member(self, name: str) -> UUID:
        return self._members[name]

    def number(self, name: str) -> str:
        """A member's number; of somebody unknown one that nobody has."""
        return self._numbers.get(name, "0000000000")

    def device(self, name: str) -> UUID:
        return self._devices[name]

    def given(self, label: str, record: UUID) -> int:
        """Name the lots that a gift made, in the order of its slices: how many there are."""
        [(payload,)] = self.rows("select payload from ledger.record where id = %s and kind = 'gift'", record)
        self._lots |= {UUID(lot["lot"]): f"{label}/{i}" for i, lot in enumerate(payload["lots"])}
        return len(payload["lots"])

    def operator(self, name: str) -> UUID:
        return self.book.operator_id if name == "operator" else uuid5(NOWHERE, name)

    def sale(self, label: str) -> UUID:
        return self.sales.get(label) or uuid5(NOWHERE, label)

    def redemption(self, label: str) -> UUID:
        return self.redemptions.get(label) or uuid5(NOWHERE, label)

    def sponsorship(self, label: str) -> UUID:
        return self.sponsorships.get(label) or uuid5(NOWHERE, label)

    def household(self, label: str) -> UUID:
        return self.households.get(label) or uuid5(NOWHERE, label)

    def sold(self, label: str, sale: UUID, lot: UUID | None) -> None:
        self.sales[label] = sale
        if lot is not None:
            self._lots[lot] = label

    def name_lot(self, lot: UUID, name: str) -> None:
        self._lots[lot] = name

    def lot(self, id: UUID) -> str:
        """A shop's lot goes by the name of its sale."""
        return self._lots.get(id, str(id))

    def names(self) -> dict[str, str]:
        """What stands for each id in the name of an account."""
        named = (*self._shops.items(), *self._members.items(), *self.sponsorships.items())
        ids = {str(id): name for name, id in named}
        return ids | {str(self.book.operator_id): "operator"}

    def code(self, member: str, half_minutes: int | None) -> str:
        """A spend code of a member's phone, so many half minutes from now; None: six digits that it never shows."""
        codes, now = people.spend_codes, people.spend_codes.step(self.now)
        secret = self._secrets[member]
        if half_minutes is not None:
            return codes.code(secret, now + half_minutes)
        near = {codes.code(each, now + i) for each in self._secrets.values() for i in range(-2, 3)}
        return next(text for text in (f"{i:06d}" for i in range(10)) if text not in near)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.house.db.tx("auditor") as tx:
            return tx.execute(query, values).fetchall()

    def request(self, kind: str, principal: str, key: str, body: object) -> ledger.Request:
        """A request of a shop, a member or an operator, by name."""
        return ledger.Request(
            book_id=self.book.id,
            kind=kind,
            principal_id=self._shops.get(principal) or self._members.get(principal) or self.operator(principal),
            actor=self._actor(principal),
            body=body,
            render=_render,
            key=key,
            fingerprint=ledger.fingerprint("POST", f"/{kind}", repr(body)),
        )

    def _actor(self, principal: str) -> str:
        """A shop asks with a key of its own."""
        shop = self._shops.get(principal)
        return "simulation" if shop is None else ledger.ids.show("key", uuid5(shop, "key"))

    # -- acts

    def pass_time(self, by: timedelta, *, late: bool) -> Expected:
        to = self.now + by
        if late:
            clock = ledger.due.request(self.book.id, "set_clock", ledger.due.SetClock(to))
            decision = self.house.committer.post(clock).decision
            if isinstance(decision, ledger.Refusal):
                return told_refusal(decision)
        else:
            try:
                assert self.house.advance(self.book.id, to) == to
            except ledger.errors.Stopped:
                return refused("unavailable")
        self.now = to
        return accepted(now=to)

    def lock_spending(self, member: str, locked: bool) -> None:
        with self.house.db.tx("door") as tx:
            people.set_spend_lock(tx, self.book, self._members[member], locked)

    def step_window(self, step: str, number: int, by: str, key: str, *, mistaken: bool) -> Expected:
        asker = self.asker(by, key, (step, number, mistaken))
        db, committer, book = self.house.db, self.house.committer, self.book.id
        windows = settlement.windows
        if step == "close":
            outcome = windows.close(db, committer, book, number=number, asker=asker)
        elif step == "submit":
            outcome = windows.submit(db, committer, book, number=number, asker=asker)
        elif step == "approve":
            with db.tx("settlement") as tx:
                window = settlement.window(tx, book, number)
            right = window.positions_hash.hex() if window is not None and window.positions_hash else ""
            digest = right[::-1] + "0" if mistaken else right
            outcome = windows.approve(db, committer, book, number=number, positions_hash=digest, asker=asker)
        elif step == "return":
            outcome = windows.send_back(db, committer, book, number=number, reason="look again", asker=asker)
        else:
            outcome = windows.abort(db, committer, book, number=number, reason="not yet", asker=asker)
        if isinstance(outcome.decision, ledger.Accepted):
            return accepted(state=outcome.decision.value.state)
        assert isinstance(outcome.decision, ledger.Refusal), outcome
        return told_refusal(outcome.decision)

    def pay_window(self, label: str, number: int, shop: str | None, amount: int | None, key: str) -> Expected:
        outcome = settlement.windows.mark_paid(
            self.house.db,
            self.house.committer,
            self.book.id,
            number=number,
            asker=self.asker("mina", key, (number, shop, amount)),
            merchant_id=self._shops[shop] if shop else None,
            amount_minor=amount,
        )
        if not isinstance(outcome.decision, ledger.Accepted):
            assert isinstance(outcome.decision, ledger.Refusal), outcome
            return told_refusal(outcome.decision)
        names = {id: name for name, id in self._shops.items()}
        self.money.payouts |= {
            f"{label}:{names[p.merchant_id]}": p.record_id
            for p in outcome.decision.value.payments
            if p.direction == "pay_out"
        }
        done = [
            (names[p.merchant_id], p.direction, p.amount_minor, p.open_minor, p.released_points)
            for p in outcome.decision.value.payments
        ]
        return accepted(payments=sorted(done))

    def instruct(self, label: str, number: int, rail: str, key: str) -> Expected:
        house = self.house
        asker = self.asker("mina", key, (number, rail))
        outcome = settlement.paying.instruct(
            house.db, house.committer, self.book.id, number=number, rail=rail, asker=asker
        )
        if not isinstance(outcome.decision, ledger.Accepted):
            assert isinstance(outcome.decision, ledger.Refusal), outcome
            return told_refusal(outcome.decision)
        names = {id: name for name, id in self._shops.items()}
        done: settlement.rails.Instructed = outcome.decision.value
        assert not done.without_account, done
        with house.db.tx("door") as tx:
            made = settlement.rails.store.instructions(tx, self.book.id, done.made).values()
        for of in made:
            self._instructions[f"{label}:{names[of.merchant_id]}"] = of.id
        return accepted(made=sorted((names[of.merchant_id], of.direction, of.amount_minor) for of in made))

    def say_of(self, name: str, said: Any) -> Expected:
        house, id = self.house, self._instructions[name]
        word = settlement.rails.Word(id, said, None, "AC04")
        # a bank's word comes by a person or a file, a provider's by itself
        outcome = settlement.paying.say(house.db, house.committer, self.book.id, word)
        if isinstance(outcome.decision, ledger.Accepted):
            return accepted(state=outcome.decision.value.state)
        assert isinstance(outcome.decision, ledger.Refusal), outcome
        return told_refusal(outcome.decision)

    def told_refusal(self, refusal: ledger.Refusal) -> Expected:
        return told_refusal(refusal)

    def _accounts(self, tx: ledger.Tx) -> None:
        """Everybody is paid somewhere, by either rail."""
        put, now = settlement.rails.store.put_payee, BEGINNING
        for shop in [self.book.operator_id, *self._shops.values()]:
            for rail in ("bank", "stripe"):
                place = "DE89370400440532013000" if rail == "bank" else "acct_simulated"
                payee = settlement.rails.store.Payee(shop, rail, "a shop", place, None, uuid5(shop, "set"), None, now)
                put(tx, self.book.id, payee)
                settlement.rails.store.approve_payee(tx, shop, rail, uuid5(shop, "approved"))

    def asker(self, by: str, key: str, content: object) -> settlement.Asker:
        return settlement.Asker(
            operator_id=self.operator(by),
            actor="simulation",
            key=key,
            fingerprint=ledger.fingerprint("POST", "/windows", repr(content)),
        )


def _render(decision: ledger.Decision) -> tuple[int, bytes]:
    if isinstance(decision, ledger.Refusal):
        return 400, ledger.canonical({"code": decision.code, "detail": decision.detail})
    return 200, ledger.canonical(repr(decision.value))


def told_refusal(refusal: ledger.Refusal) -> Expected:
    """The code and the numbers of a refusal."""
    facts = {
        name: getattr(refusal, name)
        for name in ("needed", "available", "allowed", "asked", "left")
        if hasattr(refusal, name)
    }
    return refused(refusal.code, **facts)
