"""kill -9 under load, round after round, and the proof that nothing acknowledged was lost and nothing done twice.

Each round posts sales and redemptions from several tills, kills a process in the middle, and when the time is over

1. sends what was not answered again, with its key, until it is decided;
2. sends everything once more: the same status and bytes have to come, marked as a replay;
3. counts the rows of every round so far: each accepted sale and redemption stands there once, and no other;
4. proves the books by the audit.

kill -9 spares the operating system, so this says nothing of a loss of power; for that there is fsync, which is on.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import psycopg

from deploy.commands.audit import audited
from deploy.errors import Refusal
from deploy.soak.house import Answer, House, Line, Member, Shop, idempotency_key, spend_code

TILLS: Final = 16
MEMBERS: Final = 8
#: A round ends when it has sent as much, so that the proof stays short.
LARGEST_ROUND: Final = 20_000
DECIDE_SECONDS: Final = 60.0
#: The spend codes of one step of thirty seconds are used up by a round.
CLOCK_SECONDS: Final = 60
#: The supervisor gives up on a database server that dies more than five times a minute, and is right to.
DATABASE_DEATHS_A_MINUTE: Final = 4


@dataclass(slots=True)
class Operation:
    kind: str
    path: str
    body: bytes
    reference: str
    by: str
    key: str
    answer: Answer | None = None
    answered_at: float = 0.0
    #: sent at least once without hearing what became of it
    in_doubt: bool = False


@dataclass(slots=True)
class Round:
    """The figures of one round. `lost`, `doubled`, `changed` and `broken_checks` have to be 0."""

    number: int
    victim: str
    sent: int = 0
    #: answered at once, by the first sending
    acknowledged: int = 0
    #: not answered at first
    in_doubt: int = 0
    #: of those, how many had been posted all the same
    had_been_posted: int = 0
    #: answered at once by a gateway that had to ask the database whether its own commit took, and it had
    found_posted: int = 0
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    #: the longest time in which no till heard an answer
    silence_seconds: float = 0.0
    broken_checks: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.changed or self.broken_checks)


def rehearse(house: House, rounds: int, seconds: float, moments: random.Random) -> Iterator[Round]:
    """Kill once a round; the figures of each as it ends."""
    shops, members = house.found(MEMBERS)
    every: list[Operation] = []
    deaths: deque[float] = deque()
    for number, victim in enumerate(_victims(rounds, moments), 1):
        now = time.monotonic()
        while deaths and deaths[0] < now - 60:
            deaths.popleft()
        if victim == "postgres" and len(deaths) >= DATABASE_DEATHS_A_MINUTE:
            victim = "gateway"
        if victim == "postgres":
            deaths.append(now)
        told = Round(number, victim)
        made = _load(house, shops, members, seconds, told, moments)
        every += made
        house.ready()
        _decide(house.port, [op for op in made if op.answer is None], told)
        _replay(house.port, made, told)
        _count(house.url, every, told)
        for finding in audited(house.url).findings:
            if not finding.ok:
                told.broken_checks += 1
                told.wrong.append(f"audit: {finding.name}")
        house.advance(CLOCK_SECONDS)
        yield told


def _victims(rounds: int, moments: random.Random) -> list[str]:
    """Both sorts as often, in any order."""
    victims = [("postgres", "gateway")[i % 2] for i in range(rounds)]
    moments.shuffle(victims)
    return victims


# -- the load


def _load(
    house: House,
    shops: Sequence[Shop],
    members: Sequence[Member],
    seconds: float,
    told: Round,
    moments: random.Random,
) -> list[Operation]:
    """Post from several tills for some seconds, with a death in the middle; all that was sent."""
    now = house.clock()
    # a phone's code is good once: a member redeems once a round, at some till; the first round finds nothing to spend
    able = list(members) if told.number > 1 else []
    made: list[Operation] = []
    lock = threading.Lock()
    ends = time.monotonic() + seconds

    def next_operation(own: random.Random) -> Operation | None:
        with lock:
            number = len(made)
            if time.monotonic() > ends or number >= LARGEST_ROUND:
                return None
            shop = own.choice(shops)
            reference = f"{told.number}-{number}"
            body: dict[str, Any] = {"branch": shop.branch, "external_reference": reference}
            if able and own.random() < 0.05:
                member = able.pop()
                kind, path = "redemption", "/v1/redemptions"
                body |= {"member": member.number, "spend_code": spend_code(member, now), "points": 5, "capture": True}
            else:
                kind, path = "sale", "/v1/sales"
                body["total"] = {"amount": own.randrange(0, 20_000), "currency": "USD"}
                if own.random() < 0.8:
                    body["member"] = own.choice(members).number
            made.append(Operation(kind, path, json.dumps(body).encode(), reference, shop.key, idempotency_key()))
            return made[-1]

    def till(seed: int) -> None:
        own, line = random.Random(seed), Line(house.port)
        while (operation := next_operation(own)) is not None:
            answer = _send(line, operation)
            if answer is None or not answer.decided:
                operation.in_doubt = True
                time.sleep(0.05)  # as a till does: it goes on with the next customer
            else:
                operation.answer, operation.answered_at = answer, time.monotonic()
        line.close()

    began = time.monotonic()
    with ThreadPoolExecutor(TILLS + 1) as threads:
        tills = [threads.submit(till, moments.randrange(2**32)) for _ in range(TILLS)]
        time.sleep(seconds * moments.uniform(0.2, 0.7))
        house.kill(told.victim, moments)
        for each in tills:
            each.result()
    heard = sorted([began, *(op.answered_at for op in made if op.answer is not None)])
    told.silence_seconds = round(max((b - a for a, b in itertools.pairwise(heard)), default=0.0), 2)
    told.sent = len(made)
    told.acknowledged = sum(op.answer is not None for op in made)
    told.in_doubt = sum(op.in_doubt for op in made)
    told.found_posted = sum(op.answer is not None and op.answer.replayed for op in made)
    return made


def _send(line: Line, operation: Operation) -> Answer | None:
    """What came back; None when nothing did."""
    try:
        return line.send("POST", operation.path, operation.body, operation.by, Idempotency_Key=operation.key)
    except (OSError, http.client.HTTPException):
        return None


# -- the proof


def _decide(port: int, operations: list[Operation], told: Round) -> None:
    """Send what is not decided until it is. A replay says that it had been posted before."""
    give_up = time.monotonic() + DECIDE_SECONDS

    def decide(line: Line, operation: Operation) -> None:
        while True:
            answer = _send(line, operation)
            if answer is not None and answer.decided:
                operation.answer = answer
                return
            if time.monotonic() > give_up:
                raise Refusal(f"{operation.path} {operation.reference} is not decided after {DECIDE_SECONDS:.0f} s")
            time.sleep(0.05)

    _each(port, operations, decide)
    told.had_been_posted = sum(op.answer is not None and op.answer.replayed for op in operations)


def _replay(port: int, operations: list[Operation], told: Round) -> None:
    """Send everything once more, and hold the answer against the first."""
    wrong: list[tuple[str, Operation]] = []

    def replay(line: Line, operation: Operation) -> None:
        assert operation.answer is not None
        fault = judged(operation.answer, _send(line, operation))
        if fault is not None:
            wrong.append((fault, operation))

    _each(port, operations, replay)
    for what, operation in wrong:
        setattr(told, what, getattr(told, what) + 1)
        told.wrong.append(f"{what} on replay: {operation.kind} {operation.reference}")


def judged(first: Answer, again: Answer | None) -> str | None:
    """What is wrong with the answer to an operation sent again; None when it is the first one."""
    if again is None or not again.decided:
        return "changed"
    if not again.replayed:
        return "lost"  # it was decided only now
    return None if (again.status, again.body) == (first.status, first.body) else "changed"


def _each(port: int, operations: list[Operation], work: Callable[[Line, Operation], None]) -> None:
    """Do it for each, from several tills."""
    waiting = deque(operations)

    def till() -> None:
        line = Line(port)
        try:
            while True:
                try:
                    operation = waiting.popleft()
                except IndexError:
                    return
                work(line, operation)
        finally:
            line.close()

    with ThreadPoolExecutor(TILLS) as threads:
        for each in [threads.submit(till) for _ in range(TILLS)]:
            each.result()


def _count(url: str, every: Sequence[Operation], told: Round) -> None:
    """The rows of all rounds so far against the answers: each accepted operation once, and no other."""
    with psycopg.connect(url, autocommit=True) as connection:
        for kind, table in (("sale", "merchants.sale"), ("redemption", "merchants.redemption")):
            rows = Counter(reference for (reference,) in connection.execute(f"select external_reference from {table}"))  # noqa: S608
            accepted = {
                op.reference for op in every if op.kind == kind and op.answer is not None and op.answer.status == 200
            }
            lost = accepted - rows.keys()
            more = [reference for reference, times in rows.items() if times > 1 or reference not in accepted]
            told.lost += len(lost)
            told.doubled += len(more)
            told.wrong += [f"no row: {kind} {reference}" for reference in sorted(lost)[:10]]
            told.wrong += [f"a row too many: {kind} {reference}" for reference in sorted(more)[:10]]


def as_document(rounds: Sequence[Round], seed: int) -> dict[str, Any]:
    """For programs."""
    total = {
        name: sum(getattr(told, name) for told in rounds)
        for name in (
            "sent",
            "acknowledged",
            "in_doubt",
            "had_been_posted",
            "found_posted",
            "lost",
            "doubled",
            "changed",
        )
    }
    return {
        "seed": seed,
        "clean": bool(rounds) and all(told.clean for told in rounds),
        "total": total,
        "rounds": [asdict(told) for told in rounds],
    }
