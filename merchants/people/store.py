"""The SQL of members, their devices and their one-time codes. One book's rows are never found through another book."""

import dataclasses
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

import ledger
from ledger.errors import LimitExceeded, NotFound, StateConflict
from merchants.people import members, numbers, spend_codes
from merchants.people.members import Device, DeviceRow, Enrolled, Member

#: Numbers are random: a second try is rare, a fifth never happens.
_TRIES: Final = 5

#: The first half of the advisory lock of one telephone's codes; the second is the telephone's hash.
_PHONE_LOCK: Final = 0x4D4E50

_MEMBER: Final = "id, number, phone, kind, given_name, state, tier, spend_locked"
_DEVICE: Final = "id, member_id, name, enrolled_at, revoked_at"


# -- members (role door)


def enrol(
    tx: ledger.Tx,
    book: ledger.Book,
    *,
    phone: str,
    kind: str,
    given_name: str | None,
    family_name: str | None,
    language: str,
    consents: Mapping[str, bool],
    enrolled_by: UUID | None,
    now: datetime,
    confirm: bool = False,
) -> Enrolled | ledger.Refusal:
    """Make a member of `phone` (E.164), or find the one it is already: enrolling twice makes one member.

    A member who was there is returned without name and with nothing changed, so that enrolling is no way to look
    somebody up. `consents` are kept by purpose with the time they were given or declined; those that the member is to
    `confirm` are kept as asked and count as not given until then.
    """
    given_name, family_name = members.tidy(given_name), members.tidy(family_name)
    wrong = members.fault(
        phone=phone,
        kind=kind,
        given_name=given_name,
        family_name=family_name,
        language=language,
        consents=consents,
    )
    if wrong is not None:
        return wrong
    said: dict[str, dict[str, object]] = {
        purpose: {"given": given and not confirm, "at": now.isoformat()} | ({"asked": given} if confirm else {})
        for purpose, given in consents.items()
    }
    for _ in range(_TRIES):
        row = tx.execute(
            "insert into merchants.member (id, book_id, number, phone, kind, given_name, family_name, language, state,"
            " consents, enrolled_by, enrolled_at, confirmation_asked_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, 'active', %s, %s, %s, %s)"
            f" on conflict do nothing returning {_MEMBER}",
            [
                ledger.ids.new(),
                book.id,
                numbers.make(),
                phone,
                kind,
                given_name,
                family_name,
                language,
                Jsonb(said),
                enrolled_by,
                now,
                now if confirm else None,
            ],
        ).fetchone()
        if row is not None:
            return Enrolled(Member(*row), created=True)
        # the telephone is known, or (once in a hundred thousand million) the number is taken
        if (known := find(tx, book, phone=phone)) is not None:
            return Enrolled(dataclasses.replace(known, given_name=None), created=False)
    raise AssertionError("no free member number")


def confirm_consents(tx: ledger.Tx, book: ledger.Book, member_id: UUID, now: datetime) -> None:
    """The member's word for the consents asked at a counter: they count from now on. Once; again changes nothing."""
    tx.execute(
        "update merchants.member set confirmed_at = %(now)s, consents = coalesce((select jsonb_object_agg(key,"
        " case when value ? 'asked' then jsonb_build_object('given', value -> 'asked', 'at', %(at)s::text) else value end)"
        " from jsonb_each(consents)), '{}') where book_id = %(book)s and id = %(member)s"
        " and confirmation_asked_at is not null and confirmed_at is null",
        {"now": now, "at": now.isoformat(), "book": book.id, "member": member_id},
    )


