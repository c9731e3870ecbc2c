"""Live: who listens is told of what is posted, here or at another process, once and in order, and misses nothing."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from starlette.types import Message

from deploy import postgres
from gateway import callers, live, streams
from tests.gateway.network import Api, Member, new_key
from tests.gateway.two_doors import TwoDoors, opened
from tests.redis_server import RedisServer

_phones = itertools.count(1)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    made = RedisServer()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def house(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory, redis: RedisServer
) -> Iterator[TwoDoors]:
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"create database manex_live template {template}")
    with opened(server.dsn("manex_live"), tmp_path_factory.mktemp("live"), redis.url) as made:
        yield made


@pytest.fixture
def ann(house: TwoDoors) -> Member:
    return house.api.member(f"+1555020{next(_phones):04d}")


def sell(house: TwoDoors, door: int, member: Member | None, amount: int = 1_000, shop: str = "cafe") -> int:
    """A sale at one of the processes; the points it earned."""
    body = house.api.sale(member, amount, shop)
    status, told, _ = house.send(door, "POST", "/v1/sales", house.api.shops[shop].key, body, new_key())
    assert status == 200, told
    return int(told["earn"]["points"])


def test_a_member_hears_of_a_sale_at_the_other_process(house: TwoDoors, ann: Member) -> None:
    with house.listen(0, "/v1/me/events", ann.token) as listening:
        assert listening.status == 200
        assert listening.answer.headers["Content-Type"] == "text/event-stream"
        assert listening.answer.headers["Cache-Control"] == "no-store"
        ready = listening.next()
        assert ready is not None
        assert (ready.name, ready.data) == ("ready", {"sequence": ready.id})
        quickest, heard = 10.0, ready
        for n in range(1, 6):
            began = time.monotonic()
            sell(house, 1, ann)
            (heard,) = listening.many(1)
            quickest = min(quickest, time.monotonic() - began)
            assert (heard.name, heard.data["kind"], heard.data["available"]) == ("balance", "sale", 10 * n)
        assert house.api.done("GET", "/v1/me/balance", by=ann.token) | {"kind": "sale"} == heard.data
        assert quickest < live.LOOK_SECONDS / 2, "told through Redis, and not found by looking"


def test_a_member_hears_of_one_here_and_of_nobody_elses(house: TwoDoors, ann: Member) -> None:
    bob = house.api.member(f"+1555020{next(_phones):04d}")
    with house.listen(0, "/v1/me/events", ann.token) as listening:
        listening.next()
        sell(house, 0, bob)
        sell(house, 0, None)
        sell(house, 0, ann, 700)
        heard = listening.next()
        assert heard is not None
        assert heard.data["available"] == 7


def test_without_redis_it_is_found_by_looking(house: TwoDoors, ann: Member, redis: RedisServer) -> None:
    redis.kill()
    try:
        with house.listen(0, "/v1/me/events", ann.token) as listening:
            listening.next()
            began = time.monotonic()
            sell(house, 1, ann)
            heard = listening.next()
            assert heard is not None
            assert heard.data["available"] == 10
            assert time.monotonic() - began < live.LOOK_SECONDS + 2
    finally:
        redis.start()


def test_a_merchant_hears_of_its_records_as_it_reads_them(house: TwoDoors, ann: Member) -> None:
    cafe, grocer = (house.api.shops[name].key for name in ("cafe", "grocer"))
    with house.listen(0, "/v1/position/events", cafe) as listening:
        assert (first := listening.next()) is not None
        assert first.name == "ready"
        sell(house, 1, ann, shop="grocer")
        sell(house, 1, ann)
        sell(house, 0, None)
        heard = listening.many(2)
    assert [event.name for event in heard] == ["record", "record"]
    assert heard[0].id < heard[1].id
    for event in heard:
        assert house.send(1, "GET", f"/v1/records/{event.data['id']}", cafe)[1] == event.data
        assert house.send(1, "GET", f"/v1/records/{event.data['id']}", grocer)[0] == 404


def test_who_was_cut_off_goes_on_where_it_was(house: TwoDoors, ann: Member) -> None:
    with house.listen(0, "/v1/me/events", ann.token) as listening:
        listening.next()
        sell(house, 0, ann)
        seen = listening.next()
        assert seen is not None
    missed = [sell(house, i, ann) for i in range(4)]
    sell(house, 0, None)
    # at another process, from the id alone
    with house.listen(1, "/v1/me/events", ann.token, after=seen.id) as again:
        told = again.many(5)
        assert [event.name for event in told] == ["balance"] * 4 + ["ready"]
        assert [event.id for event in told] == sorted({event.id for event in told})
        assert told[0].id > seen.id
        assert told[3].data["available"] == 10 + sum(missed)
        sell(house, 0, ann)
        last = again.next()
        assert last is not None
        assert last.data["available"] == 20 + sum(missed)
    with house.listen(0, "/v1/me/events", ann.token, after=last.id) as nothing_missed:
        assert (ready := nothing_missed.next()) is not None
        assert (ready.name, ready.id) == ("ready", last.id)


def test_a_place_that_was_never_given_or_is_too_far_back_begins_anew(house: TwoDoors, ann: Member) -> None:
    with house.listen(0, "/v1/me/events", ann.token, after=10**17) as listening:
        told = listening.many(2)
    assert [event.name for event in told] == ["reset", "ready"]
    assert told[0].id == told[1].id == told[0].data["sequence"]
    sales = [house.api.sale(ann, 100) for _ in range(201)]
    operations = [{"operation": "sale", "idempotency_key": new_key(), "body": sale} for sale in sales]
    house.api.done("POST", "/v1/batches", {"operations": operations}, by=house.api.shops["cafe"].key)
    with house.listen(0, "/v1/me/events", ann.token, after=told[0].id) as listening:
        assert [event.name for event in listening.many(2)] == ["reset", "ready"]
    with house.listen(0, "/v1/me/events", ann.token, after=told[0].id + 1) as listening:
        events = listening.many(201)
        assert [event.name for event in events] == ["balance"] * 200 + ["ready"]
        assert [event.id for event in events[:-1]] == list(range(told[0].id + 2, told[0].id + 202))


def test_everything_is_heard_once_and_in_order_while_both_post(house: TwoDoors, ann: Member) -> None:
    """Cut off and connected again in the middle, now here, now there."""
    cafe = house.api.shops["cafe"].key
    with house.listen(0, "/v1/position/events", cafe) as first:
        ready = first.next()
        assert ready is not None
    sellers = [
        threading.Thread(target=lambda door=door: [sell(house, door, ann) for _ in range(40)]) for door in (0, 1)
    ]
    for seller in sellers:
        seller.start()
    heard: list[int] = []
    last = ready.id
    for turn in range(40):
        with house.listen(turn % 2, "/v1/position/events", cafe, after=last) as listening:
            for _ in range(3 + turn):
                event = listening.next()
                assert event is not None
                last = event.id
                if event.name == "record":
                    heard.append(event.id)
                assert event.name != "reset"
                if len(heard) == 80:
                    break
        if len(heard) == 80:
            break
    for seller in sellers:
        seller.join()
    assert len(heard) == 80
    assert heard == sorted(set(heard))


def test_a_stream_ends_with_its_key(house: TwoDoors, ann: Member) -> None:
    key = house.api.restricted("cafe", "position:read")
    with house.listen(0, "/v1/position/events", key) as listening:
        listening.next()
        house.revoke(key)
        assert listening.next() is None


def test_nothing_is_told_to_a_key_that_was_revoked_whoever_failed_to_say_so(house: TwoDoors, ann: Member) -> None:
    key = house.api.restricted("cafe", "position:read")
    with house.listen(0, "/v1/position/events", key) as listening:
        listening.next()
        house.revoke(key, told=False)
        time.sleep(1.1)
        sell(house, 1, ann)
        assert listening.next() is None


def test_one_caller_has_so_many_streams(house: TwoDoors, ann: Member) -> None:
    streams = [house.listen(0, "/v1/me/events", ann.token) for _ in range(live.PER_CALLER + 1)]
    try:
        assert [stream.status for stream in streams] == [200] * live.PER_CALLER + [429]
        assert int(streams[-1].answer.headers["Retry-After"]) > 0
        assert house.metric(0, "manex_live_streams") == live.PER_CALLER
    finally:
        for stream in streams:
            stream.close()
    deadline = time.monotonic() + 10
    while house.metric(0, "manex_live_streams"):
        assert time.monotonic() < deadline, "a stream whose client is gone is not forgotten"
        time.sleep(0.05)
    with house.listen(0, "/v1/me/events", ann.token) as again:
        assert again.status == 200


def test_who_does_not_read_is_dropped(house: TwoDoors, ann: Member) -> None:
    """A client that takes nothing: its buffers fill, and its connection is cut."""
    cafe = house.api.shops["cafe"].key
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    deaf.connect(("127.0.0.1", house.ports[0]))
    with deaf:
        deaf.sendall(
            b"GET /v1/position/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + cafe.encode() + b"\r\n\r\n"
        )
        began = time.monotonic()
        while house.metric(0, "manex_live_streams") != 1:
            assert time.monotonic() - began < 10
        while house.metric(0, "manex_live_streams"):
            assert time.monotonic() - began < 60
            operations = [
                {"operation": "sale", "idempotency_key": new_key(), "body": house.api.sale(ann, 100)}
                for _ in range(400)
            ]
            house.api.done("POST", "/v1/batches", {"operations": operations}, by=cafe)


def test_streams_end_when_the_process_is_told_to_stop(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(database_url, tmp_path_factory.mktemp("stop")) as doors:
        ann = doors.api.member()
        with doors.listen(0, "/v1/me/events", ann.token) as listening:
            listening.next()
            began = time.monotonic()
            doors.processes[0].terminate()
            assert listening.next() is None
            assert doors.processes[0].wait(timeout=20) is not None
            assert time.monotonic() - began < 10


def test_the_head_of_a_stream_is_told_without_the_stream(house: TwoDoors, ann: Member) -> None:
    answer = house.api.client.head("/v1/me/events", headers={"Authorization": f"Bearer {ann.token}"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert house.api.server.live.streams == 0


# -- in this process


class Driven:
    """A stream of the application in this process: what it has sent so far."""

    def __init__(self, api: Api, path: str, by: str) -> None:
        self.sent: list[Message] = []
        self._over = asyncio.Event()
        asked = [{"type": "http.request", "body": b""}]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"authorization", f"Bearer {by}".encode())],
            "client": ("203.0.113.7", 40_000),
            "server": ("testserver", 80),
        }

        async def receive() -> Message:
            if asked:
                return asked.pop()
            await self._over.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.sent.append(message)

        portal = api.client.portal
        assert portal is not None
        self._portal = portal
        self._running = portal.start_task_soon(api.client.app, scope, receive, send)

    def events(self, count: int) -> list[str]:
        """The names of the first `count` events."""
        deadline = time.monotonic() + 10
        while True:
            text = b"".join(message.get("body", b"") for message in list(self.sent)).decode()
            names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
            if len(names) >= count:
                return names
            assert time.monotonic() < deadline, names
            time.sleep(0.02)

    def end(self) -> None:
        self._portal.call(self._over.set)
        self._running.result(10)


def test_a_follower_left_behind_reads_again_from_where_it_was(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FARTHEST", 3)
    cafe = api.shops["cafe"].key
    driven = Driven(api, "/v1/position/events", cafe)
    assert driven.events(1) == ["ready"]
    operations = [{"operation": "sale", "idempotency_key": new_key(), "body": api.sale()} for _ in range(10)]
    api.done("POST", "/v1/batches", {"operations": operations}, by=cafe)
    assert driven.events(12) == ["ready", *["record"] * 10, "ready"]
    api.sell()
    assert driven.events(13)[-1] == "record"
    driven.end()
    assert api.server.live.streams == 0


def test_a_process_has_so_many_streams_and_none_while_it_closes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    cafe = api.shops["cafe"].key
    driven = Driven(api, "/v1/position/events", cafe)
    driven.events(1)
    monkeypatch.setattr(live, "PER_PROCESS", 1)
    refused = api.call("GET", "/v1/position/events", by=cafe)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    api.server.closing = True
    driven._running.result(10)
    assert driven.sent[-1] == {"type": "http.response.body", "body": b""}
    assert api.call("GET", "/v1/position/events", by=cafe).status_code == 503


def test_a_quiet_stream_beats_and_ends_in_its_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.1)
    # the token's last half second
    ends_at = time.time() + 0.5
    monkeypatch.setattr(callers, "expires_at", lambda *_: ends_at)
    ann = api.member()
    ends_at = time.time() + 0.5
    driven = Driven(api, "/v1/me/events", ann.token)
    driven._running.result(10)
    assert 0.3 < time.time() - ends_at + 0.5 < 5
    bodies = [message.get("body") for message in driven.sent[1:]]
    assert bodies.count(b": \n\n") >= 2
    assert bodies[-1] == b""


def test_a_member_who_left_has_no_stream(api: Api) -> None:
    ann = api.member()
    driven = Driven(api, "/v1/me/events", ann.token)
    driven.events(1)
    with psycopg.connect(api.url, autocommit=True) as conn:
        conn.execute("update merchants.member set state = 'left'")
    assert api.call("GET", "/v1/me/events", by=ann.token).json()["code"] == "not_found"
    driven.end()


def test_a_member_hears_what_a_shop_asks_and_what_becomes_of_it(house: TwoDoors, ann: Member) -> None:
    sell(house, 0, ann)
    key = house.api.shops["cafe"].key

    def ask() -> str:
        body = {
            name: value for name, value in house.api.redemption(ann, 4, capture=True).items() if name != "spend_code"
        }
        status, told, _ = house.send(1, "POST", "/v1/redemptions", key, body, new_key())
        assert (status, told["state"]) == (200, "awaiting_approval")
        return str(told["id"])

    with house.listen(0, "/v1/me/events", ann.token) as listening:
        ready = listening.next()
        assert ready is not None
        first = ask()
        asked, balance = listening.many(2)
        assert (asked.name, asked.data["kind"], asked.data["state"]) == (
            "approval",
            "approval_asked",
            "awaiting_approval",
        )
        assert (asked.data["id"], asked.data["points"], asked.id) == (first, 4, ready.id)
        assert (balance.name, balance.data["available"]) == ("balance", 10)
        path = f"/v1/me/redemptions/{first}/approve"
        assert house.send(1, "POST", path, ann.token, {}, new_key())[0] == 200
        held = listening.many(3)
        assert [event.name for event in held] == ["approval", "balance", "balance"]
        assert (held[0].data["state"], held[0].data["kind"], held[2].data["available"]) == ("approved", "hold", 6)
        second = ask()
        listening.many(2)
        assert house.send(1, "POST", f"/v1/redemptions/{second}/void", key, {}, new_key())[0] == 200
        ended, last = listening.many(2)
        assert (ended.data["id"], ended.data["state"]) == (second, "withdrawn")
    third = ask()
    # cut off meanwhile: what was missed is told, and the list tells what awaits
    with house.listen(0, "/v1/me/events", ann.token, after=last.id) as listening:
        missed = listening.many(3)
        assert [event.name for event in missed] == ["approval", "balance", "ready"]
    listed = house.api.done("GET", "/v1/me/redemptions?state=awaiting_approval", by=ann.token)["data"]
    assert [each["id"] for each in listed] == [third]


def test_a_member_hears_of_a_tier(house: TwoDoors, ann: Member) -> None:
    key, vip = house.api.shops["cafe"].key, {"id": "vip", "name": {"fa": "ویژه", "en": "VIP"}}
    ladder = {"period": {"rolling_days": 30}, "tiers": [vip]}
    assert house.send(1, "POST", "/v1/ladders", key, ladder, new_key())[0] == 200
    clock = f"/v1/operator/books/{house.api.book}/test-clock"
    with house.listen(0, "/v1/me/events", ann.token) as listening:
        listening.next()
        by_hand = {"tier": "vip", "reason": "a friend"}
        assert house.send(1, "POST", f"/v1/members/{ann.id}/tier", key, by_hand, new_key())[0] == 200
        now = house.api.clock().isoformat()
        assert house.send(1, "POST", clock, house.api.maker, {"advance_to": now}, new_key())[0] == 200
        events = listening.many(3)
    assert [event.name for event in events] == ["balance", "standing", "balance"]
    told = events[1].data
    assert (told["kind"], told["tier"]["id"], told["merchant_name"]) == ("tier_changed", "vip", "cafe")
