"""Signing in by a code: once, five tries, five minutes, and no word of who is a member."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

import ledger
from merchants import people
from merchants.people import one_time_codes as otp

KEY = b"s" * 32
ANN = "+989121234567"
NOBODY = "+989127654321"


@pytest.fixture
def ann(db: ledger.Database, book: ledger.Book, now: dt.datetime) -> people.Member:
    with db.tx("door") as tx:
        enrolled = people.enrol(
            tx,
            book,
            phone=ANN,
            kind="natural",
            given_name="Ann",
            family_name=None,
            language="fa",
            consents={},
            enrolled_by=None,
            now=now,
        )
    assert isinstance(enrolled, people.Enrolled)
    return enrolled.member


def ask(db: ledger.Database, book: ledger.Book, phone: str, at: dt.datetime) -> otp.OneTimeCode:
    with db.tx("door") as tx:
        asked = otp.ask(tx, book, phone, at, key=KEY)
    assert isinstance(asked, otp.OneTimeCode)
    return asked


def tried(db: ledger.Database, book: ledger.Book, phone: str, code: str, at: dt.datetime) -> object:
    with db.tx("door") as tx:
        answer = otp.verify(tx, book, phone, code, at, key=KEY)
    return answer.code if isinstance(answer, ledger.Refusal) else answer


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_the_code_signs_its_member_in_once(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    code = ask(db, book, ANN, now)
    assert code.shown_code == code.code
    assert tried(db, book, ANN, code.code, now) == ann
    assert tried(db, book, ANN, code.code, now) == "unauthenticated"


def test_a_live_book_shows_no_code(db: ledger.Database, live_book: ledger.Book, now: dt.datetime) -> None:
    code = ask(db, live_book, ANN, now)
    assert code.shown_code is None
    assert code.code not in repr(code)
    assert ANN not in repr(code)
    with db.tx("door") as tx:
        row = tx.execute("select shown_code, code_hash from merchants.one_time_code").fetchone()
    assert row is not None
    assert row[0] is None
    assert code.code.encode() not in bytes(row[1])


def test_five_wrong_tries_lock_the_code(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    code = ask(db, book, ANN, now)
    for _ in range(5):
        assert tried(db, book, ANN, wrong(code.code), now) == "unauthenticated"
    assert tried(db, book, ANN, code.code, now) == "otp_locked"
    assert tried(db, book, ANN, ask(db, book, ANN, now).code, now) == ann


def test_many_tries_at_once_count_five(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    code = ask(db, book, ANN, now)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: tried(db, book, ANN, wrong(code.code), now), range(12)))
    assert sorted(map(str, answers)) == ["otp_locked"] * 7 + ["unauthenticated"] * 5


def test_a_code_lives_five_minutes_of_the_books_clock(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    code = ask(db, book, ANN, now)
    assert tried(db, book, ANN, code.code, now + dt.timedelta(minutes=5)) == "unauthenticated"
    assert tried(db, book, ANN, code.code, now + dt.timedelta(minutes=4, seconds=59)) == ann


def test_only_the_last_code_counts(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    first, second = ask(db, book, ANN, now), ask(db, book, ANN, now)
    if first.code != second.code:
        assert tried(db, book, ANN, first.code, now) == "unauthenticated"
    assert tried(db, book, ANN, second.code, now) == ann


def test_a_stranger_is_answered_as_a_member_is(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    for phone in (ANN, NOBODY):
        code = ask(db, book, phone, now)
        for _ in range(5):
            assert tried(db, book, phone, wrong(code.code), now) == "unauthenticated"
        assert tried(db, book, phone, wrong(code.code), now) == "otp_locked"
        for _ in range(4):
            ask(db, book, phone, now)
        with db.tx("door") as tx:
            assert otp.ask(tx, book, phone, now, key=KEY) == otp.RateLimited(600)
    with db.tx("door") as tx:
        rows = tx.execute("select phone, count(*) from merchants.one_time_code group by phone order by 1").fetchall()
    assert rows == [(ANN, 5), (NOBODY, 5)]


def test_the_right_code_of_a_stranger_signs_nobody_in(db: ledger.Database, book: ledger.Book, now: dt.datetime) -> None:
    assert tried(db, book, NOBODY, ask(db, book, NOBODY, now).code, now) == "unauthenticated"
    assert tried(db, book, NOBODY, "000000", now) == "unauthenticated"


def test_the_limit_passes_with_the_clock(db: ledger.Database, book: ledger.Book, now: dt.datetime) -> None:
    for minute in range(5):
        ask(db, book, ANN, now + dt.timedelta(minutes=minute))
    with db.tx("door") as tx:
        limited = otp.ask(tx, book, ANN, now + dt.timedelta(minutes=9), key=KEY)
    assert limited == otp.RateLimited(60)
    ask(db, book, ANN, now + dt.timedelta(minutes=10))


def test_twenty_codes_a_day_may_go_unused(db: ledger.Database, book: ledger.Book, now: dt.datetime) -> None:
    for n in range(20):
        ask(db, book, ANN, now + dt.timedelta(minutes=11 * n))
    with db.tx("door") as tx:
        limited = otp.ask(tx, book, ANN, now + dt.timedelta(hours=10), key=KEY)
    assert limited == otp.RateLimited(14 * 3600)


def test_signing_in_often_is_no_offence(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    for _ in range(8):
        assert tried(db, book, ANN, ask(db, book, ANN, now).code, now) == ann


def test_a_code_counts_in_its_own_book_only(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    code = ask(db, book, ANN, now)
    assert tried(db, other_book, ANN, code.code, now) == "unauthenticated"


def test_another_servers_key_opens_nothing(
    db: ledger.Database, book: ledger.Book, ann: people.Member, now: dt.datetime
) -> None:
    code = ask(db, book, ANN, now)
    with db.tx("door") as tx:
        assert otp.verify(tx, book, ANN, code.code, now, key=b"t" * 32) == otp.Unauthenticated()