def put_consents(
    tx: ledger.Tx, book: ledger.Book, member_id: UUID, consents: Mapping[str, bool], now: datetime
) -> ledger.Refusal | None:
    """What the member consents to from now on, purpose by purpose, by the member's own word. Others stay as they are."""
    said = {purpose: {"given": given, "at": now.isoformat()} for purpose, given in consents.items()}
    row = tx.execute(
        "update merchants.member set consents = consents || %(said)s where book_id = %(book)s and id = %(member)s"
        " and state <> 'left'"
        " and (select count(*) from jsonb_object_keys(consents || %(said)s)) <= %(most)s returning id",
        {"said": Jsonb(said), "book": book.id, "member": member_id, "most": members.LARGEST_CONSENTS},
    ).fetchone()
    if row is not None:
        return None
    found = find(tx, book, id=member_id)
    if found is None or found.state == "left":
        return NotFound("member")
    return ledger.errors.Invalid("/consents", f"at most {members.LARGEST_CONSENTS} purposes in all")


def change_phone(tx: ledger.Tx, book: ledger.Book, member_id: UUID, phone: str) -> ledger.Refusal | None:
    """Give a member another telephone (E.164), by which both were proven. Nobody else's is taken."""
    try:
        with tx.transaction():
            row = tx.execute(
                "update merchants.member set phone = %s where book_id = %s and id = %s and state = 'active' returning id",
                [phone, book.id, member_id],
            ).fetchone()
    except psycopg.errors.UniqueViolation:
        return StateConflict("phone", "taken")
    if row is not None:
        return None
    found = find(tx, book, id=member_id)
    return NotFound("member") if found is None or found.state == "left" else StateConflict("member", found.state)


def consents_of(tx: ledger.Tx, member_id: UUID) -> tuple[dict[str, dict[str, Any]], bool | None]:
    """A member's consents by purpose, and whether those asked at a counter are confirmed; None: none were."""
    row = tx.execute(
        "select consents, case when confirmation_asked_at is not null then confirmed_at is not null end"
        " from merchants.member where id = %s",
        [member_id],
    ).fetchone()
    return ({}, None) if row is None else (row[0], row[1])


def find(
    tx: ledger.Tx,
    book: ledger.Book,
    *,
    number: str | None = None,
    phone: str | None = None,
    id: UUID | None = None,
) -> Member | None:
    """The member with this number (as `numbers.read` gives it), telephone (E.164) or id: one of the three is given."""
    given = [(name, value) for name, value in (("number", number), ("phone", phone), ("id", id)) if value is not None]
    assert len(given) == 1, "one of number, phone, id"
    column, value = given[0]
    row = tx.execute(
        f"select {_MEMBER} from merchants.member where book_id = %s and {column} = %s", [book.id, value]
    ).fetchone()
    return None if row is None else Member(*row)


def set_spend_lock(tx: ledger.Tx, book: ledger.Book, member_id: UUID, locked: bool) -> Member | NotFound:
    """Lock the member's points against redemption, or unlock them."""
    row = tx.execute(
        f"update merchants.member set spend_locked = %s where book_id = %s and id = %s returning {_MEMBER}",
        [locked, book.id, member_id],
    ).fetchone()
    return NotFound("member") if row is None else Member(*row)


# -- members (posting path: role ledger)


def set_state(tx: ledger.Tx, book_id: int, member_id: UUID, state: str) -> None:
    """Freeze or unfreeze a member; the book's lock is held exclusively. Nobody comes back by it who left."""
    tx.execute(
        "update merchants.member set state = %s where book_id = %s and id = %s and state <> 'left'",
        [state, book_id, member_id],
    )


def members_by(
    tx: ledger.Tx, book_id: int, ids: Iterable[UUID] = (), numbers: Iterable[str] = (), phones: Iterable[str] = ()
) -> dict[UUID | str, Member]:
    """Members by what they were asked for: each id, each number and each telephone (E.164) that names one is a key."""
    wanted_ids, wanted_numbers, wanted_phones = set(ids), set(numbers), set(phones)
    found: dict[UUID | str, Member] = {}
    if wanted_ids:
        rows = tx.execute(
            f"select {_MEMBER} from merchants.member where book_id = %s and id = any(%s::uuid[])",
            [book_id, ledger.array(wanted_ids)],
        )
        found |= {row[0]: Member(*row) for row in rows.fetchall()}
    if wanted_numbers:
        rows = tx.execute(
            f"select {_MEMBER} from merchants.member where book_id = %s and number = any(%s::text[])",
            [book_id, ledger.array(wanted_numbers)],
        )
        found |= {row[1]: Member(*row) for row in rows.fetchall()}
    if wanted_phones:
        rows = tx.execute(
            f"select {_MEMBER} from merchants.member where book_id = %s and phone = any(%s::text[])",
            [book_id, ledger.array(wanted_phones)],
        )
        found |= {row[2]: Member(*row) for row in rows.fetchall()}
    return found


