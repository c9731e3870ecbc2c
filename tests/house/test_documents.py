"""What the documents tell a reader to type exists, options and all; what they point to is there."""

import contextlib
import functools
import io
import re
from pathlib import Path

import pytest

from deploy.__main__ import COMMANDS, run

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def spoken() -> list[tuple[str, str, tuple[str, ...]]]:
    """(document, command, options) of every ./manex line."""
    found = set()
    for document in DOCUMENTS:
        for words in re.findall(r"\./manex ([^\n`#)]*)", document.read_text()):
            parts = words.split()
            if parts and re.fullmatch("[a-z]+", parts[0]):
                options = tuple(sorted({p.split("=")[0] for p in parts[1:] if p.startswith("--")}))
                rest = " ".join([parts[0], *[p for p in parts[1:2] if re.fullmatch("[a-z]+", p)]])
                found.add((document.name, rest, options))
    return sorted(found)


@functools.cache
def help_of(command: str) -> str:
    """What a command says of itself. Documents speak of most of them several times."""
    name, *sub = command.split()
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        for variable, value in (("COLUMNS", "200"), ("NO_COLOR", "1"), ("TERM", "dumb")):
            patch.setenv(variable, value)
        with pytest.raises(SystemExit) as ended:
            run(name, [*sub, "--help"])
    assert not ended.value.code, said.getvalue()
    return said.getvalue()


@pytest.mark.parametrize(("document", "command", "options"), spoken())
def test_a_command_in_the_documents_can_be_typed(document: str, command: str, options: tuple[str, ...]) -> None:
    name, *sub = command.split()
    assert name in COMMANDS, f"{document} speaks of ./manex {command}"
    if sub:
        help_of(command)
    for option in options:
        assert option in help_of(command), f"{document}: ./manex {command} has no {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_lead_somewhere(document: Path) -> None:
    missing = [link for link in _LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert missing == []
