"""`manex features`: what Manex does, row by row, and the tests that show it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from deploy.features import Features, collect
from deploy.home import TREE


def features(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Exits 1 when a test names a row that docs/features.md does not have."""
    found = collect(TREE / "docs" / "features.md", TREE / "tests", TREE)
    typer.echo(as_document(found) if as_json else as_table(found))
    for row, story in found.unknown:
        typer.echo(f"docs/features.md has no row {row}, named by {story}", err=True)
    if found.unknown:
        raise typer.Exit(1)


def as_document(found: Features) -> str:
    rows = [{"row": row.name, "title": row.title, "stories": list(row.stories)} for row in found.rows]
    return json.dumps({"rows": rows}, ensure_ascii=False, indent=2)


def as_table(found: Features) -> str:
    width = max((len(row.title) for row in found.rows), default=0)
    lines: list[str] = []
    for row in found.rows:
        first, *others = row.stories or ("absent",)
        lines.append(f"{row.name:<4}{row.title:<{width}}  {first}")
        lines.extend(f"{'':<4}{'':<{width}}  {story}" for story in others)
    told = sum(1 for row in found.rows if row.stories)
    return "\n".join([*lines, "", f"{told} of {len(found.rows)} rows have a story"])
