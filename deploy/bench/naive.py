"""The naive contender: the same shop floor as a careful engineer writes it first, with an ORM.

One transaction a request: look the key up, lock the rows that matter (SELECT ... FOR UPDATE), check, write, commit. Lots go
soonest expiry first, entries balance, and the outcome is kept under its key. It knows less than Manex does: no hash chain, no
sequence, no maturity, no debts, no limits on velocity, no pipelining, and codes are not looked at. It stays as it is, as
the yardstick of what the rest buys.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import sqlalchemy
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, MetaData, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from deploy.asgi import die_with_parent
from deploy.bench import slot
from deploy.bench.network import Network
from deploy.bench.slot import Slot
from deploy.bench.work import CONFLICTING, OVERDRAWN, REPLAYED, SALES, TOO_MANY

THREADS: Final = 16
LIFE: Final = timedelta(days=365)
#: Lots that every member has at first, as in the book of the others.
LOTS: Final = 4
BEHIND: Final = 256


class Base(DeclarativeBase):
    metadata = MetaData(schema="naive")


class Merchant(Base):
    __tablename__ = "merchant"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    closed_loop: Mapped[bool]


class Account(Base):
    """A wallet, what a shop has issued, or what it has accepted."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    owner_id: Mapped[UUID]
    kind: Mapped[str]
    balance: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        UniqueConstraint("owner_id", "kind"),
        CheckConstraint("kind <> 'wallet' or balance >= 0", name="never_overdrawn"),
    )


class Lot(Base):
    __tablename__ = "lot"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("naive.merchant.id"))
    points: Mapped[int] = mapped_column(BigInteger)
    remaining: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(sqlalchemy.DateTime(timezone=True))
    __table_args__ = (
        CheckConstraint("remaining >= 0", name="never_less_than_nothing"),
        Index("lot_to_spend", "member_id", "expires_at", postgresql_where=sqlalchemy.text("remaining > 0")),
    )


class Sale(Base):
    __tablename__ = "sale"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[UUID] = mapped_column(ForeignKey("naive.merchant.id"))
    member_id: Mapped[UUID]
    external_reference: Mapped[str]
    total: Mapped[int] = mapped_column(BigInteger)
    points: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(sqlalchemy.DateTime(timezone=True))
    __table_args__ = (UniqueConstraint("merchant_id", "external_reference"),)


class Redemption(Base):
    __tablename__ = "redemption"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[UUID] = mapped_column(ForeignKey("naive.merchant.id"))
    member_id: Mapped[UUID]
    external_reference: Mapped[str]
    points: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(sqlalchemy.DateTime(timezone=True))
    __table_args__ = (UniqueConstraint("merchant_id", "external_reference"),)