def devices_of(tx: ledger.Tx, book_id: int, members: Iterable[UUID]) -> list[DeviceRow]:
    """The live devices of `members`, locked in the order of their ids until the transaction ends.

    A posting that checks spend codes takes these before any account, so that a code consents once however many
    processes post.
    """
    wanted = list(set(members))
    if not wanted:
        return []
    rows = tx.execute(
        "select id, member_id, nonce, last_step from merchants.device"
        " where book_id = %s and member_id = any(%s::uuid[]) and revoked_at is null order by id for no key update",
        [book_id, ledger.array(wanted)],
    )
    return [DeviceRow(*row) for row in rows.fetchall()]


def use_steps(tx: ledger.Tx, steps: Iterable[tuple[UUID, int]]) -> None:
    """Note the steps whose codes were accepted; the devices are locked by `devices_of`. A step never goes back."""
    last: dict[UUID, int] = {}
    for device_id, step in steps:
        last[device_id] = max(step, last.get(device_id, 0))
    if last:
        tx.execute(
            "update merchants.device d set last_step = greatest(d.last_step, used.step)"
            " from unnest(%s::uuid[], %s::bigint[]) as used(id, step) where d.id = used.id",
            [ledger.array(last), ledger.array(last.values())],
        )


def wrong_codes(
    tx: ledger.Tx, book: ledger.Book, merchants: Iterable[UUID]
) -> Callable[[], dict[tuple[UUID, UUID], int]]:
    """Ask for the wrong spend codes lately shown by each of `merchants`, by (merchant, member); the answer when called for."""
    asked = set(merchants)
    if not asked:
        return dict
    rows = tx.execute(
        "select merchant_id, member_id, times from merchants.wrong_spend_code"
        " where merchant_id = any(%s::uuid[]) and since > %s",
        [ledger.array(asked), book.now - spend_codes.LOCK_TIME],
    )
    return lambda: {(row[0], row[1]): row[2] for row in rows.fetchall()}


def count_wrong_codes(tx: ledger.Tx, book: ledger.Book, wrong: Mapping[tuple[UUID, UUID], int]) -> None:
    """Add wrong spend codes to their counts; a count older than the lock begins anew."""
    if not wrong:
        return
    pairs = sorted(wrong)
    tx.execute(
        "insert into merchants.wrong_spend_code as w (book_id, merchant_id, member_id, times, since)"
        " select %(book)s, merchant_id, member_id, times, %(now)s"
        " from unnest(%(merchants)s::uuid[], %(members)s::uuid[], %(times)s::int[]) as new(merchant_id, member_id, times)"
        " on conflict (merchant_id, member_id) do update set"
        " times = case when w.since > %(begun)s then w.times + excluded.times else excluded.times end,"
        " since = case when w.since > %(begun)s then w.since else excluded.since end",
        {
            "book": book.id,
            "now": book.now,
            "begun": book.now - spend_codes.LOCK_TIME,
            "merchants": ledger.array(m for m, _ in pairs),
            "members": ledger.array(m for _, m in pairs),
            "times": ledger.array(wrong[pair] for pair in pairs),
        },
    )


# -- devices (role door)


