"""Keys: shown once, kept as a hash, replaced with an overlap, ended within a second."""

import re
import threading
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

import ledger
from ledger.errors import Invalid, NotFound, StateConflict
from merchants import contracts
from merchants.contracts import keys


@pytest.fixture
def cafe(db: ledger.Database, book: ledger.Book) -> contracts.Merchant:
    with db.tx("door") as tx:
        made = contracts.add_merchant(tx, book, "Café", "shop", None, book.now)
    assert isinstance(made, contracts.Merchant)
    return made


def make(db: ledger.Database, book: ledger.Book, merchant: UUID, **more: Any) -> tuple[keys.Key, str]:
    with db.tx("door") as tx:
        made = keys.make(tx, book, merchant, more.pop("label", "tills"), **more)
    assert isinstance(made, tuple)
    return made


def opens(db: ledger.Database, plain: str) -> keys.Key | None:
    with db.tx("door") as tx:
        return keys.authenticate(tx, plain)


@pytest.mark.row("F2")
def test_a_key_is_shown_once_and_kept_as_a_hash(
    db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant
) -> None:
    key, plain = make(db, book, cafe.id)
    assert re.fullmatch(r"sk_test_[A-Za-z0-9_-]{32}", plain)
    assert plain.endswith(key.last_four)
    assert plain not in repr(key)
    assert opens(db, plain) == key
    assert (key.book_id, key.merchant_id, key.scopes) == (book.id, cafe.id, frozenset(keys.SCOPES))
    with db.tx("door") as tx:
        row = tx.execute("select k::text from merchants.api_key k").fetchone()
    assert row is not None
    assert plain[8:] not in row[0]


def test_a_live_books_keys_say_so(db: ledger.Database, live_book: ledger.Book) -> None:
    with db.tx("door") as tx:
        shop = contracts.add_merchant(tx, live_book, "Café", "shop", None, live_book.now)
    assert isinstance(shop, contracts.Merchant)
    _, plain = make(db, live_book, shop.id)
    assert plain.startswith("sk_live_")
    assert opens(db, plain.replace("live", "test")) is None


def test_a_restricted_key_may_do_what_its_scopes_name(
    db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant
) -> None:
    _, plain = make(db, book, cafe.id, kind="rk", scopes=["records:read", "sales:write", "records:read"])
    key = opens(db, plain)
    assert key is not None
    assert plain.startswith("rk_test_")
    assert key.scopes == {"records:read", "sales:write"}
    assert key.allows("sales:write")
    assert not key.allows("redemptions:write")


@pytest.mark.parametrize(
    ("asked", "at"),
    [
        ({"label": " "}, "/label"),
        ({"label": "x" * 101}, "/label"),
        ({"kind": "pk"}, "/kind"),
        ({"scopes": ["sales:write"]}, "/scopes"),
        ({"kind": "rk"}, "/scopes"),
        ({"kind": "rk", "scopes": ["everything"]}, "/scopes"),
    ],
)
def test_a_key_that_is_not_made(
    db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant, asked: dict[str, Any], at: str
) -> None:
    with db.tx("door") as tx:
        refused = keys.make(tx, book, cafe.id, **{"label": "tills", **asked})
    assert isinstance(refused, Invalid)
    assert refused.pointer == at


def test_no_key_for_a_merchant_that_is_not_there(
    db: ledger.Database, other_book: ledger.Book, cafe: contracts.Merchant
) -> None:
    with db.tx("door") as tx:
        assert keys.make(tx, other_book, cafe.id, "tills") == NotFound("merchant")


@pytest.mark.parametrize(
    "plain",
    ["", "sk_test_", "sk_test_" + "a" * 31, "sk_test_" + "a" * 33, "op_test_" + "a" * 32, "sk_test_" + "é" * 32],
)
def test_what_is_no_key_opens_nothing(db: ledger.Database, plain: str) -> None:
    assert opens(db, plain) is None


