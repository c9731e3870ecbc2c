"""`manex operator`: keys made and ended at the terminal."""

import json
import time

import pytest
from typer.testing import CliRunner

from deploy.commands.operator import app
from deploy.errors import Refusal
from tests.gateway.network import Api


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("MANEX_DATABASE_URL", api.url)
    return CliRunner()


def test_a_key_is_printed_once_and_works_until_it_is_ended(api: Api, run: CliRunner) -> None:
    made = run.invoke(app, ["key", "--name", "night shift", "--roles", "auditor", "--json"])
    told = json.loads(made.stdout)
    assert told["roles"] == ["auditor"]
    assert api.call("GET", "/v1/operator/books", by=told["key"]).status_code == 200
    assert run.invoke(app, ["revoke", told["id"]]).exit_code == 0
    time.sleep(1.05)
    assert api.call("GET", "/v1/operator/books", by=told["key"]).status_code == 401
    assert isinstance(run.invoke(app, ["revoke", told["id"]]).exception, Refusal)


def test_two_keys_of_one_person_stand_for_one(api: Api, run: CliRunner) -> None:
    first = json.loads(run.invoke(app, ["key", "--name", "mina", "--json"]).stdout)
    second = json.loads(run.invoke(app, ["key", "--name", "laptop", "--operator", "mina", "--json"]).stdout)
    third = json.loads(run.invoke(app, ["key", "--name", "omid", "--json"]).stdout)
    assert first["operator"] == second["operator"] != third["operator"]


def test_a_key_may_be_good_for_one_book(api: Api, run: CliRunner) -> None:
    plain = run.invoke(app, ["key", "--name", "one book", "--book", api.book])
    key = plain.stdout.splitlines()[0]
    assert [b["id"] for b in api.done("GET", "/v1/operator/books", by=key)["data"]] == [api.book]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--roles", "owner"],
        ["--roles", ","],
        ["--operator", "nobody"],
        ["--book", "bok_" + 32 * "0"],
    ],
)
def test_what_is_not_there_is_said(run: CliRunner, arguments: list[str]) -> None:
    assert isinstance(run.invoke(app, ["key", "--name", "x", *arguments]).exception, Refusal)
