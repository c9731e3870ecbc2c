"""A till's day without network, uploaded afterwards: whole, again, out of order, in pieces, through a gateway that dies."""

import contextlib
import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg

from deploy.commands.audit import audited
from ledger import ids
from tests.gateway.network import Api, Member, Shop, new_key
from tests.gateway.phone import Phone
from tests.stories.doors import Doors, gateway

_days = itertools.count(1)

Operation = dict[str, Any]
Send = Callable[[Sequence[Operation]], list[dict[str, Any]]]

#: What the day comes to, however it was sent.
END: dict[str, Any] = {
    # 300 from before, 100 - 75 from S-1, 9 from S-4; 80 and 40 - 30 spent of the vouchers, the hold came back
    "ann": (244, 0, 0),
    # 100 from before, 25 from S-3; the voucher came back, the hold was captured
    "bob": (95, 0, 0),
    "accepted": 120,
    "sales": [("S-1", 7_500, 75), ("S-2", 1_000, 0), ("S-3", 0, 0), ("S-4", 0, 0)],
    "redemptions": [
        ("H-1", 20, 0, "voided"),
        ("H-2", 30, 0, "captured"),
        ("R-1", 80, 0, "captured"),
        ("R-2", 40, 30, "captured"),
    ],
    "refunds": [("F-1", 5_000), ("F-2", 1_000), ("F-3", 30), ("F-4", 2_500)],
    "records": {"sale": 4, "hold": 5, "capture": 3, "void": 3, "refund": 3, "redemption_refund": 1},
}


def operation(kind: str, body: Any = None, **named: Any) -> Operation:
    return {"operation": kind, "idempotency_key": new_key(), "body": body or {}, **named}


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


