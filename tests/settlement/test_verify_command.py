"""`manex verify` as it is typed: what the document shows runs, and no file makes it fall over."""

import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy import keys as server_keys
from deploy.commands import keys as keys_command
from gateway.proofs import Proofs
from settlement import proof
from tests.settlement import proving
from tests.settlement.proving import receipt, seal, signed, supply, written

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^\s+\./manex (verify .*)$", (ROOT / "docs" / "verify.md").read_text(), re.MULTILINE)


@pytest.fixture
def files(world: Any, tmp_path: Path) -> Path:
    """The files that the document has saved."""
    world.shop("cafe", "deferred", redemption_ppm=12_345)
    world.shop("gym", "deferred", redemption_ppm=10_001)
    for number in (1, 2):
        world.earn("ann", "cafe", 70)
        world.redeem("ann", "gym", 33)
        world.close(number)
    seal(world)
    written(tmp_path / "statement-before.json", signed(world, "gym", 1))
    written(tmp_path / "statement.json", signed(world, "gym", 2))
    written(tmp_path / "supply.json", supply(world))
    written(tmp_path / "receipt.json", receipt(world, "ann"))
    written(tmp_path / "proof-keys.json", {"keys": [proof.keys.jwk(proving.SEALING.signer.x)]})
    return tmp_path


def run(place: Path, *words: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "deploy", *words],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


def test_every_command_of_the_document_proves_what_it_says(files: Path) -> None:
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        done = run(files, *command.split())
        assert (done.returncode, done.stderr) == (0, ""), (command, done.stdout)
        assert done.stdout.startswith("HOLDS\n  proved: "), command
        assert "  rests on: the key " in done.stdout


def test_what_does_not_hold_is_named_and_so_is_what_cannot_be_read(files: Path) -> None:
    document = json.loads((files / "statement.json").read_text())
    document["items"][0]["accepted_points"] += 1
    written(files / "forged.json", document)
    (files / "torn.json").write_bytes((files / "statement.json").read_bytes()[:-20])
    for name, code, said in (
        ("forged.json", 1, f"DOES NOT HOLD: forged.json: /items/0: {document['items'][0]['item']} is not what"),
        ("torn.json", 2, "CANNOT BE READ: torn.json: not JSON"),
        ("receipt.json", 2, "CANNOT BE READ: receipt.json: a receipt is proved against a supply"),
        ("missing.json", 2, "CANNOT BE READ: missing.json: No such file"),
        (".", 2, "CANNOT BE READ: .: Is a directory"),
    ):
        done = run(files, "verify", name, "--key", "proof-keys.json")
        assert (done.returncode, done.stderr) == (code, ""), name
        assert done.stdout.startswith(said), done.stdout


def test_a_file_larger_than_asked_for_is_not_read(files: Path) -> None:
    assert proof.verdict(files / "statement.json", largest=100).code == 2


def test_no_file_makes_it_fall_over(files: Path) -> None:
    """Bytes turned, cut out, doubled and swapped at random: each is refused with a reason, or nothing was changed."""
    random = Random(5)
    keys, supply_file = files / "proof-keys.json", files / "supply.json"
    hostile = files / "hostile.json"
    for name in ("statement.json", "supply.json", "receipt.json", "proof-keys.json"):
        raw = (files / name).read_bytes()
        for _ in range(250):
            at, until = sorted(random.choices(range(len(raw)), k=2))
            piece = raw[at : min(until, at + 40)]
            other = random.choice(
                [b"", b"{", b"[[[", b'"', b"\xff", b"null", b"-1", b"1e9", b"9" * 50, piece * 2, b'{"a":1,']
            )
            changed = raw[:at] + other + raw[at + len(piece) :]
            hostile.write_bytes(changed)
            if name == "receipt.json":
                found = proof.verdict(supply_file, key=keys, receipt=hostile)
            elif name == "proof-keys.json":
                found = proof.verdict(supply_file, key=hostile)
            else:
                found = proof.verdict(hostile, key=keys)
            assert found.code in (0, 1, 2)
            if found.code == 0 and name != "proof-keys.json":
                assert json.loads(changed) == json.loads(raw)
            assert found.code == 0 or found.why


def test_keys_are_renewed_without_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANEX_HOME", str(tmp_path))
    monkeypatch.delenv("MANEX_KEYS_DIR", raising=False)
    command = CliRunner()

    def told() -> Any:
        return json.loads(command.invoke(keys_command.app, ["list", "--json"]).stdout)["keys"]

    def signs() -> str:
        found = server_keys.load(tmp_path)
        return Proofs([(key.signs_from, key.pem) for key in found.proof], found.salts).sealing().signer.kid

    (first,) = told()
    assert signs() == first["kid"]
    assert command.invoke(keys_command.app, ["renew", "--hours", "24"]).exit_code == 0
    assert [key["kid"] for key in told()][1] == first["kid"], "published before it signs"
    assert signs() == first["kid"]
    assert isinstance(command.invoke(keys_command.app, ["retire"]).exception, Exception), "nothing to retire yet"
    assert command.invoke(keys_command.app, ["renew", "--hours", "0"]).exit_code == 0
    assert signs() == told()[1]["kid"] != first["kid"]
    before = told()
    assert command.invoke(keys_command.app, ["retire"]).exit_code == 0
    assert told() == before, "what was signed is proved for ever"
    private = [file.name for file in (tmp_path / "keys").glob("proof-*") if b"PRIVATE" in file.read_bytes()]
    assert len(private) == 2
