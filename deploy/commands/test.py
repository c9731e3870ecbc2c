"""`manex test`: every check of the code, then the tests. It starts nothing: tests start what they need."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from typing import IO, Annotated, Final

import typer

from deploy.home import TREE

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Step = tuple[str, ...]

QUICK: Final[tuple[Step, ...]] = (("ruff", "check", "."), ("ruff", "format", "--check", "."))
#: These take a core for a minute, which the tests leave idle in between.
BESIDE: Final[tuple[Step, ...]] = (("mypy",), ("lint-imports",))
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
    # side by side, a file at a time in the order of tests/conftest.py: what takes long waits for processes more than it
    # computes
    side_by_side: Step = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
    if "-n" in context.args:
        side_by_side = ()
    for step in () if fast else QUICK:
        told(step, started(step).wait())
    with contextlib.ExitStack() as files:
        beside = []
        for step in () if fast else BESIDE:
            out = files.enter_context(tempfile.TemporaryFile())
            beside.append((step, started(step, out), out))
        try:
            tests: Step = ("pytest", *side_by_side, *context.args)
            code = started(tests).wait()
            for step, process, out in beside:
                if process.wait() != 0:
                    out.seek(0)
                    typer.echo(out.read())
                told(step, process.returncode)
        finally:
            for _, process, _ in beside:
                process.kill()
    told(tests, code)


def told(step: Step, code: int) -> None:
    """The end of a step; one that failed ends the command with its code."""
    if code != 0:
        typer.secho(f"== {step[0]} failed ({code})", bold=True, err=True)
        raise typer.Exit(code)


def started(step: Step, out: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """A tool of .venv begun in the tree; what it says goes to the terminal, or to a file."""
    typer.secho(f"== {' '.join(step)}", bold=True)
    tool, *arguments = step
    start = LINT_IMPORTS if tool == "lint-imports" else ("-m", tool)
    return subprocess.Popen([sys.executable, "-P", *start, *arguments], cwd=TREE, stdout=out, stderr=out)