@dataclass
class Day:
    """One till's day at a shop of its own: what was arranged while there was network, and what it queued without."""

    api: Api
    name: str = ""
    ann: Member = field(init=False)
    bob: Member = field(init=False)
    operations: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = next(_days)
        self.name = f"kiosk-{number}"
        self.api.open_shop(self.name)
        self.ann, self.bob = (self.api.member(f"+1555020{2 * number + i:04d}") for i in range(2))
        self.api.sell(self.ann, 30_000)
        self.api.sell(self.bob, 10_000)
        anns, bobs = Phone(self.ann), Phone(self.bob)
        paying, returned, unused = (
            anns.voucher(120, self.name),
            anns.voucher(40, self.name),
            bobs.voucher(50, self.name),
        )
        for member, points, reference in ((self.ann, 20, "H-1"), (self.bob, 30, "H-2")):
            held = self.api.redemption(member, points, self.name, external_reference=reference)
            self.api.done("POST", "/v1/redemptions", held, by=self.shop.key, key=new_key())
        self.operations = self.queued(anns, paying, returned, unused)

    @property
    def shop(self) -> Shop:
        return self.api.shops[self.name]

    def queued(self, phone: Phone, paying: Any, returned: Any, unused: Any) -> list[Operation]:
        def sale(reference: str, amount: int, member: Member | None = None, **more: Any) -> Operation:
            at = (self.api.clock() - timedelta(hours=5)).isoformat()
            body = self.api.sale(member, amount, self.name, external_reference=reference, occurred_at=at, **more)
            return operation("sale", body)

        def refund(reference: str, of: str, amount: int) -> Operation:
            return operation(
                "sale_refund", {"external_reference": reference, "amount": money(amount)}, sale_reference=of
            )

        points = {"type": "points", "redemption_reference": "R-1", "amount": money(80)}
        paid = [points, {"type": "cash", "amount": money(920)}]
        return [
            sale("S-1", 10_000, self.ann),
            sale("S-2", 4_000),
            refund("F-1", "S-1", 5_000),
            operation("redemption", phone.redemption(paying, 80, "R-1", self.name)),
            operation("void", redemption_reference="H-1"),
            sale("S-3", 2_500, self.bob),
            sale("S-4", 1_000, self.ann, payments=paid),
            operation("capture", redemption_reference="H-2"),
            refund("F-2", "S-2", 1_000),
            operation("redemption", phone.redemption(returned, 40, "R-2", self.name)),
            # of one that pays for no sale: those go in their order, since a refunded redemption pays for nothing
            operation("redemption_refund", {"external_reference": "F-3", "points": 30}, redemption_reference="R-2"),
            refund("F-4", "S-1", 2_500),
            operation("voucher_return", voucher=unused["id"]),
        ]

    def send(self, operations: Sequence[Operation]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.done(
            "POST", "/v1/batches", {"operations": list(operations)}, by=self.shop.key
        )["outcomes"]
        return found

    def end(self) -> dict[str, Any]:
        """What it came to, read from the books."""
        shop = ids.read("merchant", self.shop.id)
        with psycopg.connect(self.api.url) as conn:

            def rows(query: str) -> list[Any]:
                return conn.execute(query, {"shop": shop}).fetchall()

            return {
                "ann": self.wallet(self.ann),
                "bob": self.wallet(self.bob),
                "accepted": self.api.done("GET", "/v1/position", by=self.shop.key)["accepted_points"],
                "sales": rows(
                    "select external_reference, refunded_minor, points_taken_back from merchants.sale"
                    " where merchant_id = %(shop)s order by 1"
                ),
                "redemptions": rows(
                    "select d.external_reference, d.points, d.refunded_points, h.state from merchants.redemption d"
                    " join ledger.hold h on h.id = d.id where d.merchant_id = %(shop)s order by 1"
                ),
                "refunds": rows(
                    "select external_reference, amount_minor from merchants.refund where merchant_id = %(shop)s order by 1"
                ),
                "records": dict(
                    rows(
                        "select kind, count(*) from ledger.record where merchant_id = %(shop)s"
                        " and kind not in ('contract', 'terms') group by 1"
                    )
                ),
            }

    def sold(self) -> int:
        with psycopg.connect(self.api.url) as conn:
            shop = ids.read("merchant", self.shop.id)
            found = conn.execute("select count(*) from merchants.sale where merchant_id = %s", [shop]).fetchone()
        assert found is not None
        return int(found[0])

    def wallet(self, member: Member) -> tuple[int, int, int]:
        told = self.api.done("GET", "/v1/me/balance", by=member.token)
        return told["available"], told["held"], told["owed"]


def sent_until_done(pieces: Sequence[Sequence[Operation]], send: Send) -> dict[str, Any]:
    """Send pieces as a till does: what named something that is not there yet is sent again. The outcome by key."""
    done: dict[str, Any] = {}
    waiting = list(pieces)
    for _ in range(len(pieces) + 12):
        again = []
        for piece in waiting:
            outcomes = send(piece)
            for asked, outcome in zip(piece, outcomes, strict=True):
                key = asked["idempotency_key"]
                if outcome["status"] == 200:
                    assert done.setdefault(key, outcome["body"]) == outcome["body"], "the first answer, for ever"
                else:
                    assert (outcome["status"], outcome["body"]["code"]) == (404, "not_found"), outcome
            if any(outcome["status"] != 200 for outcome in outcomes):
                again.append(piece)
        waiting = again
        if not waiting:
            return done
    raise AssertionError("it never ended")


def clean(api: Api) -> None:
    report = audited(api.url)
    assert report.clean, [finding for finding in report.findings if not finding.ok]


def cut(operations: Sequence[Operation], rng: random.Random) -> list[list[Operation]]:
    """Any order, any pieces, some of them overlapping, some sent twice."""
    shuffled = list(operations)
    rng.shuffle(shuffled)
    places = sorted(rng.sample(range(1, len(shuffled)), rng.randint(0, 4)))
    pieces = [shuffled[a:b] for a, b in itertools.pairwise([0, *places, len(shuffled)])]
    for _ in range(rng.randint(0, 3)):
        some = rng.sample(shuffled, rng.randint(1, len(shuffled)))
        pieces.insert(rng.randint(0, len(pieces)), some)
    return pieces


def test_a_day_is_uploaded_whole_and_resent(api: Api) -> None:
    day = Day(api)
    first = day.send(day.operations)
    assert [outcome["status"] for outcome in first] == [200] * len(day.operations)
    assert day.end() == END
    again = day.send(day.operations)
    assert [(o["status"], o["replayed"], o["body"]) for o in again] == [(200, True, o["body"]) for o in first]
    assert day.end() == END
    # what the till's clock said is kept and decides nothing
    told = first[0]["body"]
    assert told["occurred_at"] < told["at"]
    clean(api)


def test_any_order_and_any_pieces_come_to_the_same(api: Api) -> None:
    rng = random.Random(1405)
    for _ in range(10):
        day = Day(api)
        done = sent_until_done(cut(day.operations, rng), day.send)
        assert len(done) == len(day.operations)
        assert day.end() == END
    clean(api)


def test_half_of_it_failing_spoils_nothing_of_the_rest(api: Api) -> None:
    day = Day(api)
    unknown = day.api.sale(None, 500, day.name, external_reference="S-9") | {"member": "mem_" + "0" * 32}
    spoilt = [
        operation("sale", unknown),
        operation("sale_refund", {"external_reference": "F-9", "amount": money(1)}, sale_reference="S-9"),
        operation("capture", redemption_reference="H-9"),
        operation("sale", day.operations[0]["body"]),
        {"operation": "void", "idempotency_key": new_key()},
    ]
    middle = len(day.operations) // 2
    outcomes = day.send([*day.operations[:middle], *spoilt, *day.operations[middle:]])
    refused = outcomes[middle : middle + len(spoilt)]
    assert [(o["status"], o["body"]["code"]) for o in refused] == [
        (404, "not_found"),
        (404, "not_found"),
        (404, "not_found"),
        (409, "duplicate_reference"),
        (422, "validation_failed"),
    ]
    pointers = [o["body"]["errors"][0]["pointer"] for o in refused]
    assert pointers == ["/member", "/sale_reference", "/redemption_reference", "/external_reference", "/redemption"]
    assert Counter(o["status"] for o in outcomes) == Counter({200: len(day.operations), 404: 3, 409: 1, 422: 1})
    assert day.end() == END
    # the member is known later, and the same two operations go through under their keys
    known = operation("sale", unknown | {"member": day.ann.number}) | {"idempotency_key": spoilt[0]["idempotency_key"]}
    assert [o["status"] for o in day.send([known, spoilt[1]])] == [200, 200]
    clean(api)


def test_what_is_redeemed_in_a_batch_is_captured_voided_and_given_back_in_it(api: Api) -> None:
    ann, bob = api.member(), api.member("+15550100124")
    api.sell(ann, 20_000)
    api.sell(bob, 20_000, "grocer")
    operations = [
        operation("redemption", api.redemption(ann, 50, external_reference="R-1", capture=True)),
        operation("redemption_refund", {"external_reference": "F-1", "points": 20}, redemption_reference="R-1"),
        operation("redemption_refund", {"external_reference": "F-2"}, redemption_reference="R-1"),
        operation("redemption_refund", {"external_reference": "F-3"}, redemption_reference="R-1"),
        operation("redemption", api.redemption(bob, 70, external_reference="R-2")),
        operation("redemption_refund", {"external_reference": "F-4"}, redemption_reference="R-2"),
        operation("capture", redemption_reference="R-2"),
        operation("void", redemption_reference="R-2"),
        operation("redemption_refund", {"external_reference": "F-5", "points": 1}, redemption_reference="R-2"),
    ]
    told = []
    for _ in range(2):
        answer = api.done("POST", "/v1/batches", {"operations": operations}, by=api.shops["cafe"].key)
        told.append([(o["status"], o["body"]) for o in answer["outcomes"]])
    assert told[0] == told[1]
    assert [(status, body.get("code") or body["points"]) for status, body in told[0]] == [
        (200, 50),
        (200, 20),
        (200, 30),
        (422, "refund_exceeds_original"),
        (200, 70),
        (409, "state_conflict"),
        (200, 70),
        (409, "state_conflict"),
        (200, 1),
    ]
    clean(api)


def test_a_refund_in_the_batch_of_its_sale_leaves_a_debt_that_the_batch_repays(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 3_000, "grocer")
    cafe = api.shops["cafe"].key
    held = api.redemption(ann, 30, external_reference="H-1")
    api.done("POST", "/v1/redemptions", held, by=cafe, key=new_key())
    api.advance((api.clock() + timedelta(minutes=1)).isoformat())
    operations = [
        operation("sale", api.sale(ann, 5_000, external_reference="S-1")),
        operation("redemption", api.redemption(ann, 40, external_reference="R-1", capture=True)),
        operation("sale_refund", {"external_reference": "F-1", "amount": money(5_000)}, sale_reference="S-1"),
        operation("void", redemption_reference="H-1"),
        operation("sale", api.sale(ann, 2_000, external_reference="S-2")),
    ]
    outcomes = api.done("POST", "/v1/batches", {"operations": operations}, by=cafe)["outcomes"]
    assert [o["status"] for o in outcomes] == [200] * 5
    assert (outcomes[2]["body"]["returned"], outcomes[2]["body"]["owed"]) == (10, 40)
    balance = api.done("GET", "/v1/me/balance", by=ann.token)
    assert (balance["available"], balance["owed"], balance["held"]) == (10, 0, 0)
    clean(api)


def test_points_that_expired_while_held_go_every_way_in_one_batch(api: Api) -> None:
    ann = api.member()
    api.sell(ann, 3_000, "grocer")
    phone = Phone(ann)
    api.advance("2017-12-31T00:00:00Z")
    voucher = phone.voucher(30)
    api.advance("2018-01-02T00:00:00Z")
    api.sell(ann, 1_000)
    operations = [
        operation("redemption", phone.redemption(voucher, 10, "V-1")),
        operation("redemption", api.redemption(ann, 5, external_reference="R-1", capture=True)),
        operation("redemption_refund", {"external_reference": "F-1"}, redemption_reference="V-1"),
        operation("redemption_refund", {"external_reference": "F-2"}, redemption_reference="R-1"),
    ]
    outcomes = api.done("POST", "/v1/batches", {"operations": operations}, by=api.shops["cafe"].key)["outcomes"]
    # what was not spent expires with the next look; what was, and comes back, has grace
    assert [o["body"]["balance"]["available"] for o in outcomes] == [30, 5, 15, 20]
    clean(api)


def test_an_operation_is_another_when_it_names_another(api: Api) -> None:
    """By reference or by id is part of what a key means."""
    day = Day(api)
    first = day.send(day.operations)
    void = day.operations[4]
    key = {"operation": "void", "idempotency_key": void["idempotency_key"], "body": {}}
    for named in ({"redemption_reference": "H-2"}, {"redemption": first[4]["body"]["id"]}):
        (outcome,) = day.send([key | named])
        assert (outcome["status"], outcome["body"]["code"]) == (422, "idempotency_key_reused")
    # and with slashes, blanks and per cents in it, a reference is that reference and no path
    odd = "../S 1/%2F?#="
    sold = operation("sale", api.sale(None, 700, day.name, external_reference=odd))
    back = operation("sale_refund", {"external_reference": "F-7", "amount": money(700)}, sale_reference=odd)
    assert [o["status"] for o in day.send([sold, back])] == [200, 200]


def test_a_reference_names_only_ones_own(api: Api) -> None:
    day, other = Day(api), Day(api)
    day.send(day.operations)
    shop = api.shops[other.name]
    back = operation("sale_refund", {"external_reference": "F-1", "amount": money(1)}, sale_reference="S-1")
    (outcome,) = api.done("POST", "/v1/batches", {"operations": [back]}, by=shop.key)["outcomes"]
    assert (outcome["status"], outcome["body"]["errors"][0]["pointer"]) == (404, "/sale_reference")
    assert day.end() == END


def test_a_batch_of_a_thousand_is_split_over_commits_and_names_across_them(api: Api) -> None:
    shop = api.open_shop("bazaar")
    ann = api.member("+15550300001")
    sold = [operation("sale", api.sale(ann, 200, "bazaar", external_reference=f"S-{i}")) for i in range(500)]
    back = [
        operation("sale_refund", {"external_reference": f"F-{i}", "amount": money(100)}, sale_reference=f"S-{i}")
        for i in range(500)
    ]
    for _ in range(2):
        outcomes = api.done("POST", "/v1/batches", {"operations": sold + back}, by=shop.key)["outcomes"]
        assert Counter(o["status"] for o in outcomes) == Counter({200: 1_000})
        assert api.done("GET", "/v1/me/balance", by=ann.token)["available"] == 500
    clean(api)


# -- through two gateways, one of which may die


def at_gateway(doors: Doors, number: int, shop: Shop) -> Send:
    def send(operations: Sequence[Operation]) -> list[dict[str, Any]]:
        status, raw, _ = doors.send(number, "/v1/batches", {"operations": list(operations)}, shop.key)
        assert status == 200, raw
        found: list[dict[str, Any]] = json.loads(raw)["outcomes"]
        return found

    return send


def test_overlapping_pieces_from_two_threads_at_two_gateways(doors: Doors) -> None:
    rng = random.Random(7)
    for _ in range(4):
        day = Day(doors.api)
        with ThreadPoolExecutor(2) as threads:
            sendings = [
                threads.submit(
                    sent_until_done, [*cut(day.operations, rng), day.operations], at_gateway(doors, i, day.shop)
                )
                for i in range(2)
            ]
            first, second = (sending.result() for sending in sendings)
        assert first == second
        assert day.end() == END
    doors.clean()


def test_a_gateway_is_killed_in_the_middle_and_the_day_is_sent_again(doors: Doors) -> None:
    # after its first sale alone, while it works, and when the first of its two commits is seen
    for sales, wait in ((1, 0.02), (1, 0.2), (2, 0), (2, 0)):
        day = Day(doors.api)
        # many small sales around it, so that the day takes more than one commit
        sold = [operation("sale", day.api.sale(None, 100, day.name, external_reference=f"X-{i}")) for i in range(700)]
        everything = [*sold[:350], *day.operations, *sold[350:]]
        with gateway(doors.api.url, doors.home) as doomed:
            doors.gateways.append(doomed)
            doors.send(2, "/v1/batches", {"operations": sold[:1]}, day.shop.key)  # it is up
            hit = threading.Thread(target=_sent_in_vain, args=(doors, day, everything))
            hit.start()
            time.sleep(wait)
            while day.sold() < sales and hit.is_alive():
                time.sleep(0.002)
            doomed.process.kill()
            hit.join()
            doors.gateways.remove(doomed)
        sent_until_done([everything], at_gateway(doors, 0, day.shop))
        end = day.end()
        assert [sale for sale in end["sales"] if sale[0].startswith("X-")] == sorted(
            (f"X-{i}", 0, 0) for i in range(700)
        )
        end["sales"] = [sale for sale in end["sales"] if not sale[0].startswith("X-")]
        end["records"]["sale"] -= 700
        assert end == END
    doors.clean()


def _sent_in_vain(doors: Doors, day: Day, operations: list[Operation]) -> None:
    """The gateway is gone before, while or after it answers."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        doors.send(2, "/v1/batches", {"operations": operations}, day.shop.key)


def test_one_voucher_at_eight_tills_at_once_is_spent_once(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 50_000)
    phone = Phone(ann)
    voucher, cafe = phone.voucher(100, "grocer"), api.shops["grocer"].key
    bodies = [phone.redemption(voucher, 10 + i, shop="grocer") for i in range(8)]
    answers = doors.together([("/v1/redemptions", body, cafe, new_key()) for body in bodies])
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 7
    assert {json.loads(raw)["code"] for status, raw, _ in answers if status != 200} == {"code_already_used"}
    taken = next(json.loads(raw)["points"] for status, raw, _ in answers if status == 200)
    assert doors.wallet(ann)["available"] == 500 - taken
    doors.clean()


def test_one_spend_sent_by_eight_tills_under_eight_keys_is_one_redemption(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 50_000)
    phone = Phone(ann)
    body = phone.redemption(phone.voucher(100, "grocer"), 40, shop="grocer")
    answers = doors.together([("/v1/redemptions", body, api.shops["grocer"].key, new_key()) for _ in range(8)])
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 7
    assert {json.loads(raw)["code"] for status, raw, _ in answers if status != 200} == {"duplicate_reference"}
    doors.clean()


def test_a_member_asks_for_vouchers_all_at_once_and_gets_no_more_than_there_may_be(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 50_000)
    phone = Phone(ann)
    codes = doors.phones(ann, 12)
    sendings: list[tuple[str, Any, str, str | None]] = [
        ("/v1/me/vouchers", phone.wanted(10, spend_code=code), ann.token, new_key()) for code in codes
    ]
    answers = doors.together(sendings)
    assert [status for status, _, _ in answers].count(200) == 5
    assert {json.loads(raw)["code"] for status, raw, _ in answers if status != 200} == {"limit_exceeded"}
    assert doors.wallet(ann)["held"] == 50
    doors.clean()


def test_a_voucher_is_redeemed_and_returned_at_once_and_ends_one_way(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 50_000)
    phone = Phone(ann)
    grocer = api.shops["grocer"].key
    for _ in range(3):
        voucher = phone.voucher(20, "grocer")
        back = f"/v1/vouchers/{voucher['id']}/return"
        answers = doors.together(
            [
                ("/v1/redemptions", phone.redemption(voucher, 20, shop="grocer"), grocer, new_key()),
                (back, {}, grocer, new_key()),
                ("/v1/redemptions", phone.redemption(voucher, 20, shop="grocer"), grocer, new_key()),
                (back, {}, grocer, new_key()),
            ]
        )
        assert sorted(status for status, _, _ in answers) == [200, 409, 409, 409]
    assert doors.wallet(ann)["held"] == 0
    doors.clean()


def test_vouchers_are_redeemed_while_their_deadline_passes_and_each_goes_one_way(doors: Doors) -> None:
    api = doors.api
    ann = api.member()
    api.sell(ann, 50_000)
    phone = Phone(ann)
    grocer = api.shops["grocer"].key
    vouchers = [phone.voucher(50, "grocer") for _ in range(5)]
    clock = f"/v1/operator/books/{api.book}/test-clock"
    late = (api.clock() + timedelta(days=7, minutes=1)).isoformat()
    spends: list[tuple[str, Any, str, str | None]] = [
        ("/v1/redemptions", phone.redemption(voucher, 30, shop="grocer"), grocer, new_key()) for voucher in vouchers
    ]
    answers = doors.together([*spends[:3], (clock, {"advance_to": late}, api.maker, None), *spends[3:]])
    assert {status for status, _, _ in answers} <= {200, 409}
    taken = sum(status == 200 and json.loads(raw).get("points") == 30 for status, raw, _ in answers)
    assert {json.loads(raw)["code"] for status, raw, _ in answers if status == 409} <= {"hold_expired"}
    wallet = doors.wallet(ann)
    assert (wallet["available"], wallet["held"]) == (500 - 30 * taken, 0)
    doors.clean()
