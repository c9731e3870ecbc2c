"""Reads that gather: one answer each, in the right hands, whatever becomes of the others and of the database."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import psycopg
import pytest

import gateway.wallets
import ledger
from ledger.errors import Unavailable
from tests.world import World


def test_many_ask_at_once_and_each_has_its_own(database_url: str) -> None:
    sizes: list[int] = []

    def squares(tx: ledger.Tx, asked: Sequence[int]) -> list[int]:
        sizes.append(len(asked))
        rows = tx.execute("select n * n from unnest(%s::bigint[]) with ordinality as t(n, i) order by i", [list(asked)])
        return [row[0] for row in rows.fetchall()]

    gathered = ledger.Gathered(database_url, "door", squares)

    async def ask() -> list[int]:
        return await asyncio.gather(*(gathered.ask(n) for n in range(1_000)))

    assert asyncio.run(ask()) == [n * n for n in range(1_000)]
    assert sum(sizes) == 1_000
    assert max(sizes) > 1, "they gather while others are answered"
    gathered.close()
    with pytest.raises(Unavailable):
        asyncio.run(gathered.ask(1))


def test_one_alone_waits_for_nobody(database_url: str) -> None:
    gathered: ledger.Gathered[int, int] = ledger.Gathered(database_url, "door", lambda _, asked: list(asked))
    for n in range(5):
        assert asyncio.run(gathered.ask(n)) == n
    gathered.close()


def test_a_question_without_an_answer_spoils_no_other(database_url: str) -> None:
    def inverse(tx: ledger.Tx, asked: Sequence[int]) -> list[int]:
        return [row[0] for row in tx.execute("select 12 / n from unnest(%s::bigint[]) as n", [list(asked)]).fetchall()]

    gathered = ledger.Gathered(database_url, "door", inverse)

    async def ask() -> list[int | BaseException]:
        return await asyncio.gather(*(gathered.ask(n) for n in (1, 2, 0, 3)), return_exceptions=True)

    answers = asyncio.run(ask())
    assert [a for a in answers if isinstance(a, int)] == [12, 6, 4]
    assert isinstance(answers[2], psycopg.errors.DivisionByZero)
    gathered.close()


def test_a_connection_that_was_cut_is_made_anew(database_url: str) -> None:
    def pid(tx: ledger.Tx, asked: Sequence[int]) -> list[int]:
        row = tx.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        return [row[0]] * len(asked)

    gathered = ledger.Gathered(database_url, "door", pid)
    first = asyncio.run(gathered.ask(0))
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(%s)", [first])
    assert asyncio.run(gathered.ask(0)) != first
    gathered.close()


def test_a_database_that_is_gone_is_told_so() -> None:
    gathered: ledger.Gathered[int, int] = ledger.Gathered(
        "host=/nowhere dbname=none connect_timeout=1", "door", lambda _, asked: list(asked)
    )
    with pytest.raises(Unavailable):
        asyncio.run(gathered.ask(1))
    gathered.close()


def test_wallets_of_many_are_those_of_each(world: World) -> None:
    world.shop("cafe", mode="deferred")
    world.shop("books", mode="deferred", maturity_days=14)
    names = ["ann", "bob", "eve"]
    for points, name in enumerate(names, 1):
        world.member(name)
        world.earn(name, "cafe", 100 * points)
        world.earn(name, "books", 10 * points)
    world.hold("bob", "cafe", 30)
    refunded = world.earn("eve", "cafe", 50)
    world.redeem("eve", "cafe", 350)
    world.refund(refunded)
    asked = [(world.book_id, world.members[name]) for name in names] + [(world.book_id, UUID(int=9))]
    with world.house.db.tx("door") as tx:
        book = ledger.read_book(tx, world.book_id)
        each = [ledger.wallet.read(tx, book, member) for _, member in asked[:3]]
        assert gateway.wallets.of(tx, asked) == [*each, None]
    assert [(w.available, w.pending, w.held, w.owed) for w in each] == [
        (100, 10, 0, 0),
        (170, 20, 30, 0),
        (0, 30, 0, 50),
    ]
    assert [w.value for w in each] == [100, 170, 0]
