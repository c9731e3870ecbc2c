"""Redis is stopped, killed, emptied and started again while tills sell and redeem at two gateways. No point knows of it."""

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pyotp
import pytest

from deploy import keys
from ledger import ids
from merchants import people
from tests.gateway.network import Member, new_key
from tests.gateway.two_doors import TwoDoors, opened
from tests.redis_server import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


def codes(doors: TwoDoors, home: Path, member: Member, many: int) -> list[str]:
    """Spend codes of `many` phones of one member, made now. More phones than the product allows: a crowd of tills."""
    made: list[str] = []
    spend_key = keys.load(home).spend
    with psycopg.connect(doors.api.url, autocommit=True) as conn:
        for _ in range(many):
            device, nonce = ids.new(), os.urandom(people.spend_codes.NONCE_BYTES)
            conn.execute(
                "insert into merchants.device (id, book_id, member_id, name, nonce, enrolled_at)"
                " select %s, book_id, id, 'phone', %s, enrolled_at from merchants.member where id = %s",
                [device, nonce, ids.read("member", member.id)],
            )
            made.append(people.spend_codes.secret(spend_key, device, nonce))
    now = doors.api.clock()
    return [pyotp.TOTP(secret).at(now) for secret in made]


def weather(redis: RedisServer, calm: threading.Event) -> None:
    while not calm.is_set():
        redis.pause()
        calm.wait(0.4)
        redis.go_on()
        redis.empty()
        calm.wait(0.3)
        redis.kill()
        calm.wait(0.4)
        redis.start()
        calm.wait(1.5)


def test_no_point_is_lost_or_doubled_by_what_becomes_of_redis(
    database_url: str, tmp_path: Path, redis: RedisServer
) -> None:
    with contextlib.ExitStack() as stack:
        doors = stack.enter_context(opened(database_url, tmp_path, redis.url))
        api = doors.api
        cafe, grocer = api.shops["cafe"].key, api.shops["grocer"].key
        crowd = [api.member(f"+1555030{n:04d}") for n in range(2)]
        for member in crowd:
            api.sell(member, 50_000)
        sendings: list[tuple[Member, str, Any, str, str]] = []
        for member in crowd:
            sendings += [
                (member, "/v1/redemptions", api.redemption(member, 7, spend_code=code, capture=True), cafe, new_key())
                for code in codes(doors, tmp_path, member, 30)
            ]
            sendings += [(member, "/v1/sales", api.sale(member, 1_000, "grocer"), grocer, new_key()) for _ in range(40)]
        random.Random(7).shuffle(sendings)
        calm = threading.Event()
        storm = threading.Thread(target=weather, args=(redis, calm))
        ends_at = time.monotonic() + 5

        def send(numbered: tuple[int, tuple[Member, str, Any, str, str]]) -> tuple[Member, int, Any]:
            number, (member, path, body, by, key) = numbered
            # the storm takes its time, and so do the tills
            time.sleep(max(0.0, ends_at - 5 + 5 * number / len(sendings) - time.monotonic()))
            first = doors.send(number, "POST", path, by, body, key)
            if number % 3 == 0:  # as if the answer had not come
                again = doors.send(number + 1, "POST", path, by, body, key)
                assert (again[0], again[1]) == (first[0], first[1])
                assert again[2]["idempotent-replayed"] == "true"
            return member, first[0], first[1]

        streams = [
            stack.enter_context(doors.listen(i, "/v1/me/events", member.token, seconds=20))
            for i, member in enumerate(crowd)
        ]
        begun = [stream.next() for stream in streams]
        storm.start()
        with ThreadPoolExecutor(8) as tills:
            answers = list(tills.map(send, enumerate(sendings)))
        calm.set()
        storm.join()

        assert Counter(status for _, status, _ in answers) == {200: len(sendings)}
        for stream, start in zip(streams, begun, strict=True):
            assert start is not None
            # each of the member's operations, once: a redemption in one step is a hold and a capture
            told = stream.many(40 + 30 * 2)
            assert Counter(event.data["kind"] for event in told) == {"sale": 40, "hold": 30, "capture": 30}
            assert [event.id for event in told] == sorted({event.id for event in told})
            assert told[-1].data["available"] == 500 + 40 * 10 - 30 * 7
        for member in crowd:
            wallet = api.done("GET", "/v1/me/balance", by=member.token)
            assert (wallet["available"], wallet["held"], wallet["owed"]) == (500 + 40 * 10 - 30 * 7, 0, 0)
        with psycopg.connect(database_url) as conn:
            counted: dict[str, int] = dict(
                conn.execute("select kind, count(*) from ledger.record group by 1").fetchall()
            )
        assert (counted["sale"], counted["capture"]) == (2 * 41, 2 * 30)
        assert sum(doors.metric(i, "manex_redis_fallbacks_total") for i in (0, 1)) > 0, "the storm was felt"
        doors.clean()
