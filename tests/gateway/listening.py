"""Server-sent events as a client reads them, over a real socket."""

import http.client
import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Event:
    id: int
    name: str
    data: Any


class Listening:
    """One stream. `next` waits for an event; heartbeats are passed over."""

    def __init__(self, port: int, path: str, by: str, after: int | None = None, seconds: float = 10) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        headers = {"Authorization": f"Bearer {by}", "Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        self._connection.request("GET", path, headers=headers)
        self.answer = self._connection.getresponse()
        self.status = self.answer.status
        self.last = after

    def next(self) -> Event | None:
        """None at the end of the stream."""
        found: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name] = value
        if not found:
            return None
        if "data" not in found:  # a comment, or how soon to connect again
            return self.next()
        event = Event(int(found.get("id", self.last or 0)), found["event"], json.loads(found["data"]))
        self.last = event.id
        return event

    def many(self, count: int) -> list[Event]:
        events = [self.next() for _ in range(count)]
        assert None not in events, events
        return [event for event in events if event is not None]

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Listening":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