class Entry(Base):
    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("naive.account.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("naive.lot.id"))
    amount: Mapped[int] = mapped_column(BigInteger)


class Outcome(Base):
    __tablename__ = "outcome"
    merchant_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    body: Mapped[str]


class Asked:
    """A request: a sale of `amount` minor units, or a redemption of `amount` points."""

    __slots__ = ("amount", "fingerprint", "key", "kind", "member", "merchant")

    def __init__(self, kind: str, merchant: UUID, member: UUID, amount: int, key: str, fingerprint: bytes) -> None:
        self.kind, self.merchant, self.member = kind, merchant, member
        self.amount, self.key, self.fingerprint = amount, key, fingerprint


def post(session: Session, asked: Asked) -> tuple[int, str, str]:
    """One request, one transaction: its status, its body, and what it came to. Safe to send again under its key."""
    with session.begin():
        known = session.get(Outcome, (asked.merchant, asked.key))
        if known is not None:
            return _again(known, asked)
        wallet = session.scalars(
            select(Account).where(Account.owner_id == asked.member, Account.kind == "wallet").with_for_update()
        ).one()
        status, told = (_sale if asked.kind == "sale" else _redemption)(session, asked, wallet)
        body = json.dumps(told)
        session.add(
            Outcome(merchant_id=asked.merchant, key=asked.key, fingerprint=asked.fingerprint, status=status, body=body)
        )
    return status, body, "accepted" if status == 200 else str(told["code"])


def _again(known: Outcome, asked: Asked) -> tuple[int, str, str]:
    if known.fingerprint != asked.fingerprint:
        return 409, "", "idempotency_key_reused"
    return known.status, known.body, "replayed"


def _sale(session: Session, asked: Asked, wallet: Account) -> tuple[int, dict[str, Any]]:
    points = asked.amount // 100
    now = datetime.now(UTC)
    issued = _shops(session, asked.merchant, "issued")
    sale = Sale(
        id=uuid4(),
        merchant_id=asked.merchant,
        member_id=asked.member,
        external_reference=asked.key,
        total=asked.amount,
        points=points,
        at=now,
    )
    lot = Lot(
        id=uuid4(),
        member_id=asked.member,
        issuer_id=asked.merchant,
        points=points,
        remaining=points,
        expires_at=now + LIFE,
    )
    session.add_all([sale, lot])
    session.flush()
    wallet.balance += points
    issued.balance -= points
    session.add(Entry(subject_id=sale.id, account_id=issued.id, lot_id=lot.id, amount=-points))
    session.add(Entry(subject_id=sale.id, account_id=wallet.id, lot_id=lot.id, amount=points))
    return 200, {"id": str(sale.id), "points": points, "available": wallet.balance}


def _redemption(session: Session, asked: Asked, wallet: Account) -> tuple[int, dict[str, Any]]:
    now = datetime.now(UTC)
    lots = session.scalars(
        select(Lot)
        .join(Merchant, Merchant.id == Lot.issuer_id)
        .where(Lot.member_id == asked.member, Lot.remaining > 0, Lot.expires_at > now)
        .where((Merchant.closed_loop.is_(False)) | (Lot.issuer_id == asked.merchant))
        .order_by(Lot.expires_at, Lot.id)
        .with_for_update(of=Lot)
    ).all()
    available = sum(lot.remaining for lot in lots)
    if asked.amount > available:
        return 409, {"code": "insufficient_points", "available": available}
    accepted = _shops(session, asked.merchant, "accepted")
    redemption = Redemption(
        id=uuid4(),
        merchant_id=asked.merchant,
        member_id=asked.member,
        external_reference=asked.key,
        points=asked.amount,
        at=now,
    )
    session.add(redemption)
    session.flush()
    left = asked.amount
    for lot in lots:
        part = min(left, lot.remaining)
        if not part:
            break
        lot.remaining -= part
        left -= part
        session.add(Entry(subject_id=redemption.id, account_id=wallet.id, lot_id=lot.id, amount=-part))
        session.add(Entry(subject_id=redemption.id, account_id=accepted.id, lot_id=lot.id, amount=part))
    wallet.balance -= asked.amount
    accepted.balance += asked.amount
    return 200, {"id": str(redemption.id), "points": asked.amount, "available": wallet.balance}


def _shops(session: Session, merchant: UUID, kind: str) -> Account:
    """Locked after the wallet, in every request, so that no two wait for each other."""
    return session.scalars(
        select(Account).where(Account.owner_id == merchant, Account.kind == kind).with_for_update()
    ).one()


# -- the contender


def found(url: str, network: Network) -> None:
    """The tables in a database of their own, with the same shops and members, who have some lots each."""
    made = engine(url)
    with made.begin() as connection:
        connection.execute(sqlalchemy.text("create schema naive"))
    Base.metadata.create_all(made)
    made.dispose()
    shops, members = [s.id for s in network.shops], [m.id for m in network.members]
    with psycopg.connect(url) as conn:
        conn.execute(
            "insert into naive.merchant select * from unnest(%s::uuid[], %s::boolean[])",
            [shops, [s.mode == "closed_loop" for s in network.shops]],
        )
        conn.execute(
            "insert into naive.account (owner_id, kind, balance) select id, kind, 0"
            " from unnest(%s::uuid[]) id, unnest(array['issued', 'accepted']) kind",
            [shops],
        )
        conn.execute(
            "insert into naive.account (owner_id, kind, balance) select unnest(%s::uuid[]), 'wallet', 0", [members]
        )
        conn.execute(
            "insert into naive.sale select gen_random_uuid(), shops[1 + floor(random() * cardinality(shops))::int], m,"
            " 'first ' || row_number() over (), points * 100, points, now()"
            " from (select %s::uuid[] as shops, m, 20 + floor(random() * 80)::int as points"
            "  from unnest(%s::uuid[]) m, generate_series(1, %s)) drawn",
            [shops, members, LOTS],
        )
        conn.execute(
            "insert into naive.lot select id, member_id, merchant_id, points, points, now() + interval '365 days'"
            " from naive.sale"
        )
        conn.execute(
            "insert into naive.entry (subject_id, account_id, lot_id, amount)"
            " select s.id, a.id, s.id, case a.kind when 'wallet' then s.points else -s.points end"
            " from naive.sale s join naive.account a on (a.owner_id, a.kind) in ((s.member_id, 'wallet'),"
            " (s.merchant_id, 'issued'))"
        )
        conn.execute(
            "update naive.account a set balance = e.balance from"
            " (select account_id, sum(amount) as balance from naive.entry group by 1) e where e.account_id = a.id"
        )
        conn.commit()
        conn.autocommit = True
        conn.execute("vacuum analyze")


def faults(url: str) -> list[str]:
    """What is wrong with its books: it is held to the truth like the others, as far as it knows any."""
    wrong = {
        "naive: balances are the sums of entries": "select count(*) from naive.account a left join (select account_id,"
        " sum(amount) as total from naive.entry group by 1) e on e.account_id = a.id where a.balance <> coalesce(total, 0)",
        "naive: entries sum to zero": "select abs(coalesce(sum(amount), 0)) from naive.entry",
        "naive: wallets are the sums of lots": "select count(*) from naive.account a left join (select member_id,"
        " sum(remaining) as total from naive.lot group by 1) l on l.member_id = a.owner_id"
        " where a.kind = 'wallet' and a.balance <> coalesce(total, 0)",
    }
    with psycopg.connect(url) as conn:
        return [name for name, query in wrong.items() if (row := conn.execute(query).fetchone()) and row[0]]


def engine(url: str) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), pool_size=THREADS, max_overflow=0
    )


