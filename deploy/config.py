"""What can be set, by environment variables only: one table that reads, checks and describes each of them.

`docs/operate.md` shows this table; a test holds the two equal. Stands on nothing but the standard library, for the
database's supervisor stands on it.
"""

from __future__ import annotations

import difflib
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.errors import Refusal

PREFIX: Final = "MANEX_"
LARGEST_PROCESSES: Final = 64

#: Said by one process of ours to another, or by a test run to itself; nobody sets them.
INTERNAL: Final = frozenset({"MANEX_SERVE_URL", "MANEX_UPDATE", "MANEX_KILL_SEED"})

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Config:
    """All that is set. Fields are described in VARIABLES, one each, in the same order."""

    home: Path | None
    database_url: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)
    redis_timeout_ms: int
    kafka_url: str | None = field(repr=False)
    kafka_partitions: int
    kafka_replicas: int
    kafka_processes: bool
    keys_dir: Path | None
    host: str
    port: int
    processes: int
    balancers: str
    drain_seconds: int
    grace_seconds: int
    log_level: int
    access_log: bool
    metrics_token: str | None = field(repr=False)
    statement_timeout_ms: int
    pool: int
    #: requests, and the seconds they may come in
    rate_key: tuple[int, int]
    rate_member: tuple[int, int]
    rate_lookup: tuple[int, int]
    rate_code: tuple[int, int]
    rate_enrolment: tuple[int, int]
    rate_operator: tuple[int, int]
    rate_stranger: tuple[int, int]
    stripe_test_key: str | None = field(repr=False)
    stripe_test_webhook_secret: str | None = field(repr=False)
    stripe_live_key: str | None = field(repr=False)
    stripe_live_webhook_secret: str | None = field(repr=False)
    stripe_return_url: str | None
    sms_url: str | None
    sms_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """`read` makes the value of a text, or raises ValueError with what it should have been."""

    name: str
    meaning: str
    default: str
    unit: str
    read: Callable[[str], Any]

    @property
    def field(self) -> str:
        return self.name.removeprefix(PREFIX).lower()


# -- how a text is read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _rate(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,6})", text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise ValueError("REQUESTS/SECONDS, such as 600/60")
    return int(match[1]), int(match[2])


