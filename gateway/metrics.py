"""What a process counts of its work, and how that reads in Prometheus' text format. No label names a member or merchant."""

import platform
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

import ledger
from gateway.live import Live
from gateway.neighbours import Neighbours

VERSION: Final = "0.1.0"

REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COMMIT_SECONDS: Final = (*REQUEST_SECONDS, 30.0)
BATCH_SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Family(msgspec.Struct, frozen=True):
    """A metric with its samples, each a line of the page."""

    name: str
    kind: str
    help: str
    samples: list[str]


class Counter:
    """A number by labels that only grows. Added to from one thread."""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        self.name, self.help, self._labels = name, help, labels
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def add(self, *values: str, amount: float = 1) -> None:
        self._values[values] = self._values.get(values, 0) + amount

    def family(self, process: str) -> Family:
        lines = [_sample(self.name, self._named(v, process), number) for v, number in list(self._values.items())]
        return Family(self.name, "counter", self.help, lines)

    def _named(self, values: tuple[str, ...], process: str) -> dict[str, str]:
        return {"process": process, **dict(zip(self._labels, values, strict=True))}


class Histogram:
    """How many observations were at most each of `buckets`, by labels. Observed from one thread."""

    def __init__(self, name: str, help: str, buckets: Sequence[float], *labels: str) -> None:
        self.name, self.help, self._buckets, self._labels = name, help, buckets, labels
        self._counts: dict[tuple[str, ...], list[float]] = {} if labels else {(): self._empty()}

    def _empty(self) -> list[float]:
        """One count for each bucket, one for what is above them, and the sum."""
        return [0.0] * (len(self._buckets) + 2)

    def observe(self, number: float, *values: str) -> None:
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = self._empty()
        counts[bisect_left(self._buckets, number)] += 1
        counts[-1] += number

    def family(self, process: str) -> Family:
        lines: list[str] = []
        for values, counts in list(self._counts.items()):
            named = {"process": process, **dict(zip(self._labels, values, strict=True))}
            *within, total = counts.copy()
            seen = 0.0
            for bound, count in zip((*map(_number, self._buckets), "+Inf"), within, strict=True):
                seen += count
                lines.append(_sample(f"{self.name}_bucket", {**named, "le": bound}, seen))
            lines += [_sample(f"{self.name}_sum", named, total), _sample(f"{self.name}_count", named, seen)]
        return Family(self.name, "histogram", self.help, lines)


class Metrics:
    """What one process counts. It is the ledger's `Watch`: the committer tells it of its batches."""

    def __init__(self, process: str = "0") -> None:
        self.process = process
        self._started = time.time()
        self._requests = Counter(
            "manex_http_requests_total", "Requests answered, by the route's template.", "route", "method", "status"
        )
        self._request_seconds = Histogram(
            "manex_http_request_seconds", "From the request's head to its answer.", REQUEST_SECONDS, "route", "method"
        )
        self._batches = Counter("manex_commit_batches_total", "Batches made durable.")
        self._batch_size = Histogram("manex_commit_batch_size", "Requests in a batch.", BATCH_SIZES)
        self._commit_seconds = Histogram(
            "manex_commit_seconds", "From a batch's first try until it is durable.", COMMIT_SECONDS
        )
        self._repeats = Counter("manex_commit_repeats_total", "Batches tried again, by the error.", "reason")
        #: whom this process asks and whom it tells, once it is put together
        self.neighbours: Neighbours | None = None
        self.live: Live | None = None
        self._singles = Counter("manex_commit_singles_total", "Requests posted alone because their batch failed.")
        self._replayed = Counter("manex_replayed_outcomes_total", "Requests whose key was answered before.")

    # -- counting

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is a template, and one of few."""
        self._requests.add(route, method, f"{status // 100}xx")
        self._request_seconds.observe(seconds, route, method)

    def committed(self, requests: int, replayed: int, seconds: float) -> None:
        self._batches.add()
        self._batch_size.observe(requests)
        self._commit_seconds.observe(seconds)
        if replayed:
            self._replayed.add(amount=replayed)

    def repeated(self, reason: str) -> None:
        self._repeats.add(reason)

    def singly(self, requests: int) -> None:
        self._singles.add(amount=requests)

    # -- telling

    def families(self, db: ledger.Database, committer: ledger.Committer) -> list[Family]:
        """All of this process, now. Reads nothing from the database."""
        counted = (
            self._requests,
            self._request_seconds,
            self._batches,
            self._batch_size,
            self._commit_seconds,
            self._repeats,
            self._singles,
            self._replayed,
        )
        pools = sorted(db.connections().items())
        by_role: list[tuple[str, str, list[int]]] = [
            ("manex_pool_connections", "Database connections that are open.", [told[0] for _, told in pools]),
            ("manex_pool_in_use", "Database connections in use.", [told[1] for _, told in pools]),
            ("manex_pool_waiting", "Requests that wait for a connection.", [told[2] for _, told in pools]),
        ]
        own = {"process": self.process}
        build = {"version": VERSION, "python": platform.python_version()}
        return [
            *(metric.family(self.process) for metric in counted),
            gauge("manex_commit_queue", "Requests that wait for a batch.", [(own, committer.waiting)]),
            *(
                gauge(name, help, [({**own, "role": role}, n) for (role, _), n in zip(pools, numbers, strict=True)])
                for name, help, numbers in by_role
            ),
            *self._beside(own),
            gauge("manex_process_start_time_seconds", "When the process started, Unix time.", [(own, self._started)]),
            gauge("manex_build_info", "Which Manex this is.", [({**own, **build}, 1)]),
        ]

    def _beside(self, own: Mapping[str, str]) -> list[Family]:
        found: list[Family] = []
        if self.live is not None:
            found.append(gauge("manex_live_streams", "Streams of events that are open.", [(own, self.live.streams)]))
        if (neighbours := self.neighbours) is not None:
            fallbacks = Counter("manex_redis_fallbacks_total", "Limits that this process counted by itself.")
            fallbacks.add(amount=neighbours.fallbacks)
            up = gauge(
                "manex_redis_up", "Whether Redis is asked for limits: 0 after it failed.", [(own, neighbours.up)]
            )
            found += [up, fallbacks.family(self.process)]
        return found


def gauge(name: str, help: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Family:
    return Family(name, "gauge", help, [_sample(name, labels, number) for labels, number in samples])


def _sample(name: str, labels: Mapping[str, str], number: float) -> str:
    shown = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{shown}}} {_number(number)}" if shown else f"{name} {_number(number)}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(float(number))


def page(families: Iterable[Family]) -> bytes:
    """The families of several processes as one text: the samples of a metric stand together, as the format wants."""
    joined: dict[str, tuple[Family, list[str]]] = {}
    for family in families:
        joined.setdefault(family.name, (family, []))[1].extend(family.samples)
    lines: list[str] = []
    for family, samples in joined.values():
        if samples:
            lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}", *samples]
    return ("\n".join(lines) + "\n").encode()
