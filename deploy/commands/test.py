"""`manex test`: every check of the code, then the tests. It starts nothing: tests start what they need."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from deploy.home import TREE

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

STATIC: tuple[tuple[str, ...], ...] = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)
# By module, since the scripts of a .venv that was moved no longer find their Python; this one has no module.
LINT_IMPORTS = ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


#: Each has a PostgreSQL of its own.
WORKERS = 3


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check(
    context: typer.Context,
    fast: Annotated[bool, typer.Option("--fast", help="The tests only.")] = False,
) -> None:
    """Check the code (ruff, mypy, import-linter) and run the tests; the first failure is the exit code.

    Other words go to pytest: manex test --fast tests/ledger -k earn
    """
    # side by side, a file at a time: what takes long waits for processes more than it computes
    side_by_side = () if "-n" in context.args else ("-n", str(WORKERS), "--dist", "loadfile")
    steps = [*(() if fast else STATIC), ("pytest", *side_by_side, *context.args)]
    for step in steps:
        typer.secho(f"== {' '.join(step)}", bold=True)
        code = run(step)
        if code != 0:
            typer.secho(f"== {step[0]} failed ({code})", bold=True, err=True)
            raise typer.Exit(code)


def run(step: tuple[str, ...]) -> int:
    """Run a tool of .venv from the tree, with its output going straight to the terminal."""
    tool, *arguments = step
    start = LINT_IMPORTS if tool == "lint-imports" else ("-m", tool)
    return subprocess.run([sys.executable, "-P", *start, *arguments], cwd=TREE, check=False).returncode
