"""What the documents tell a reader to type exists, options and all; what they point to is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.__main__ import COMMANDS

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


@pytest.mark.parametrize(("document", "command", "options"), spoken())
def test_a_command_in_the_documents_can_be_typed(document: str, command: str, options: tuple[str, ...]) -> None:
    name, *sub = command.split()
    assert name in COMMANDS, f"{document} speaks of ./manex {command}"
    if not options and not sub:
        return
    said = subprocess.run(
        [sys.executable, "-m", "deploy", name, *sub, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "NO_COLOR": "1", "TERM": "dumb"},
    )
    assert said.returncode == 0, said.stderr
    for option in options:
        assert option in said.stdout, f"{document}: ./manex {command} has no {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_lead_somewhere(document: Path) -> None:
    missing = [link for link in _LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert missing == []
