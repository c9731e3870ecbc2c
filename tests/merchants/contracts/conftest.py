"""A test book whose clock stands still, and a door to it."""

import datetime as dt
from collections.abc import Iterator

import pytest

import ledger

NOW = dt.datetime(2017, 5, 1, 9, 0, tzinfo=dt.UTC)


@pytest.fixture
def now() -> dt.datetime:
    return NOW


@pytest.fixture
def db(database_url: str) -> Iterator[ledger.Database]:
    database = ledger.Database(database_url)
    yield database
    database.close()


def open_book(db: ledger.Database, network: str, mode: str = "test") -> ledger.Book:
    with db.tx("door") as tx:
        book = ledger.books.open_book(
            tx,
            ledger.books.NewBook(
                network=network,
                mode=mode,
                currency="IRR",
                exponent=0,
                face_value_minor=1000,
                points_life_days=365,
                time_zone="Asia/Tehran",
                window_schedule=None,
                clock=NOW,
            ),
        )
    assert isinstance(book, ledger.Book)
    return book


@pytest.fixture
def book(db: ledger.Database) -> ledger.Book:
    return open_book(db, "Bazaar")


@pytest.fixture
def other_book(db: ledger.Database) -> ledger.Book:
    return open_book(db, "Elsewhere")


@pytest.fixture
def live_book(db: ledger.Database) -> ledger.Book:
    return open_book(db, "Bazaar", "live")
