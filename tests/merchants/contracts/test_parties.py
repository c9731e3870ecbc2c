"""Merchants, branches and tills, and the picture of a book that a batch is decided on."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

import ledger
from ledger.errors import Invalid, NotFound
from merchants import contracts


def revision(db: ledger.Database, book: ledger.Book) -> int:
    with db.tx("door") as tx:
        return ledger.read_book(tx, book.id).settings_revision


def shop(db: ledger.Database, book: ledger.Book, name: str = "Café") -> contracts.Merchant:
    with db.tx("door") as tx:
        made = contracts.add_merchant(tx, book, name, "shop", "food", book.now)
    assert isinstance(made, contracts.Merchant)
    return made


def branch(db: ledger.Database, book: ledger.Book, merchant: UUID, reference: str = "1") -> contracts.Branch:
    with db.tx("door") as tx:
        made = contracts.add_branch(tx, book, merchant, reference, "Main Street", "physical", "Tehran")
    assert isinstance(made, contracts.Branch)
    return made


def till(db: ledger.Database, book: ledger.Book, at: contracts.Branch, reference: str = "T1") -> contracts.Till:
    with db.tx("door") as tx:
        made = contracts.add_till(tx, book, at.merchant_id, at.id, reference)
    assert isinstance(made, contracts.Till)
    return made


def test_what_was_added_is_found_and_raises_the_revision(db: ledger.Database, book: ledger.Book) -> None:
    cafe = shop(db, book, "  The   Café ")
    assert revision(db, book) == 1
    main = branch(db, book, cafe.id)
    assert revision(db, book) == 2
    first = till(db, book, main)
    assert revision(db, book) == 3
    assert cafe.name == "The Café"
    with db.tx("door") as tx:
        assert contracts.merchant(tx, book, cafe.id) == cafe
        assert contracts.branch(tx, book, cafe.id, main.id) == main
        assert contracts.till(tx, book, cafe.id, first.id) == first


def test_a_name_or_reference_names_one_thing(db: ledger.Database, book: ledger.Book, other_book: ledger.Book) -> None:
    cafe, bakery = shop(db, book), shop(db, book, "Bakery")
    main = branch(db, book, cafe.id)
    first = till(db, book, main)
    before = revision(db, book)
    with db.tx("door") as tx:
        again = contracts.add_merchant(tx, book, "Café", "shop", None, book.now)
        assert again == contracts.Taken(ledger.ids.show("merchant", cafe.id), "/name")
        assert (again.code, again.pointer) == ("duplicate_reference", "/name")
        assert contracts.add_branch(tx, book, cafe.id, "1", "Other") == contracts.Taken(
            ledger.ids.show("branch", main.id), "/reference"
        )
        assert contracts.add_till(tx, book, cafe.id, main.id, "T1") == contracts.Taken(
            ledger.ids.show("till", first.id), "/reference"
        )
    assert revision(db, book) == before
    # the same names elsewhere are other things
    branch(db, book, bakery.id)
    shop(db, other_book)


def test_the_same_name_at_once_makes_one_merchant(db: ledger.Database, book: ledger.Book) -> None:
    def add(_: int) -> bool:
        with db.tx("door") as tx:
            return isinstance(contracts.add_merchant(tx, book, "Café", "shop", None, book.now), contracts.Merchant)

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(add, range(8))) == 1


@pytest.mark.parametrize(
    ("name", "kind", "category", "at"),
    [
        (" ", "shop", None, "/name"),
        ("x" * 101, "shop", None, "/name"),
        ("a\x00b", "shop", None, "/name"),
        ("Café", "shop", "x" * 101, "/category"),
        ("Café", "club", None, "/kind"),
    ],
)
def test_a_merchant_that_cannot_be_kept(
    db: ledger.Database, book: ledger.Book, name: str, kind: str, category: str | None, at: str
) -> None:
    with db.tx("door") as tx:
        refused = contracts.add_merchant(tx, book, name, kind, category, book.now)
    assert isinstance(refused, Invalid)
    assert refused.pointer == at


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"reference": ""}, "/reference"),
        ({"reference": "x" * 65}, "/reference"),
        ({"name": "\t"}, "/name"),
        ({"city": "x" * 101}, "/city"),
        ({"channel": "pigeon"}, "/channel"),
    ],
)
def test_a_branch_that_cannot_be_kept(db: ledger.Database, book: ledger.Book, change: dict[str, Any], at: str) -> None:
    cafe = shop(db, book)
    with db.tx("door") as tx:
        refused = contracts.add_branch(
            tx, book, cafe.id, **{"reference": "1", "name": "Main", "channel": "online", "city": None, **change}
        )
    assert isinstance(refused, Invalid)
    assert refused.pointer == at


def test_another_books_or_merchants_things_are_not_there(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book
) -> None:
    cafe, bakery = shop(db, book), shop(db, book, "Bakery")
    main = branch(db, book, cafe.id)
    with db.tx("door") as tx:
        assert contracts.merchant(tx, other_book, cafe.id) is None
        assert contracts.branch(tx, book, bakery.id, main.id) is None
        assert contracts.add_branch(tx, other_book, cafe.id, "2", "Other") == NotFound("merchant")
        assert contracts.add_till(tx, book, bakery.id, main.id, "T1") == NotFound("branch", "/branch")
        assert contracts.list_merchants(tx, other_book) == []


def test_pages_follow_one_another(db: ledger.Database, book: ledger.Book) -> None:
    shops = [shop(db, book, f"Shop {n}") for n in range(5)]
    branches = [branch(db, book, shops[0].id, str(n)) for n in range(3)]
    tills = [till(db, book, branches[0], str(n)) for n in range(3)] + [till(db, book, branches[1])]
    with db.tx("door") as tx:
        assert contracts.list_merchants(tx, book, limit=2) == shops[:2]
        assert contracts.list_merchants(tx, book, after=shops[1].id, limit=2) == shops[2:4]
        assert contracts.list_merchants(tx, book, after=shops[4].id) == []
        assert contracts.list_branches(tx, book, shops[0].id, after=branches[0].id) == branches[1:]
        assert contracts.list_tills(tx, book, shops[0].id) == tills
        assert contracts.list_tills(tx, book, shops[0].id, branches[0].id, limit=2) == tills[:2]
        assert contracts.list_tills(tx, book, shops[1].id) == []


def test_the_picture_holds_what_is_there(db: ledger.Database, book: ledger.Book, other_book: ledger.Book) -> None:
    cafe = shop(db, book)
    main = branch(db, book, cafe.id)
    first = till(db, book, main)
    shop(db, other_book, "Elsewhere")
    with db.tx("ledger") as tx:
        network = contracts.load(tx, book.id)
    assert set(network.merchants) == {cafe.id}
    assert network.merchant(cafe.id) == cafe
    assert network.branch(main.id) == main
    assert network.till(first.id) == first
    assert network.contract(cafe.id) is None
    assert network.terms(cafe.id) is None
    assert network.merchant(uuid4()) is None


def test_the_picture_is_kept_until_the_revision_moves(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book
) -> None:
    cafe = shop(db, book)
    cache = contracts.NetworkCache()

    def now() -> contracts.Network:
        with db.tx("ledger") as tx:
            return cache.of(tx, ledger.read_book(tx, book.id))

    first = now()
    assert now() is first
    shop(db, other_book, "Elsewhere")
    assert now() is first
    main = branch(db, book, cafe.id)
    assert now() is not first
    assert now().branch(main.id) == main
    with db.tx("ledger") as tx:
        assert cache.of(tx, ledger.read_book(tx, other_book.id)).merchant(cafe.id) is None
