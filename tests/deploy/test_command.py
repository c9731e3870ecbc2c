"""The `manex` command itself."""

from __future__ import annotations

import importlib

import pytest
import typer

from deploy.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_can_be_run(name: str) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    assert isinstance(target, typer.Typer) or callable(target)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name}" in said and command.help in said for name, command in COMMANDS.items())


def test_an_unknown_command_is_refused_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tset"]) == 2
    assert "Did you mean test?" in capsys.readouterr().err


def test_a_refusal_is_one_sentence_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANEX_DATABASE_URL", "dbname=elsewhere")
    assert main(["db", "stop"]) == 1
    assert capsys.readouterr().err.startswith("manex db: MANEX_DATABASE_URL is set")
