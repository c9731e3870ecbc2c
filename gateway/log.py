"""What is logged: JSON, one object a line, and nothing personal. No query, body, telephone or credential comes here."""

import logging
from datetime import UTC, datetime
from typing import Final

import msgspec

_access: Final = logging.getLogger("manex.access")
_encode: Final = msgspec.json.Encoder().encode


class JsonLines(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        facts = getattr(record, "facts", None)
        if facts is not None:
            line |= facts
        else:
            line["message"] = record.getMessage()
        if (request_id := getattr(record, "request_id", None)) is not None:
            line["request_id"] = request_id
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["trace"] = self.formatException(record.exc_info)
        return _encode(line).decode()


def access(request_id: str, method: str, route: str, status: int, seconds: float) -> None:
    """One request. `route` is the path with its names, never with the ids in it."""
    if _access.isEnabledFor(logging.INFO):
        facts = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        _access.info("", extra={"facts": facts})


def to_stream(level: int = logging.INFO) -> None:
    """Send what the house logs to standard error. For a process that serves; tests and commands leave it alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
