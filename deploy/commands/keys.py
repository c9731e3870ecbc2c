"""`manex keys`: the keys that windows are signed with, renewed without a gap."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from deploy import keys as server_keys
from deploy.errors import Refusal
from deploy.home import manex_home
from gateway.proofs import Proofs

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="The keys that windows are signed with.",
)


@app.callback()
def keys() -> None:
    """The keys that windows are signed with."""


@app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="As they are published.")] = False) -> None:
    """Every key that signs, is about to or did, the newest first."""
    published = Proofs([(key.signs_from, key.pem) for key in server_keys.proof_keys(manex_home())], b"").jwks()
    if as_json:
        typer.echo(json.dumps(published, default=datetime.isoformat, indent=2))
        return
    for key in published["keys"]:
        typer.echo(f"{key['kid']}  signs from {key['signs_from']:%Y-%m-%d %H:%M:%S} UTC")


@app.command()
def renew(
    hours: Annotated[int, typer.Option(min=0, max=24 * 365, help="Until the new key signs.")] = 24,
) -> None:
    """Make a new key. Restart the gateways: they publish it at once, and sign with it when its time has come."""
    server_keys.proof_keys(manex_home())
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    server_keys.new_proof_key(manex_home(), at)
    typer.echo(f"a new key signs from {at:%Y-%m-%d %H:%M:%S} UTC; restart the gateways before that")


@app.command()
def retire() -> None:
    """Forget the private parts of the keys that sign no more. What they signed is proved as before."""
    found = server_keys.proof_keys(manex_home())
    now = datetime.now(UTC)
    past = [key for key in found if b"PRIVATE" in key.pem and key.signs_from <= now][:-1]
    if not past:
        raise Refusal("no key has been followed by another yet")
    for key in past:
        server_keys.retire(manex_home(), key)
    typer.echo(f"{len(past)} private {'key is' if len(past) == 1 else 'keys are'} gone")
