"""`manex verify`: a statement or a supply, proved from its file, with no server and no database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from settlement import proof


def verify(
    file: Annotated[Path, typer.Argument(help="A signed statement, or the public supply of a window.")],
    key: Annotated[
        Path | None, typer.Option(help="The network's keys, as /.well-known/proof-keys.json publishes them.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="A member's receipt, to prove that its points are inside a supply.")
    ] = None,
    before: Annotated[Path | None, typer.Option(help="A file of the window before, to prove the link to it.")] = None,
    largest_mb: Annotated[int, typer.Option(min=1, max=16_384, help="Files larger than this are refused.")] = 128,
) -> None:
    """Exits 0 when all of it holds, 1 when something does not, 2 when it cannot be read."""
    found = proof.verdict(file, key=key, receipt=receipt, before=before, largest=largest_mb * 1024 * 1024)
    typer.echo("\n".join(found.lines()))
    raise typer.Exit(found.code)
