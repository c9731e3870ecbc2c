"""What is logged: JSON, one object a line, and nothing personal. No query, body, telephone or credential comes here."""

import logging
import os
import traceback
from datetime import UTC, datetime
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_STDERR: Final = 2

#: Whether requests are written; see `to_stream`.
_open = False


class JsonLines(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := getattr(record, "request_id", None)) is not None:
            line["request_id"] = request_id
        if record.exc_info and record.exc_info[1] is not None:
            # the frames and not the message: a database's message may quote what somebody sent
            line["error"] = type(record.exc_info[1]).__name__
            line["trace"] = "".join(traceback.format_tb(record.exc_info[2]))
        return _encode(line).decode()


def access(at: float, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
    """One request. `route` is the path with its names, never with the ids in it.

    Written straight to standard error: the logging module would cost a sale as much as checking it does.
    """
    if _open:
        line = {
            "time": _time(at),
            "level": "info",
            "logger": "manex.access",
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        os.write(_STDERR, _encode(line) + b"\n")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def to_stream(level: int = logging.INFO) -> None:
    """Send what the house logs to standard error. For a process that serves; tests and commands leave it alone."""
    global _open
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # what they tell at level info is the beginning and the end of each process, which is told by whoever starts it
    for name in ("uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    _open = level <= logging.INFO