def enrol_device(
    tx: ledger.Tx, book: ledger.Book, member_id: UUID, name: str, spend_key: bytes, now: datetime
) -> tuple[Device, str] | ledger.Refusal:
    """Give a member's device its spend secret: returned here once, and never stored."""
    label = members.tidy(name)
    if label is None or not members.fit(label):
        return ledger.errors.Invalid("/name", f"must have 1 to {members.LONGEST_NAME} characters")
    owner = tx.execute(
        "select state from merchants.member where book_id = %s and id = %s for no key update", [book.id, member_id]
    ).fetchone()
    if owner is None:
        return NotFound("member")
    if owner[0] != "active":
        return StateConflict("member", owner[0])
    live = sum(device.revoked_at is None for device in list_devices(tx, book, member_id))
    if live >= members.LARGEST_DEVICES:
        return LimitExceeded("devices", members.LARGEST_DEVICES, live + 1)
    device_id, nonce = ledger.ids.new(), secrets.token_bytes(spend_codes.NONCE_BYTES)
    tx.execute(
        "insert into merchants.device (id, book_id, member_id, name, nonce, enrolled_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        [device_id, book.id, member_id, label, nonce, now],
    )
    device = Device(device_id, member_id, label, now, None)
    return device, spend_codes.secret(spend_key, device_id, nonce)


def list_devices(tx: ledger.Tx, book: ledger.Book, member_id: UUID) -> list[Device]:
    """A member's devices, the newest first, revoked ones included; the last 100."""
    rows = tx.execute(
        f"select {_DEVICE} from merchants.device where book_id = %s and member_id = %s order by id desc limit 100",
        [book.id, member_id],
    )
    return [Device(*row) for row in rows]


def revoke_device(
    tx: ledger.Tx, book: ledger.Book, member_id: UUID, device_id: UUID, now: datetime
) -> Device | NotFound:
    """End a device: its codes consent to nothing from the next posting on. Ending it again changes nothing."""
    row = tx.execute(
        "update merchants.device set revoked_at = coalesce(revoked_at, %s)"
        f" where book_id = %s and member_id = %s and id = %s returning {_DEVICE}",
        [now, book.id, member_id, device_id],
    ).fetchone()
    return NotFound("device") if row is None else Device(*row)


# -- one-time codes (role door)


def lock_phone(tx: ledger.Tx, book_id: int, phone: str) -> None:
    """Only one transaction at a time asks for or tries the codes of a telephone: the counts below are exact."""
    tx.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [_PHONE_LOCK, f"{book_id} {phone}"])


def unanswered_codes(tx: ledger.Tx, book_id: int, phone: str, since: datetime, most: int) -> list[datetime]:
    """When codes were asked for after `since` that were not used, the newest first, at most `most`."""
    rows = tx.execute(
        "select asked_at from merchants.one_time_code"
        " where book_id = %s and phone = %s and asked_at > %s and used_at is null order by asked_at desc limit %s",
        [book_id, phone, since, most],
    )
    return [row[0] for row in rows]


def add_code(
    tx: ledger.Tx,
    book_id: int,
    *,
    id: UUID,
    phone: str,
    code_hash: bytes,
    shown_code: str | None,
    now: datetime,
    life: timedelta,
    purpose: str,
) -> None:
    tx.execute(
        "insert into merchants.one_time_code (id, book_id, phone, code_hash, shown_code, asked_at, expires_at, purpose)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [id, book_id, phone, code_hash, shown_code, now, now + life, purpose],
    )


def newest_code(tx: ledger.Tx, book_id: int, phone: str, purpose: str) -> tuple[Any, ...] | None:
    """(id, code hash, tries, expires at, used at) of a telephone's last code for a purpose. Ids are in order of time."""
    return tx.execute(
        "select id, code_hash, tries, expires_at, used_at from merchants.one_time_code"
        " where book_id = %s and phone = %s and purpose = %s order by asked_at desc, id desc limit 1",
        [book_id, phone, purpose],
    ).fetchone()


def count_try(tx: ledger.Tx, code_id: UUID) -> None:
    tx.execute("update merchants.one_time_code set tries = tries + 1 where id = %s", [code_id])


def use_code(tx: ledger.Tx, code_id: UUID, now: datetime) -> None:
    tx.execute("update merchants.one_time_code set used_at = %s, shown_code = null where id = %s", [now, code_id])
