"""A small coalition on a real ledger: shops with contracts, members who earn and redeem, two operators."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

import ledger
import settlement
from ledger import AccountName, Decision, Needs, Points, Request, Slice, Tx, Working
from ledger.stream import Event

P = ParamSpec("P")
R = TypeVar("R")

START = datetime(2017, 1, 2, tzinfo=UTC)  # a Monday


@dataclass(frozen=True)
class Shop:
    id: UUID
    mode: str
    contract: UUID
    purchase_ppm: int
    redemption_ppm: int


@dataclass(frozen=True)
class Earn:
    shop: Shop
    member: UUID | None
    points: int
    money_minor: int


@dataclass(frozen=True)
class Redeem:
    shop: Shop
    member: UUID
    points: int


class Till:
    """The shortest handler that sells and redeems as trade's records do."""

    exclusive = False

    def prepare(self, tx: Tx, book: ledger.Book, requests: Sequence[Request]) -> "TillRound":  # noqa: ARG002
        needs = Needs()
        for request in requests:
            body = request.body
            if isinstance(body, Redeem):
                needs.lots_of.add(body.member)
                needs.accounts.add(AccountName("accepted", body.shop.id))
            elif body.member is not None:
                source = {"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}[body.shop.mode]
                needs.accounts |= {AccountName("wallet", body.member), AccountName(source, body.shop.id)}
        return TillRound(needs)


@dataclass
class TillRound:
    needs: Needs

    def decide(self, request: Request, working: Working) -> Decision:
        return self._earn(request.body, working) if isinstance(request.body, Earn) else self._redeem(request, working)

    def _earn(self, sale: Earn, working: Working) -> Decision:
        draft = working.record(
            "sale",
            "till",
            merchant=sale.shop.id,
            member=sale.member,
            subject=ledger.ids.new(),
            payload={
                "total_minor": sale.money_minor,
                "money_minor": sale.money_minor,
                "branch": sale.shop.id,
                "points": sale.points,
                "refused": None,
                "contract": sale.shop.contract,
                "terms": None,
                "purchase_fee_ppm": sale.shop.purchase_ppm if sale.member else 0,
            },
        )
        if sale.member is not None and sale.points:
            issuer = working.issuers[sale.shop.id]
            assert working.issuing_limit(issuer, sale.points) is None
            working.issue(
                draft,
                issuer,
                member=sale.member,
                points=Points(sale.points),
                unit_value=issuer.unit_value,
                available_at=working.now,
                expires_at=working.now + timedelta(days=400),
                rule_id=None,
                sale_id=draft.subject_id,
            )
        return ledger.Accepted({"record": draft.id})

    def _redeem(self, request: Request, working: Working) -> Decision:
        redeem: Redeem = request.body
        usable = ledger.spendable(working.lots_of[redeem.member], working.now, lambda _: True)
        slices = ledger.take(usable, redeem.points)
        assert sum(s.points for s in slices) == redeem.points, "the member has not that many"
        id = ledger.ids.new()
        facts = {
            "points": redeem.points,
            "value_minor": ledger.worth(slices),
            "slices": [_told(s) for s in slices],
        }
        deadline = working.now + timedelta(minutes=15)
        held = working.record(
            "hold",
            "till",
            merchant=redeem.shop.id,
            member=redeem.member,
            subject=id,
            payload=facts | {"deadline": deadline},
        )
        hold = working.hold(
            held, id=id, member=redeem.member, acceptor=redeem.shop.id, slices=slices, deadline=deadline
        )
        captured = working.record(
            "capture",
            "till",
            merchant=redeem.shop.id,
            member=redeem.member,
            subject=id,
            payload=facts | {"contract": redeem.shop.contract, "redemption_fee_ppm": redeem.shop.redemption_ppm},
        )
        working.capture(captured, hold)
        return ledger.Accepted({"record": captured.id})

    def write(self, tx: Tx, working: Working) -> None:
        pass


def _told(slice: Slice) -> dict[str, object]:
    lot = slice.lot
    return {
        "lot": lot.id,
        "issuer": lot.issuer_id,
        "funding": lot.funding,
        "unit_value_minor": lot.unit_value,
        "points": slice.points,
    }


@dataclass
class World:
    url: str
    db: ledger.Database
    committer: ledger.Committer
    book_id: int
    operator: UUID
    maker: UUID = field(default_factory=ledger.ids.new)
    checker: UUID = field(default_factory=ledger.ids.new)
    shops: dict[str, Shop] = field(default_factory=dict)
    members: dict[str, UUID] = field(default_factory=dict)
    others: list[ledger.Committer] = field(default_factory=list)

    # -- people

    def shop(self, name: str, mode: str, *, purchase_ppm: int = 0, redemption_ppm: int = 0, value: int = 100) -> Shop:
        shop = Shop(ledger.ids.new(), mode, ledger.ids.new(), purchase_ppm, redemption_ppm)
        self.sql(
            "insert into ledger.issuer (book_id, merchant_id, mode, unit_value_minor, credit_line_points, contract_id)"
            " values (%s, %s, %s, %s, %s, %s)",
            [self.book_id, shop.id, mode, value, 1_000_000, shop.contract],
        )
        if mode == "deferred":
            self.sql(
                "insert into ledger.account (book_id, name, kind, owner_id, asset, floor)"
                " values (%s, %s, 'credit', %s, 'points', %s)",
                [self.book_id, f"credit:{shop.id}", shop.id, -1_000_000],
            )
        self.sql("update ledger.book set settings_revision = settings_revision + 1 where id = %s", [self.book_id])
        self.shops[name] = shop
        return shop

    def member(self, name: str) -> UUID:
        return self.members.setdefault(name, ledger.ids.new())

    def another_committer(self) -> ledger.Committer:
        """As a second process has one."""
        self.others.append(committer(self.url))
        return self.others[-1]

    # -- what happens

    def ask(self, kind: str, body: Any) -> ledger.Outcome:
        return self.committer.post(Request(self.book_id, kind, self.maker, "test", body, settlement.windows.plain))

    def stock(self, shop: str, points: int, *, spare_minor: int = 0) -> None:
        """Top up a prefunded shop, buy points with it and leave it `spare_minor`."""
        merchant = self.shops[shop].id
        value = points * 100 + spare_minor
        accepted(self.ask("topup", settlement.Topup(merchant, value, "bank", f"in-{shop}")))
        accepted(self.ask("purchase", settlement.Purchase(merchant, Points(points))))

    def earn(self, member: str | None, at: str, points: int = 0, money_minor: int = 0) -> None:
        who = self.member(member) if member else None
        accepted(self.ask("earn", Earn(self.shops[at], who, points, money_minor)))

    def redeem(self, member: str, at: str, points: int) -> None:
        accepted(self.ask("redeem", Redeem(self.shops[at], self.member(member), points)))

    # -- windows

    def asker(self, operator: UUID, key: str | None = None) -> settlement.Asker:
        return settlement.Asker(operator, f"operator:{operator}", key)

    def close(self, number: int = 1) -> Any:
        return accepted(settlement.windows.close(self.db, self.committer, self.book_id, number=number))

    def submit(self, number: int = 1, by: UUID | None = None) -> Decision:
        asker = self.asker(by or self.maker)
        return decided(settlement.windows.submit(self.db, self.committer, self.book_id, number=number, asker=asker))

    def approve(self, number: int = 1, by: UUID | None = None, hash: str | None = None) -> Decision:
        digest = self.window(number).positions_hash
        return decided(
            settlement.windows.approve(
                self.db,
                self.committer,
                self.book_id,
                number=number,
                positions_hash=hash or (digest.hex() if digest else ""),
                asker=self.asker(by or self.checker),
            )
        )

    def pay(
        self, number: int = 1, shop: str | None = None, amount: int | None = None, key: str | None = None
    ) -> Decision:
        return decided(
            settlement.windows.mark_paid(
                self.db,
                self.committer,
                self.book_id,
                number=number,
                merchant_id=self.shops[shop].id if shop else None,
                amount_minor=amount,
                asker=self.asker(self.maker, key),
            )
        )

    def fund(self, number: int = 1) -> None:
        """Close, submit, approve: the window is posted."""
        self.close(number)
        assert isinstance(self.submit(number), ledger.Accepted)
        assert isinstance(self.approve(number), ledger.Accepted)

    # -- what is seen

    def read(self, query: Callable[Concatenate[ledger.Tx, P], R], *args: P.args, **more: P.kwargs) -> R:
        with self.db.tx("settlement") as tx:
            return query(tx, *args, **more)

    @property
    def book(self) -> ledger.Book:
        return self.read(ledger.read_book, self.book_id)

    def window(self, number: int = 1) -> settlement.Window:
        found = self.read(settlement.window, self.book_id, number)
        assert found is not None
        return found

    def positions(self, number: int = 1) -> dict[str, settlement.PositionRow]:
        names = {shop.id: name for name, shop in self.shops.items()} | {self.operator: "operator"}
        return {names[row.position.party_id]: row for row in self.read(settlement.positions, self.book, number)}

    def statement(self, shop: str, number: int = 1) -> dict[str, Any]:
        with self.db.tx("door") as tx:
            found = settlement.statements.statement(tx, ledger.read_book(tx, self.book_id), number, self.shops[shop].id)
            assert found is not None
            return settlement.statements.document(found, settlement.statements.items(tx, found))

    def balance(self, kind: str, shop: str | None = None, window: int | None = None) -> int:
        rows = self.sql(
            "select balance from ledger.account where book_id = %s and kind = %s and owner_id is not distinct from %s"
            " and window_number is not distinct from %s",
            [self.book_id, kind, self.shops[shop].id if shop else None, window],
        )
        return rows[0][0] if rows else 0

    def events(self, kind: str | None = None) -> list[Event]:
        found = self.read(ledger.stream.read, self.book_id, 1, 100_000)
        return [event for event in found if kind in (None, event.kind)]

    def clock(self, to: datetime) -> None:
        self.sql("update ledger.book set clock = %s where id = %s", [to, self.book_id])

    def snapshot(self) -> dict[str, str]:
        return self.read(settlement.snapshot, self.book_id)

    def sql(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as conn:
            done = conn.execute(query, values)
            return done.fetchall() if done.description else []

    def identities(self) -> None:
        """DESIGN's identities, from the raw rows."""
        sums = self.sql("select asset, sum(balance) from ledger.account group by 1 having sum(balance) <> 0")
        assert sums == []
        open_lots = self.sql(
            "select l.issuer_id, l.funding, l.unit_value_minor, sum(l.pending + l.remaining + l.held) from ledger.lot l"
            " group by 1, 2, 3"
        )
        posted = {
            w.number for w in self.read(settlement.list_windows, self.book_id) if w.state in ("paying", "settled")
        }
        settlement.drain(self.db, self.book_id)
        accepted_ = self.sql(
            "select issuer_id, funding, unit_value_minor, sum(points) from settlement.item"
            " where lot_id is not null and not window_number = any(%s) group by 1, 2, 3",
            [list(posted)],
        )
        by_funding: dict[tuple[UUID, str], int] = {}
        backed: dict[UUID, int] = {}
        for issuer, funding, value, points in open_lots + accepted_:
            by_funding[issuer, funding] = by_funding.get((issuer, funding), 0) + int(points)
            if funding == "prefunded":
                backed[issuer] = backed.get(issuer, 0) + int(points) * value
        for name, shop in self.shops.items():
            due = self.sql(
                "select coalesce(sum(balance), 0) from ledger.account where kind = 'due' and owner_id = %s", [shop.id]
            )
            pool = self.balance("pool", name)
            assert by_funding.get((shop.id, "prefunded"), 0) == -self.balance("mint", name) - pool
            assert by_funding.get((shop.id, "deferred"), 0) == -self.balance("credit", name) - int(due[0][0])
            assert by_funding.get((shop.id, "closed_loop"), 0) == -self.balance("own", name)
            assert self.balance("backing", name) == 100 * pool + backed.get(shop.id, 0)


def decided(outcome: ledger.Outcome) -> Decision:
    assert outcome.decision is not None
    return outcome.decision


def accepted(outcome: ledger.Outcome) -> Any:
    assert isinstance(outcome.decision, ledger.Accepted), outcome.decision
    return outcome.decision.value


def committer(url: str) -> ledger.Committer:
    return ledger.Committer(url, {**settlement.handlers(), "earn": Till(), "redeem": Till()})


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    operator = ledger.ids.new()
    with psycopg.connect(database_url, autocommit=True) as conn:
        row = conn.execute(
            "insert into ledger.book (public_id, network, mode, currency, exponent, shown_as, face_value_minor,"
            " points_life_days, time_zone, window_schedule, operator_id, clock, created_at)"
            " values (%s, 'Tehran', 'test', 'IRR', 0, '{}', 100, 365, 'Asia/Tehran', %s, %s, %s, %s) returning id",
            [
                UUID("0199a3a0-0000-7000-8000-000000000001"),
                Jsonb({"every": "week", "weekday": 0, "at": "00:00"}),
                operator,
                START,
                START,
            ],
        ).fetchone()
        assert row is not None
        conn.execute("insert into ledger.head (book_id, next_sequence, hash) values (%s, 1, '')", [row[0]])
    db = ledger.Database(database_url)
    made = World(database_url, db, committer(database_url), row[0], operator)
    yield made
    for one in (made.committer, *made.others):
        one.close()
    db.close()
