"""The year, hour by hour: advance the clock, decide, write down what was decided, post.

Nothing of an hour is posted before all that was read for it is in the journal, and the clock leaves an hour only when
all of it was answered. So the book's clock and the journal say where a killed run was: the hour the clock stands at is
sent again whole, with the same keys and bodies, and what was done already is answered as it was the first time.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import pyotp

from deploy.demo import behaviour, plan
from deploy.demo.behaviour import Manner
from deploy.demo.build import rfc3339
from deploy.demo.journey import EPOCH, Basket, Hour
from deploy.demo.network import CURRENCY, FACE_VALUE, SHOPS, TAKEN_BACK_DAYS
from deploy.demo.state import Buy, Decisions, Device, Gift, Joined, Journal, Redeem, State
from deploy.demo.wire import PATIENCE_SECONDS, Wire
from deploy.errors import Refusal

#: The most operations one call of /v1/batches takes.
LARGEST_BATCH: Final = 1_000
#: How long a window may take from its close to being advised.
ADVISED_WITHIN_SECONDS: Final = 120.0


class Operation(NamedTuple):
    """One thing a till asks, to be sent on its own or in a batch: the same key and the same body.

    What it is about is named by its id, or by the till's own reference; the latter only a batch can do.
    """

    kind: str
    shop: int
    key: str
    body: dict[str, Any]
    redemption: str | None = None
    named: tuple[str, str] | None = None

    @property
    def path(self) -> str:
        if self.kind == "sale":
            return "/v1/sales"
        return "/v1/redemptions" + (f"/{self.redemption}/{self.kind}" if self.redemption else "")

    @property
    def batched(self) -> dict[str, Any]:
        told = {"operation": self.kind, "idempotency_key": self.key, "body": self.body}
        if self.redemption:
            told["redemption"] = self.redemption
        if self.named:
            what, reference = self.named
            told[what] = reference
        return told


class Return(NamedTuple):
    """What a household brings back at its next visit: cents of what it paid for a basket, points that paid for it."""

    basket: int
    shop: int
    hour: int
    cents: int
    points: int


#: A member's operations of an hour in order: each is yielded, and the answer to it sent back in.
Steps = Generator[Operation, Any, None]
Send = Callable[[list[Steps]], Awaitable[None]]
#: Hears how many baskets are done, and whether they were posted now or by an earlier run.
Progress = Callable[[int, bool], None]


class Phone:
    """What the demo knows of a member: the number on the card, and the secret on the phone once it has one."""

    __slots__ = ("number", "secret")

    def __init__(self, number: str) -> None:
        self.number = number
        self.secret: str | None = None


#: What is brought back in an hour, by household.
Returns = dict[int, list[Return]]


class Driver:
    """Drives one book through its hours. What it counts is what the book holds in the end, earlier runs included."""

    def __init__(self, wire: Wire, state: State, journal: Journal, *, via: str, progress: Progress) -> None:
        assert state.book is not None
        self._wire = wire
        self._state = state
        self._book = state.book
        self._seed = state.seed
        self._journal = journal
        self._send: Send = self._one_by_one if via == "single" else self._in_batches
        self._progress = progress
        self._members: dict[int, Phone] = {}
        self._decided: Decisions | None = None
        # points that paid for baskets whose hour is not over yet, and what their households bring back next time
        self._paid: dict[int, int] = {}
        self._to_come: Returns = defaultdict(list)
        # the day of a household's last gift, made or received
        self._gift_day: dict[int, int] = {}
        # of those who look at their own points in this hour
        self._tokens: dict[int, str] = {}
        self.baskets = 0
        self.redeemed = 0
        self.given = 0
        self.refunds = 0
        self.refunded = 0
        self.restored = 0
        for decisions in journal.read():
            self._learn(decisions)

    @property
    def telephone(self) -> str | None:
        """Of a member who spends, for whoever wants to see a wallet."""
        spending = [household for household, phone in self._members.items() if phone.secret is not None]
        return behaviour.phone(min(spending)) if spending else None

    # -- the year

    async def replay(self, hours: Iterable[Hour]) -> None:
        """Go on from where the book's clock stands to the end of the data, and settle everything."""
        clock = await self._clock()
        end = plan.midnight_after(self._state.days or len(self._state.plan.baskets_by_day))
        week = -1
        resumed = False
        for hour in hours:
            if hour.at >= end:
                break
            self.baskets += len(hour.baskets)
            begins_week, week = plan.week_of(hour.at) != week, plan.week_of(hour.at)
            returns = self._brought_back(hour)
            live = hour.at >= clock
            if live:
                await self._advance(hour.at)
                if begins_week or not resumed:
                    await self._settle()
                    resumed = True
                await self._live(hour, begins_week, returns)
            self._remember(hour)
            self._progress(len(hour.baskets), live)
        await self._finish(end)

    async def _finish(self, end: datetime) -> None:
        """The data ends: what is open closes, and is settled."""
        await self._advance(end)
        await self._settle()
        for window in await self._windows():
            if window["state"] == "open" and datetime.fromisoformat(window["opened_at"]) < end:
                await self._operate(window, "close", self._state.maker, {})
        await self._settle()

    async def _clock(self) -> datetime:
        book = await self._wire.get(f"/v1/operator/books/{self._book}", self._state.maker)
        return datetime.fromisoformat(book["clock"])

    async def _advance(self, to: datetime) -> None:
        path = f"/v1/operator/books/{self._book}/test-clock"
        await self._wire.post(path, self._state.maker, {"advance_to": rfc3339(to)})

    # -- one hour

    async def _live(self, hour: Hour, begins_week: bool, returns: Returns) -> None:
        if self._decided is None or self._decided.hour != hour.number:
            decided = await self._decide(hour, begins_week, returns)
            self._journal.add(decided)  # even when it is to do nothing: asked again later, the answer may be another
            self._learn(decided)
        decisions = self._decided
        assert decisions is not None
        await asyncio.gather(
            *(self._buy(plan.week_of(hour.at), buy) for buy in decisions.buys),
            *(self._give(gift, hour.at) for gift in decisions.gifts),
        )
        self._tokens.clear()
        redeems = {redeem.basket: redeem.points for redeem in decisions.redeems}
        of_member: dict[int, list[Basket]] = defaultdict(list)
        for basket in hour.baskets:
            of_member[basket.household].append(basket)
        await self._send(
            [
                self._steps(baskets, hour.at, redeems, returns.get(household, []))
                for household, baskets in of_member.items()
            ]
        )

    def _brought_back(self, hour: Hour) -> Returns:
        """What comes back with the households that shop in this hour."""
        oldest = hour.number - TAKEN_BACK_DAYS * 24
        found: Returns = {}
        for household in {basket.household for basket in hour.baskets} & self._to_come.keys():
            taken = [back for back in self._to_come.pop(household) if back.hour >= oldest]
            if taken:
                found[household] = taken
        for back in (back for taken in found.values() for back in taken):
            self.refunds += bool(back.cents) + bool(back.points)
            self.refunded += back.cents
            self.restored += back.points
        return found

    def _remember(self, hour: Hour) -> None:
        """What of the hour's baskets is brought back next time. It follows from the data and the journal alone."""
        for basket in hour.baskets:
            paid = self._paid.pop(basket.id, 0)
            cents = behaviour.refunded(self._seed, basket.id, basket.total - paid * FACE_VALUE)
            points = paid if behaviour.given_back(self._seed, basket.id) else 0
            if cents or points:
                back = Return(basket.id, self._shop(basket), hour.number, cents, points)
                self._to_come[basket.household].append(back)

    def _learn(self, decisions: Decisions) -> None:
        for joined in decisions.joined:
            self._members[joined.household] = Phone(joined.number)
        for device in decisions.devices:
            self._members[device.household].secret = device.secret
        for redeem in decisions.redeems:
            if behaviour.manner(self._seed, redeem.basket).pays:
                self.redeemed += redeem.points
                self._paid[redeem.basket] = redeem.points
        for gift in decisions.gifts:
            self.given += gift.points
            self._gift_day[gift.giver] = self._gift_day[gift.receiver] = _day(decisions.hour)
        self._decided = decisions

    async def _decide(self, hour: Hour, begins_week: bool, returns: Returns) -> Decisions:
        """All that depends on what the book holds, read while nothing of this hour has been posted."""
        newcomers: dict[int, Basket] = {}
        thinking: dict[int, Basket] = {}
        giving: dict[int, Basket] = {}
        seen: set[int] = set()
        for basket in hour.baskets:
            household = basket.household
            if household not in self._members:
                newcomers.setdefault(household, basket)
            elif behaviour.thinks_of_points(self._seed, basket):
                # a refund may take what was looked up: with one at hand, points are spent before it or not at all
                if household not in seen or household not in returns:
                    thinking.setdefault(household, basket)  # once an hour: a spend code counts once
            elif behaviour.thinks_of_giving(self._seed, basket):
                giving.setdefault(household, basket)
            seen.add(household)
        joined, spendable, gifts, buys = await asyncio.gather(
            asyncio.gather(*(self._join(basket) for basket in newcomers.values())),
            asyncio.gather(*(self._spendable(basket) for basket in thinking.values())),
            self._gifts(list(giving.values()), _day(hour.number)),
            self._buys(hour) if begins_week else _nothing(),
        )
        redeems = [
            (basket, points)
            for basket, found in zip(thinking.values(), spendable, strict=True)
            if (points := behaviour.points_to_redeem(self._seed, basket, found))
        ]
        consenting = [*(basket.household for basket, _ in redeems), *(gift.giver for gift in gifts)]
        phoneless = [household for household in consenting if self._members[household].secret is None]
        devices = await asyncio.gather(*(self._enrol_device(household) for household in phoneless))
        return Decisions(
            hour=hour.number,
            joined=joined,
            devices=devices,
            buys=buys,
            redeems=[Redeem(basket.id, points) for basket, points in redeems],
            gifts=gifts,
        )

    async def _join(self, basket: Basket) -> Joined:
        body = {"phone": behaviour.phone(basket.household), "language": "en"}
        key = behaviour.key(self._seed, f"household {basket.household}", "join")
        made = await self._wire.post("/v1/members", self._key_of(basket), body, idempotency_key=key)
        return Joined(basket.household, made["number"])

    async def _spendable(self, basket: Basket) -> int:
        body = {"number": self._members[basket.household].number}
        found = await self._wire.post("/v1/member-lookups", self._key_of(basket), body)
        return int(found["spendable"]["points"])

    async def _enrol_device(self, household: int) -> Device:
        """Let the phone have its spend secret."""
        token = await self._token(household)
        device = await self._wire.post("/v1/me/devices", token, {"name": "phone"}, book=self._book)
        return Device(household, device["spend_secret"])

    async def _token(self, household: int) -> str:
        """Sign in by the code that a test book's operator can read; once an hour."""
        if household not in self._tokens:
            self._tokens[household] = await self._sign_in(household)
        return self._tokens[household]

    async def _sign_in(self, household: int) -> str:
        phone, book = behaviour.phone(household), self._book
        await self._wire.post("/v1/auth/otp", None, {"phone": phone}, book=book)
        query = f"/v1/operator/books/{book}/one-time-codes?phone={phone.replace('+', '%2B')}"
        codes = await self._wire.get(query, self._state.maker)
        body = {"phone": phone, "code": codes["data"][0]["code"]}
        token = await self._wire.post("/v1/auth/otp/verify", None, body, book=book)
        return str(token["access_token"])

    async def _gifts(self, baskets: list[Basket], day: int) -> list[Gift]:
        """Who gives how many points to whom. No household is in two gifts on one day: so the order in which they are posted
        is all one, and no daily limit is met."""
        if not baskets:
            return []
        busy = {household for household, last in self._gift_day.items() if last == day}
        free = [basket for basket in baskets if basket.household not in busy]
        balances = await asyncio.gather(*(self._balance(basket.household) for basket in free))
        gifts = []
        for basket, balance in zip(free, balances, strict=True):
            points = behaviour.points_to_give(balance["available"], balance["owed"])
            receiver = behaviour.receiver(self._seed, basket.household, self._members, busy) if points else None
            if receiver is not None:
                busy |= {basket.household, receiver}
                gifts.append(Gift(basket.id, basket.household, receiver, points))
        return gifts

    async def _balance(self, household: int) -> Any:
        return await self._wire.get("/v1/me/balance", await self._token(household), book=self._book)

    async def _give(self, gift: Gift, at: datetime) -> None:
        secret = self._members[gift.giver].secret
        assert secret is not None
        body = {
            "to": self._members[gift.receiver].number,
            "points": gift.points,
            "spend_code": pyotp.TOTP(secret).at(at),
        }
        key = behaviour.key(self._seed, gift.basket, "gift")
        await self._wire.post("/v1/me/gifts", await self._token(gift.giver), body, key, book=self._book)

    async def _buys(self, hour: Hour) -> list[Buy]:
        """What each prefunded merchant pays in and buys for the week that begins."""
        week = plan.week_of(hour.at)
        buys = []
        for place, shop in enumerate(SHOPS):
            if shop.mode == "prefunded":
                holds = await self._wire.get("/v1/position", self._state.merchants[place].key)
                points = plan.purchase(self._state.plan.most_points[place].get(week, 0), holds["pool_points"])
                paid = plan.topup(points * FACE_VALUE, holds["prefund"]["amount"])
                if points or paid:
                    buys.append(Buy(place, paid, points))
        return buys

    async def _buy(self, week: int, buy: Buy) -> None:
        path = f"/v1/operator/merchants/{self._state.merchants[buy.shop].id}"
        subject = f"{SHOPS[buy.shop].name}, week {week}"
        if buy.topup:
            body = {"amount": _money(buy.topup), "through": "bank", "reference": f"topup-{week}"}
            key = behaviour.key(self._seed, subject, "topup")
            await self._wire.post(f"{path}/topups", self._state.maker, body, idempotency_key=key)
        if buy.points:
            key = behaviour.key(self._seed, subject, "purchase")
            await self._wire.post(
                f"{path}/point-purchases", self._state.maker, {"points": buy.points}, idempotency_key=key
            )

    # -- a member's operations

    def _steps(self, baskets: list[Basket], at: datetime, redeems: dict[int, int], returns: list[Return]) -> Steps:
        for basket in baskets:
            points, redemption = redeems.get(basket.id, 0), None
            if points:
                redemption = yield from self._redeem(basket, at, points)
            if basket is baskets[0]:
                for back in returns:
                    yield from self._refunds(back, basket.at)
            sold = yield self._sale(basket, points if redemption else 0, redemption)
            if sold["earn"]["refused"] == "issuing_limit_reached":
                raise Refusal(f"sale {sold['id']} earned nothing: its shop's pool or credit line was planned too small")

    def _redeem(self, basket: Basket, at: datetime, points: int) -> Generator[Operation, Any, str | None]:
        """The redemption that pays for the basket, or None when it ends otherwise."""
        how = behaviour.manner(self._seed, basket.id)
        phone = self._members[basket.household]
        assert phone.secret is not None
        body = {
            "branch": self._state.branches[basket.store],
            "external_reference": f"points-{basket.id}",
            "member": phone.number,
            "spend_code": pyotp.TOTP(phone.secret).at(at),
            "points": points,
            "capture": how is Manner.ONE_STEP,
            "occurred_at": rfc3339(basket.at),
        }
        held = yield Operation("redemption", self._shop(basket), behaviour.key(self._seed, basket.id, "redeem"), body)
        if how in (Manner.TWO_STEPS, Manner.VOIDED):
            kind = "capture" if how is Manner.TWO_STEPS else "void"
            yield Operation(kind, self._shop(basket), behaviour.key(self._seed, basket.id, kind), {}, held["id"])
        return held["id"] if how.pays else None

    def _refunds(self, back: Return, at: datetime) -> Generator[Operation, Any, None]:
        """Of what a household brings back: by the shop that sold it, which finds it by its own reference."""
        if back.points:
            body: dict[str, Any] = {"external_reference": f"points-back-{back.basket}"}
            key = behaviour.key(self._seed, back.basket, "points back")
            named = ("redemption_reference", f"points-{back.basket}")
            yield Operation("redemption_refund", back.shop, key, body, named=named)
        if back.cents:
            body = {
                "external_reference": f"back-{back.basket}",
                "amount": _money(back.cents),
                "occurred_at": rfc3339(at),
            }
            key = behaviour.key(self._seed, back.basket, "back")
            yield Operation("sale_refund", back.shop, key, body, named=("sale_reference", f"basket-{back.basket}"))

    def _sale(self, basket: Basket, points: int, redemption: str | None) -> Operation:
        total = basket.total
        payments: list[dict[str, Any]] = []
        if redemption is not None:
            payments.append({"type": "points", "amount": _money(points * FACE_VALUE), "redemption": redemption})
        if rest := total - points * FACE_VALUE:
            payments.append({"type": behaviour.payment_type(self._seed, basket.id), "amount": _money(rest)})
        body = {
            "branch": self._state.branches[basket.store],
            "external_reference": f"basket-{basket.id}",
            "total": _money(total),
            "member": self._members[basket.household].number,
            "occurred_at": rfc3339(basket.at),
            "lines": [
                {"amount": _money(line.cents), "category": line.category, "quantity": line.quantity}
                for line in basket.lines
            ],
            "payments": payments,
        }
        return Operation("sale", self._shop(basket), behaviour.key(self._seed, basket.id, "sale"), body)

    def _shop(self, basket: Basket) -> int:
        return self._state.plan.shop_of_store[basket.store]

    def _key_of(self, basket: Basket) -> str:
        return self._state.merchants[self._shop(basket)].key

    # -- sending

    async def _one_by_one(self, members: list[Steps]) -> None:
        """Members side by side, each one's operations in order."""
        await asyncio.gather(*(self._alone(steps) for steps in members))

    async def _alone(self, steps: Steps) -> None:
        operation = _next(steps, None)
        while operation is not None:
            if operation.named:
                ((_, operation),) = await self._batch([(steps, operation)])
            else:
                key = self._state.merchants[operation.shop].key
                answer = await self._wire.post(operation.path, key, operation.body, operation.key)
                operation = _next(steps, answer)

    async def _in_batches(self, members: list[Steps]) -> None:
        """In rounds: every member's next operation, a call per merchant."""
        under_way = [(steps, _next(steps, None)) for steps in members]
        while under_way:
            of_shop: dict[int, list[tuple[Steps, Operation]]] = defaultdict(list)
            for steps, operation in under_way:
                if operation is not None:
                    of_shop[operation.shop].append((steps, operation))
            calls = [own[i : i + LARGEST_BATCH] for own in of_shop.values() for i in range(0, len(own), LARGEST_BATCH)]
            answered = await asyncio.gather(*(self._batch(call) for call in calls))
            under_way = [following for answers in answered for following in answers]

    async def _batch(self, call: list[tuple[Steps, Operation]]) -> list[tuple[Steps, Operation | None]]:
        key = self._state.merchants[call[0][1].shop].key
        body = {"operations": [operation.batched for _, operation in call]}
        outcomes = await self._outcomes(key, body)
        following = []
        for (steps, operation), outcome in zip(call, outcomes, strict=True):
            if not 200 <= outcome["status"] < 300:
                raise Refusal(f"{operation.kind} in a batch answered {outcome['status']}: {outcome['body']}")
            following.append((steps, _next(steps, outcome["body"])))
        return following

    async def _outcomes(self, key: str, body: dict[str, Any]) -> list[Any]:
        """The outcomes of a batch, sent again while some of it could not be posted: keys make that safe."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self._wire.post("/v1/batches", key, body)
            outcomes: list[Any] = answer["outcomes"]
            if all(outcome["status"] < 500 for outcome in outcomes) or time.monotonic() > give_up:
                return outcomes
            await asyncio.sleep(0.5)

    # -- windows

    async def _windows(self) -> list[Any]:
        """Oldest first."""
        windows = await self._wire.pages(f"/v1/operator/books/{self._book}/windows", self._state.maker)
        return sorted(windows, key=lambda window: int(window["number"]))

    async def _settle(self) -> None:
        """Bring every window that closed to its end: submitted by one, approved by another, paid."""
        for window in await self._windows():
            give_up = time.monotonic() + ADVISED_WITHIN_SECONDS
            while window["state"] not in ("open", "settled"):
                await self._further(window)
                if time.monotonic() > give_up:
                    raise Refusal(f"window {window['id']} stays {window['state']}")
                window = await self._wire.get(f"/v1/operator/windows/{window['id']}", self._state.maker)

    async def _further(self, window: Any) -> None:
        """The next step of a window by the one whose step it is."""
        match window["state"]:
            case "advised":
                await self._operate(window, "submit", self._state.maker, {})
            case "submitted":
                body = {"positions_hash": window["positions_hash"]}
                await self._operate(window, "approve", self._state.approver, body)
            case "funding" | "paying":
                await self._operate(
                    window, "payments", self._state.maker, {"reference": f"payments-{window['number']}"}
                )
            case _:
                await asyncio.sleep(0.05)

    async def _operate(self, window: Any, step: str, operator: str, body: dict[str, Any]) -> None:
        key = behaviour.key(self._seed, f"window {window['number']}", step)
        await self._wire.post(f"/v1/operator/windows/{window['id']}/{step}", operator, body, idempotency_key=key)


def _next(steps: Steps, answer: Any) -> Operation | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def _day(hour: int) -> int:
    return plan.day_of(EPOCH + timedelta(hours=hour))


def _money(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": CURRENCY}


async def _nothing() -> list[Buy]:
    return []
