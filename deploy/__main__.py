"""The `manex` command: a table of commands, each imported only when it is run."""

from __future__ import annotations

import difflib
import importlib
import sys
from typing import NamedTuple

from deploy.errors import Refusal


class Command(NamedTuple):
    """`target` is "module:name" of a typer.Typer, or of a function whose parameters are the options."""

    target: str
    help: str


COMMANDS: dict[str, Command] = {
    "up": Command("deploy.commands.up:up", "Serve: database, gateways and all, on this machine."),
    "demo": Command("deploy.commands.demo:demo", "A coalition of shops lives through a year of real baskets."),
    "audit": Command("deploy.commands.audit:audit", "Prove every book again from its raw rows."),
    "verify": Command("deploy.commands.verify:verify", "Prove a statement or the public supply from its file."),
    "keys": Command("deploy.commands.keys:app", "Renew the keys that windows are signed with."),
    "operator": Command("deploy.commands.operator:app", "Make and end the keys that operators call with."),
    "settlement": Command("deploy.commands.settlement:app", "Derive what follows from the stream again, and compare."),
    "stream": Command("deploy.commands.stream:app", "Events over Kafka: publish, consume, and what they look like."),
    "soak": Command(
        "deploy.commands.soak:app",
        "Rehearse what goes wrong: kill -9 under load, and calls made up from the API's document.",
    ),
    "bench": Command("deploy.commands.bench:bench", "How fast it is, beside PostgreSQL's own pgbench."),
    "simulate": Command("deploy.commands.simulate:app", "Random histories against the ledger and a plain model."),
    "offers": Command("deploy.commands.offers:app", "What hold-outs show, rehearsed on real baskets."),
    "db": Command("deploy.commands.db:app", "Start, stop and look at the local database server."),
    "test": Command("deploy.commands.test:app", "Check the code and run the tests."),
    "features": Command("deploy.commands.features:features", "List what Manex does and the tests that show it."),
}


def overview() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(["Usage: manex COMMAND [OPTIONS]", "", "Commands:", *lines, "", "manex COMMAND --help says more."])


def run(name: str, arguments: list[str]) -> None:
    """Run one command; it leaves by SystemExit or returns when it has gone well."""
    import typer

    module, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    app = target
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(help=COMMANDS[name].help)(target)
    app(arguments, prog_name=f"manex {name}")


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(overview())
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        print(f"manex has no command {name!r}.{hint} Its commands: {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    try:
        run(name, rest)
    except Refusal as refusal:
        print(f"manex {name}: {refusal}", file=sys.stderr)
        return refusal.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