def test_a_revoked_key_opens_nothing(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book, cafe: contracts.Merchant
) -> None:
    key, plain = make(db, book, cafe.id)
    with db.tx("door") as tx:
        assert keys.revoke(tx, book, uuid4(), key.id) == NotFound("key")
        assert keys.revoke(tx, other_book, cafe.id, key.id) == NotFound("key")
    assert opens(db, plain) == key
    with db.tx("door") as tx:
        first = keys.revoke(tx, book, cafe.id, key.id)
    with db.tx("door") as tx:
        assert keys.revoke(tx, book, cafe.id, key.id) == first
    assert opens(db, plain) is None


def test_two_keys_are_live_while_one_replaces_the_other(
    db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant
) -> None:
    old, old_plain = make(db, book, cafe.id, kind="rk", scopes=["sales:write"])
    with db.tx("door") as tx:
        made = keys.rotate(tx, book, cafe.id, old.id, overlap_hours=2)
    assert isinstance(made, tuple)
    new, new_plain = made
    assert (new.label, new.kind, new.scopes, new.expires_at) == (old.label, "rk", frozenset({"sales:write"}), None)
    assert opens(db, new_plain) == new
    going = opens(db, old_plain)
    assert going is not None
    assert going.expires_at is not None
    assert (going.expires_at - new.created_at).total_seconds() == 7200
    with db.tx("door") as tx:
        assert keys.rotate(tx, book, cafe.id, old.id) == StateConflict("key", "replaced by another")
        tx.execute("update merchants.api_key set expires_at = now() where id = %s", [old.id])
    assert opens(db, old_plain) is None
    with db.tx("door") as tx:
        assert [k.id for k in keys.list_keys(tx, book, cafe.id)] == [old.id, new.id]
        assert [k.id for k in keys.list_keys(tx, book, cafe.id, after=old.id)] == [new.id]


def test_keys_that_are_not_replaced(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book, cafe: contracts.Merchant
) -> None:
    key, _ = make(db, book, cafe.id)
    with db.tx("door") as tx:
        assert isinstance(keys.rotate(tx, book, cafe.id, key.id, overlap_hours=-1), Invalid)
        assert isinstance(keys.rotate(tx, book, cafe.id, key.id, overlap_hours=169), Invalid)
        assert keys.rotate(tx, other_book, cafe.id, key.id) == NotFound("key")
        keys.revoke(tx, book, cafe.id, key.id)
        assert keys.rotate(tx, book, cafe.id, key.id) == StateConflict("key", "revoked")


def test_no_overlap_ends_the_old_key_at_once(db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant) -> None:
    key, plain = make(db, book, cafe.id)
    with db.tx("door") as tx:
        keys.rotate(tx, book, cafe.id, key.id, overlap_hours=0)
    assert opens(db, plain) is None


def test_a_ring_answers_from_memory_and_forgets_within_its_time(
    db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant
) -> None:
    key, plain = make(db, book, cafe.id)
    ring = contracts.KeyRing(db, oldest_seconds=0.3)
    assert ring.key(plain) == key
    with db.tx("door") as tx:
        keys.revoke(tx, book, cafe.id, key.id)
    revoked_at = time.monotonic()
    while ring.key(plain) is not None:
        assert time.monotonic() - revoked_at < 0.35
        time.sleep(0.01)
    assert ring.key(plain) is None


def test_a_ring_remembers_keys_only_and_so_many(
    db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant
) -> None:
    made = [make(db, book, cafe.id) for _ in range(4)]
    ring = contracts.KeyRing(db, oldest_seconds=60, largest=2)
    for guess in range(5):
        assert ring.key(f"sk_test_{guess:032}") is None
    assert ring.key("Bearer nonsense") is None
    assert [ring.key(plain) for _, plain in made] == [key for key, _ in made]
    assert len(ring._held) == 2


def test_threads_share_a_ring(db: ledger.Database, book: ledger.Book, cafe: contracts.Merchant) -> None:
    made = [make(db, book, cafe.id) for _ in range(3)]
    ring = contracts.KeyRing(db, oldest_seconds=0.001, largest=2)
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(20):
            wrong.extend(found for key, plain in made if (found := ring.key(plain)) != key)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
