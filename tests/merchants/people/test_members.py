"""Members and their devices."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

import ledger
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict
from merchants import people

ANN = "+989121234567"
BOB = "+989127654321"
CAFE = UUID(int=7)
SPEND_KEY = b"k" * 32


def enrol(db: ledger.Database, book: ledger.Book, phone: str = ANN, **more: Any) -> people.Enrolled | ledger.Refusal:
    profile: dict[str, Any] = {
        "kind": "natural",
        "given_name": "Ann",
        "family_name": None,
        "language": "fa",
        "consents": {"messages": True, "profiling": False},
        "enrolled_by": CAFE,
        "now": book.now,
    }
    with db.tx("door") as tx:
        return people.enrol(tx, book, phone=phone, **{**profile, **more})


def member(db: ledger.Database, book: ledger.Book, phone: str = ANN) -> people.Member:
    enrolled = enrol(db, book, phone)
    assert isinstance(enrolled, people.Enrolled)
    return enrolled.member


def device(db: ledger.Database, book: ledger.Book, owner: people.Member, name: str = "phone") -> people.Device:
    with db.tx("door") as tx:
        made = people.enrol_device(tx, book, owner.id, name, SPEND_KEY, book.now)
    assert isinstance(made, tuple)
    return made[0]


def test_a_new_member_has_a_number_and_is_found_by_all_three(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    assert people.numbers.valid(ann.number)
    assert (ann.state, ann.kind, ann.given_name, ann.spend_locked) == ("active", "natural", "Ann", False)
    with db.tx("door") as tx:
        assert people.find(tx, book, number=ann.number) == ann
        assert people.find(tx, book, phone=ANN) == ann
        assert people.find(tx, book, id=ann.id) == ann
        assert people.find(tx, book, phone=BOB) is None


def test_consents_are_kept_by_purpose_with_their_time(db: ledger.Database, book: ledger.Book) -> None:
    member(db, book)
    with db.tx("door") as tx:
        row = tx.execute("select consents, enrolled_by, enrolled_at from merchants.member").fetchone()
    at = book.now.isoformat()
    assert row == ({"messages": {"given": True, "at": at}, "profiling": {"given": False, "at": at}}, CAFE, book.now)


def test_enrolling_twice_makes_one_member_and_tells_no_name(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    again = enrol(db, book, given_name="Zoe", language="en", enrolled_by=UUID(int=8))
    assert isinstance(again, people.Enrolled)
    assert (again.created, again.member.id, again.member.number) == (False, ann.id, ann.number)
    assert again.member.given_name is None
    with db.tx("door") as tx:
        assert people.find(tx, book, id=ann.id) == ann


def test_enrolling_at_two_tills_at_once_makes_one_member(db: ledger.Database, book: ledger.Book) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: enrol(db, book), range(8)))
    assert sorted(isinstance(e, people.Enrolled) and e.created for e in made) == [False] * 7 + [True]
    assert len({e.member.id for e in made if isinstance(e, people.Enrolled)}) == 1


def test_a_number_that_is_taken_is_drawn_again(
    db: ledger.Database, book: ledger.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = member(db, book)
    drawn = iter([ann.number, ann.number, people.numbers.make()])
    monkeypatch.setattr("merchants.people.numbers.make", lambda: next(drawn))
    assert member(db, book, BOB).number != ann.number


def test_one_person_is_two_members_in_two_books(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book
) -> None:
    ann = member(db, book)
    assert member(db, other_book).id != ann.id
    with db.tx("door") as tx:
        assert people.find(tx, other_book, id=ann.id) is None
        assert people.find(tx, other_book, number=ann.number) is None
        assert people.members_by(tx, other_book.id, {ann.id}, {ann.number}) == {}


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"phone": "09121234567"}, "/phone"),
        ({"kind": "robot"}, "/kind"),
        ({"given_name": "x" * 101}, "/given_name"),
        ({"given_name": "a\x00b"}, "/given_name"),
        ({"family_name": "\x1b[31m"}, "/family_name"),
        ({"language": "Persian!"}, "/language"),
        ({"consents": {"Post Office": True}}, "/consents"),
        ({"consents": {f"purpose_{n}": True for n in range(21)}}, "/consents"),
    ],
)
def test_a_profile_that_cannot_be_kept(db: ledger.Database, book: ledger.Book, change: dict[str, Any], at: str) -> None:
    refused = enrol(db, book, **change)
    assert isinstance(refused, Invalid)
    assert refused.pointer == at


def test_a_blank_name_is_none_and_spaces_are_one(db: ledger.Database, book: ledger.Book) -> None:
    first = enrol(db, book, given_name="   ")
    second = enrol(db, book, BOB, given_name="  Mary \t Ann ")
    assert isinstance(first, people.Enrolled)
    assert isinstance(second, people.Enrolled)
    assert (first.member.given_name, second.member.given_name) == (None, "Mary Ann")


def test_no_name_and_no_telephone_in_what_is_logged(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    for text in (repr(ann), repr(people.Enrolled(ann, True)), repr(device(db, book, ann, "Ann's phone"))):
        assert "Ann" not in text
        assert ANN not in text
        assert ann.number not in text


def test_members_are_read_in_one_go_by_what_they_were_asked_for(db: ledger.Database, book: ledger.Book) -> None:
    ann, bob = member(db, book), member(db, book, BOB)
    stranger = uuid4()
    with db.tx("ledger") as tx:
        found = people.members_by(tx, book.id, {ann.id, stranger}, {bob.number, "123456789012"})
    assert found == {ann.id: ann, bob.number: bob}


def test_the_spend_lock_is_set_and_lifted(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    for locked in (True, True, False):
        with db.tx("door") as tx:
            changed = people.set_spend_lock(tx, book, ann.id, locked)
        assert isinstance(changed, people.Member)
        assert changed.spend_locked is locked
    with db.tx("door") as tx:
        assert people.set_spend_lock(tx, book, uuid4(), True) == NotFound("member")


def test_a_devices_secret_is_told_once_and_kept_nowhere(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    with db.tx("door") as tx:
        made = people.enrol_device(tx, book, ann.id, "phone", SPEND_KEY, book.now)
    assert isinstance(made, tuple)
    told = made[1]
    with db.tx("ledger") as tx:
        (row,) = people.devices_of(tx, book.id, {ann.id})
    assert people.spend_codes.secret(SPEND_KEY, row.id, bytes(row.nonce)) == told
    assert row.last_step == 0
    with db.tx("door") as tx:
        stored = tx.execute("select d::text from merchants.device d").fetchone()
    assert stored is not None
    assert told not in stored[0]


def test_a_member_has_five_live_devices_at_most(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    made = [device(db, book, ann) for _ in range(5)]
    with db.tx("door") as tx:
        assert people.enrol_device(tx, book, ann.id, "sixth", SPEND_KEY, book.now) == LimitExceeded("devices", 5, 6)
        ended = people.revoke_device(tx, book, ann.id, made[0].id, book.now)
        assert isinstance(ended, people.Device)
        assert ended.revoked_at == book.now
    device(db, book, ann)
    with db.tx("ledger") as tx:
        assert made[0].id not in {row.id for row in people.devices_of(tx, book.id, {ann.id})}


def test_devices_enrolled_at_once_are_five_all_the_same(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)

    def add(_: int) -> bool:
        with db.tx("door") as tx:
            return isinstance(people.enrol_device(tx, book, ann.id, "phone", SPEND_KEY, book.now), tuple)

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(add, range(9))) == 5


def test_who_gets_no_device(db: ledger.Database, book: ledger.Book, other_book: ledger.Book) -> None:
    ann = member(db, book)
    with db.tx("door") as tx:
        assert isinstance(people.enrol_device(tx, book, ann.id, " ", SPEND_KEY, book.now), Invalid)
        assert people.enrol_device(tx, book, uuid4(), "phone", SPEND_KEY, book.now) == NotFound("member")
        assert people.enrol_device(tx, other_book, ann.id, "phone", SPEND_KEY, book.now) == NotFound("member")
        tx.execute("update merchants.member set state = 'frozen'")
        assert people.enrol_device(tx, book, ann.id, "phone", SPEND_KEY, book.now) == StateConflict("member", "frozen")


def test_a_device_is_ended_by_its_owner_only_and_once(db: ledger.Database, book: ledger.Book) -> None:
    ann, bob = member(db, book), member(db, book, BOB)
    phone = device(db, book, ann)
    later = book.now + dt.timedelta(hours=1)
    with db.tx("door") as tx:
        assert people.revoke_device(tx, book, bob.id, phone.id, book.now) == NotFound("device")
        people.revoke_device(tx, book, ann.id, phone.id, book.now)
        again = people.revoke_device(tx, book, ann.id, phone.id, later)
    assert isinstance(again, people.Device)
    assert again.revoked_at == book.now


def test_used_steps_only_rise(db: ledger.Database, book: ledger.Book) -> None:
    ann, bob = member(db, book), member(db, book, BOB)
    first, second = device(db, book, ann), device(db, book, bob)
    for steps in ([(first.id, 7), (second.id, 3), (first.id, 9)], [(first.id, 8)], []):
        with db.tx("ledger") as tx:
            people.devices_of(tx, book.id, {ann.id, bob.id})
            people.use_steps(tx, steps)
    with db.tx("ledger") as tx:
        found = people.devices_of(tx, book.id, {ann.id, bob.id})
    assert {row.id: row.last_step for row in found} == {first.id: 9, second.id: 3}
    assert [row.id for row in found] == sorted(row.id for row in found)


def test_a_second_posting_waits_for_the_devices_of_the_first(db: ledger.Database, book: ledger.Book) -> None:
    ann = member(db, book)
    device(db, book, ann)
    with db.tx("ledger") as first, db.tx("ledger") as second:
        people.devices_of(first, book.id, {ann.id})
        second.execute("set local lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            people.devices_of(second, book.id, {ann.id})