def serve(pipe: Connection, parent: int, network: Network, url: str) -> None:
    """Answer (variant, seconds, callers) as a writer does, with threads that take one request after the other."""
    die_with_parent(parent)
    contender = Naive(network, url)
    try:
        while (order := pipe.recv()) is not None:
            _, seconds, _ = order
            pipe.send("ready")
            pipe.recv()
            pipe.send(contender.work(seconds))
    except (EOFError, KeyboardInterrupt):
        return  # whoever asked is gone
    finally:
        contender.close()


class Naive:
    def __init__(self, network: Network, url: str) -> None:
        self._engine = engine(url)
        self._shops = [shop.id for shop in network.shops]
        self._members = [member.id for member in network.members]
        self._started = 0

    def work(self, seconds: float) -> Slot:
        latencies: list[float] = []
        answers: Counter[str] = Counter()
        processor, began = time.process_time(), time.perf_counter()
        threads = []
        for _ in range(THREADS):
            self._started += 1
            asking = self._asking(f"naive-{self._started}")
            threads.append(
                threading.Thread(target=self._thread, args=(asking, began + seconds, latencies, answers), daemon=True)
            )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return slot.of(latencies, time.perf_counter() - began, time.process_time() - processor, dict(answers))

    def _thread(self, asking: Callable[[], Asked], until: float, latencies: list[float], answers: Counter[str]) -> None:
        while (sent := time.perf_counter()) < until:
            asked = asking()
            for _ in range(3):
                try:
                    with Session(self._engine) as session:
                        told = post(session, asked)[2]
                    break
                except IntegrityError:  # a twin was first: its outcome is there now
                    continue
            else:
                told = "failed"
            latencies.append(time.perf_counter() - sent)
            answers[told] += 1

    def _asking(self, name: str) -> Callable[[], Asked]:
        """The same mixture of requests as the others'."""
        source = random.Random(name)
        sent: deque[Asked] = deque(maxlen=BEHIND)
        number = 0

        def ask() -> Asked:
            nonlocal number
            again = source.random()
            if again < REPLAYED + CONFLICTING and sent:
                before = sent[0]
                other = before.fingerprint if again < REPLAYED else bytes(32)
                return Asked(before.kind, before.merchant, before.member, before.amount, before.key, other)
            number += 1
            key = f"{name}-{number}"
            member = self._members[int(source.random() * len(self._members))]
            shop = self._shops[int(source.random() * len(self._shops))]
            kind = "sale" if source.random() < SALES else "redemption"
            amount = 100 * (10 + int(source.random() * 90)) if kind == "sale" else 15 + int(source.random() * 75)
            if kind == "redemption" and source.random() < OVERDRAWN:
                amount = TOO_MANY
            asked = Asked(kind, shop, member, amount, key, key.encode().ljust(32, b"\0")[:32])
            sent.append(asked)
            return asked

        return ask

    def close(self) -> None:
        self._engine.dispose()
