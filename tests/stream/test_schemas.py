"""The stream's documents are made from the declarations, and are the ones that were read.

After a change that is meant: `MANEX_UPDATE=1 .venv/bin/python -m pytest tests/stream/test_schemas.py`, then read the
difference of docs/events/ before it is kept. A field that goes or means something else wants a new version in
`ledger/wire.py`; a field that comes does not.
"""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path

import pytest

from deploy import events
from deploy.home import TREE
from ledger import wire

PLACE = TREE / "docs" / "events"
DOCUMENT = PLACE / "asyncapi.json"


def documents() -> dict[str, str]:
    made = {name: events.as_text(schema) for name, schema in events.schemas().items()}
    return made | {DOCUMENT.name: events.as_text(events.document())}


def test_the_documents_are_the_ones_that_were_read() -> None:
    made = documents()
    if os.environ.get("MANEX_UPDATE"):
        PLACE.mkdir(exist_ok=True)
        for old in PLACE.glob("*.json"):
            old.unlink()
        for name, text in made.items():
            (PLACE / name).write_text(text)
    assert {path.name: path.read_text() for path in PLACE.glob("*.json")} == made, "see the head of this file"


def test_every_reference_leads_somewhere() -> None:
    for text in documents().values():
        whole = json.loads(text)
        for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
            if reference.startswith("$defs/"):
                continue  # of the schema it stands in; the next test follows these
            place = whole
            for part in reference.split("/"):
                place = place[part]


@pytest.mark.parametrize("kind", sorted(events.FACTS))
def test_a_schema_stands_by_itself(kind: str) -> None:
    text = json.dumps(events.schema(kind))
    assert set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', text)) <= set(events.schema(kind).get("$defs", {}))
    assert events.schema(kind)["description"], "say what happened"


def test_every_kind_that_the_documents_list_is_declared_and_the_other_way_round() -> None:
    """docs/postings.md lists every record there is; those that are not in the code yet are left out."""
    listed: set[str] = set()
    for line in (TREE / "docs" / "postings.md").read_text().splitlines():
        cells = line.split("|")
        if len(cells) > 3 and cells[-2].strip() == "yes":
            for cell in cells[2:-2]:
                for part in re.findall(r"((?:`[a-z_]+`(?:, )?)+)(?::|$| with|, the whole)", cell.strip()):
                    listed |= set(re.findall(r"`([a-z_]+)`", part))
    assert events.FACTS.keys() - listed == set()


def test_nothing_that_is_posted_is_undeclared() -> None:
    """Kinds that stand in the code as words; those that are put together there are met by the stories."""
    found: set[str] = set()
    for package in ("ledger", "merchants", "settlement"):
        for path in Path(TREE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "record"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and isinstance(node.args[0].value, str)
                ):
                    found.add(node.args[0].value)
    assert found - events.FACTS.keys() == set()
    assert len(found) > 20
    assert wire.WATERMARK not in events.FACTS
