"""Configuration: by environment, checked whole, and the reference says what the code reads."""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path

import pytest

from deploy import asgi, config
from deploy.home import TREE
from gateway.limits import Rate
from gateway.server import Settings


def test_nothing_set_gives_the_defaults_of_the_doors() -> None:
    chosen = config.load({})
    assert (chosen.host, chosen.port, chosen.processes) == ("127.0.0.1", 8000, 1)
    assert asgi.settings_of(chosen) == Settings()


def test_what_is_set_is_read() -> None:
    chosen = config.load(
        {
            "MANEX_HOME": "/srv/manex",
            "MANEX_PROCESSES": "4",
            "MANEX_LOG_LEVEL": "Warning",
            "MANEX_ACCESS_LOG": "off",
            "MANEX_RATE_KEY": "50/10",
            "MANEX_BALANCERS": "10.0.0.1, 10.1.0.0/16",
            "MANEX_PORT": "",
        }
    )
    assert chosen.home == Path("/srv/manex")
    assert (chosen.processes, chosen.port, chosen.log_level, chosen.access_log) == (4, 8000, logging.WARNING, False)
    assert asgi.settings_of(chosen).live.key == Rate(50, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MANEX_PORT", "65536"),
        ("MANEX_PORT", "-1"),
        ("MANEX_PORT", "8 000"),
        ("MANEX_PROCESSES", "0"),
        ("MANEX_PROCESSES", "٤"),
        ("MANEX_LOG_LEVEL", "loud"),
        ("MANEX_ACCESS_LOG", "yes"),
        ("MANEX_RATE_KEY", "10"),
        ("MANEX_RATE_KEY", "0/1"),
        ("MANEX_RATE_MEMBER", "1/0"),
        ("MANEX_BALANCERS", "*"),
        ("MANEX_METRICS_TOKEN", "short"),
        ("MANEX_STATEMENT_TIMEOUT_MS", "0"),
        ("MANEX_REDIS_URL", "127.0.0.1:6379"),
        ("MANEX_REDIS_URL", "http://127.0.0.1"),
        ("MANEX_REDIS_URL", "redis://:hushhush@127.0.0.1:port"),
        ("MANEX_REDIS_TIMEOUT_MS", "0"),
        ("MANEX_PROCESES", "2"),
    ],
)
def test_a_fault_is_told_by_name_and_never_by_value(name: str, value: str) -> None:
    with pytest.raises(config.Misconfigured) as told:
        config.load({name: value, "MANEX_POOL": "none"})
    assert name in str(told.value)
    assert "MANEX_POOL" in str(told.value)  # every fault at once
    assert value not in str(told.value).replace(name, "") or len(value) < 3


def test_a_slip_is_answered_with_the_name_that_was_meant() -> None:
    with pytest.raises(config.Misconfigured, match=r"there is no MANEX_PROCESES; MANEX_PROCESSES\?"):
        config.load({"MANEX_PROCESES": "2"})


def test_secrets_are_not_in_what_is_shown_of_it() -> None:
    chosen = config.load(
        {
            "MANEX_DATABASE_URL": "dbname=x password=hush",
            "MANEX_REDIS_URL": "redis://:hush@127.0.0.1",
            "MANEX_METRICS_TOKEN": "t" * 20,
        }
    )
    assert "hush" not in repr(chosen)
    assert "ttt" not in repr(chosen)


def test_every_variable_is_a_field() -> None:
    assert [v.field for v in config.VARIABLES] == [f.name for f in dataclasses.fields(config.Config)]


def test_the_reference_is_the_table() -> None:
    """After a change of the table: print(config.reference())."""
    assert config.reference() in (TREE / "docs" / "operate.md").read_text()


def test_nobody_else_reads_the_environment_for_what_is_configured() -> None:
    known = {v.name for v in config.VARIABLES} | config.INTERNAL
    strays: list[str] = []
    for package in ("ledger", "merchants", "settlement", "gateway", "wallet_app", "deploy"):
        for path in (TREE / package).rglob("*.py"):
            for line in path.read_text().splitlines():
                if re.search(r'environ(\.get\(|\[)"MANEX_', line) and "MANEX_SERVE_URL" not in line:
                    strays.append(f"{path.relative_to(TREE)}: {line.strip()}")
            strays += [f"{path}: {n}" for n in re.findall(r'"(MANEX_\w+)"', path.read_text()) if n not in known]
    assert strays == []