def _one_of(choices: Mapping[str, Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return choices[text.lower()]

    return read


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def _text(text: str) -> str | None:
    return text or None


def _redis(text: str) -> str | None:
    wanted = "redis://, rediss:// or unix:// and where it is"
    if text and not re.fullmatch(r"(rediss?|unix)://[^\s]+", text):
        raise ValueError(wanted)
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError(wanted) from None
    return text or None


def _kafka(text: str) -> str | None:
    server = r"(\[[0-9a-fA-F:.]+\]|[^:\[\]@/?,\s]+):[0-9]{1,5}"
    user, mechanism = r"([^:@/\s]+:[^@/\s]*@)?", r"(\?mechanism=(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512))?"
    if text and not re.fullmatch(rf"kafkas?://{user}{server}(,{server})*{mechanism}", text):
        raise ValueError("kafka:// or kafkas://, and host:port, with commas")
    return text or None


def _token(text: str) -> str | None:
    if text and not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError("16 to 200 printable characters without a space")
    return text or None


def _beginning(*prefixes: str) -> Callable[[str], str | None]:
    """A secret of somebody else's, told by how it begins: a live one where a test one belongs is refused here."""

    def read(text: str) -> str | None:
        if text and not any(re.fullmatch(re.escape(prefix) + r"[A-Za-z0-9_]{8,250}", text) for prefix in prefixes):
            raise ValueError(f"a secret that begins with {' or '.join(prefixes)}")
        return text or None

    return read


def _https(text: str) -> str | None:
    if text and not re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", text):
        raise ValueError("an address that begins with https://")
    return text or None


def _messages(text: str) -> str | None:
    host = r"[A-Za-z0-9.-]+(:[0-9]{1,5})?"
    if text and not re.fullmatch(rf"(https://{host}|http://(127\.0\.0\.1|localhost)(:[0-9]{{1,5}})?)(/[!-~]*)?", text):
        raise ValueError("an address that begins with https://, or http:// on this machine")
    return text or None


def _addresses(text: str) -> str:
    try:
        for part in filter(None, (part.strip() for part in text.split(","))):
            ipaddress.ip_network(part)
    except ValueError:
        # a star would believe anybody's word about who calls
        raise ValueError("IP addresses or networks, with commas") from None
    return text


#: In the order of the reference.
VARIABLES: Final = (
    Variable(
        "MANEX_HOME",
        "The directory of the database, its log and the keys. Without it: `$XDG_DATA_HOME/manex` or"
        " `~/.local/share/manex`; on macOS `~/Library/Application Support/manex`.",
        "",
        "path",
        _path,
    ),
    Variable(
        "MANEX_DATABASE_URL",
        "A PostgreSQL 15 to 18 of yours, as a libpq URI or connection string. Without it Manex runs its own in the home.",
        "",
        "URL",
        _text,
    ),
    Variable(
        "MANEX_REDIS_URL",
        "A Redis 6.2 or later that all gateways of the house share: limits, ended keys, live events. Without it each"
        " process keeps its own.",
        "",
        "URL",
        _redis,
    ),
    Variable(
        "MANEX_REDIS_TIMEOUT_MS",
        "How long Redis may take before a process limits by itself for a while.",
        "50",
        "milliseconds",
        _whole(5, 10_000),
    ),
    Variable(
        "MANEX_KAFKA_URL",
        "Brokers to publish every record to, and for settlement to consume from: `kafka://host:port,host:port`,"
        " `kafkas://` with TLS, `user:password@` and `?mechanism=` for SASL. Without it settlement reads the database.",
        "",
        "URL",
        _kafka,
    ),
    Variable(
        "MANEX_KAFKA_PARTITIONS",
        "Into how many partitions a book's topic is made. A topic that is there keeps its own.",
        "6",
        "partitions",
        _whole(1, 1_000),
    ),
    Variable(
        "MANEX_KAFKA_REPLICAS",
        "How many brokers keep each partition of a topic that is made; 0 takes what the brokers say.",
        "0",
        "brokers",
        _whole(0, 100),
    ),
    Variable(
        "MANEX_KAFKA_PROCESSES",
        "Whether `up` runs the relay and the consumer itself: on or off. Off where `./manex stream` runs them elsewhere.",
        "on",
        "",
        _one_of({"on": True, "off": False}),
    ),
    Variable("MANEX_KEYS_DIR", "Where the server's keys are. Without it: `keys` in the home.", "", "path", _path),
    Variable("MANEX_HOST", "The address to listen on.", "127.0.0.1", "address", lambda text: text),
    Variable("MANEX_PORT", "The port to listen on; 0 takes a free one.", "8000", "port", _whole(0, 65_535)),
    Variable(
        "MANEX_PROCESSES",
        "How many gateway processes share the port.",
        "1",
        "processes",
        _whole(1, LARGEST_PROCESSES),
    ),
    Variable(
        "MANEX_BALANCERS",
        "Balancers whose `X-Forwarded-For` is believed. Without it, nobody's is.",
        "",
        "addresses",
        _addresses,
    ),
    Variable(
        "MANEX_DRAIN_SECONDS",
        "How long a stopping process goes on answering 503, for a balancer to see `/readyz` and turn away.",
        "0",
        "seconds",
        _whole(0, 600),
    ),
    Variable(
        "MANEX_GRACE_SECONDS",
        "How long requests under way may take to finish once a process stops.",
        "20",
        "seconds",
        _whole(1, 600),
    ),
    Variable(
        "MANEX_LOG_LEVEL", "The least that is logged: debug, info, warning or error.", "info", "", _one_of(LEVELS)
    ),
    Variable(
        "MANEX_ACCESS_LOG",
        "Whether each request is a line of the log, at level info: on or off.",
        "on",
        "",
        _one_of({"on": True, "off": False}),
    ),
    Variable(
        "MANEX_METRICS_TOKEN",
        "The bearer token of `/metrics`. Without it: the one in `metrics.token` beside the keys, made at the first start.",
        "",
        "",
        _token,
    ),
    Variable(
        "MANEX_STATEMENT_TIMEOUT_MS",
        "How long one statement may take in the database; the audit's have no limit.",
        "30000",
        "milliseconds",
        _whole(100, 3_600_000),
    ),
    Variable(
        "MANEX_POOL",
        "The most database connections of one process and role. A process has three roles that read, and one"
        " connection that writes.",
        "8",
        "connections",
        _whole(1, 200),
    ),
    Variable("MANEX_RATE_KEY", "Requests of one merchant key.", "1000/1", "requests/seconds", _rate),
    Variable("MANEX_RATE_MEMBER", "Requests of one member.", "300/60", "requests/seconds", _rate),
    Variable("MANEX_RATE_LOOKUP", "Member look-ups of one key.", "600/60", "requests/seconds", _rate),
    Variable("MANEX_RATE_CODE", "One-time codes asked for by one address.", "30/600", "requests/seconds", _rate),
    Variable("MANEX_RATE_ENROLMENT", "Members enrolled by one key.", "2000/3600", "requests/seconds", _rate),
    Variable("MANEX_RATE_OPERATOR", "Requests of one operator key.", "1000/1", "requests/seconds", _rate),
    Variable("MANEX_RATE_STRANGER", "Unknown credentials from one address.", "100/60", "requests/seconds", _rate),
    Variable(
        "MANEX_STRIPE_TEST_KEY",
        "Stripe's secret key for test books. Without it they have no Stripe. Wants the webhook secret and the return"
        " address as well.",
        "",
        "",
        _beginning("sk_test_", "rk_test_"),
    ),
    Variable(
        "MANEX_STRIPE_TEST_WEBHOOK_SECRET",
        "What Stripe's test mode signs its webhooks with.",
        "",
        "",
        _beginning("whsec_"),
    ),
    Variable(
        "MANEX_STRIPE_LIVE_KEY",
        "The same for live books.",
        "",
        "",
        _beginning("sk_live_", "rk_live_"),
    ),
    Variable(
        "MANEX_STRIPE_LIVE_WEBHOOK_SECRET",
        "The same of the live mode.",
        "",
        "",
        _beginning("whsec_"),
    ),
    Variable(
        "MANEX_STRIPE_RETURN_URL",
        "Where people go from Stripe's page when they have paid, or not.",
        "",
        "URL",
        _https,
    ),
    Variable(
        "MANEX_SMS_URL",
        "Who sends text messages, by HTTP (the contract is in wallet.md): https, or http on loopback. Without it codes of"
        " live books go nowhere, and those of test books are said on the terminal, if standard error is one.",
        "",
        "URL",
        _messages,
    ),
    Variable("MANEX_SMS_TOKEN", "The bearer token that the sender asks for.", "", "", _token),
)

_BY_NAME: Final = {variable.name: variable for variable in VARIABLES}


class Misconfigured(Refusal):
    """What is wrong, all of it, a line each. Values are not repeated: one of them may be a secret."""

    exit_code = 2


def text(name: str) -> str:
    """One variable as it is set; its default, perhaps empty, where it is not."""
    return os.environ.get(name) or _BY_NAME[name].default


def load(environ: Mapping[str, str] | None = None) -> Config:
    """All of it, or Misconfigured. A variable that is set to nothing has its default."""
    given = os.environ if environ is None else environ
    found: dict[str, Any] = {}
    faults: list[str] = []
    for variable in VARIABLES:
        try:
            found[variable.field] = variable.read(given.get(variable.name) or variable.default)
        except ValueError as wanted:
            faults.append(f"{variable.name} should be {wanted}")
    faults.extend(unknown(given))
    if faults:
        raise Misconfigured("\n".join(faults))
    return Config(**found)


def unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that look like ours and are not: a limit with a slip in its name would silently not hold."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in _BY_NAME and name not in INTERNAL:
            near = difflib.get_close_matches(name, _BY_NAME, n=1)
            yield f"there is no {name}" + (f"; {near[0]}?" if near else "")


def reference() -> str:
    """The table of `docs/operate.md`."""
    rows = ["| variable | meaning | default | unit |", "|---|---|---|---|"]
    for v in VARIABLES:
        default = f"`{v.default}`" if v.default else ""
        rows.append(f"| `{v.name}` | {v.meaning} | {default} | {v.unit} |")
    return "\n".join(rows)
