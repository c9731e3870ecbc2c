"""The backups of docs/operate.md, made and restored with the commands that stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from deploy import postgres
from deploy.commands.audit import audited
from deploy.home import TREE
from tests.audit.story import lived

DOCUMENT = (TREE / "docs" / "operate.md").read_text()


def as_written(beginning: str, place: Path, **given: str) -> None:
    """Run the command of the document that begins like this, in `place`, with the server's own programs on PATH."""
    line = next(line.strip() for line in DOCUMENT.splitlines() if line.startswith(f"    {beginning}"))
    for shown, meant in given.items():
        line = line.replace(f'"$({shown})"', f'"{meant}"').replace(f'"${shown}"', f'"{meant}"')
    assert "$(" not in line
    programs = postgres.find_binaries().directory
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", line], cwd=place, env={"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.fixture
def lived_in(own_database_url: str) -> str:
    world = lived(own_database_url)
    world.close()
    return own_database_url


def records(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as tx:
        row = tx.execute("select count(*) from ledger.record").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.skipif(not shutil.which("pg_dump", path=str(postgres.find_binaries().directory)), reason="no pg_dump")
def test_a_backup_restored_is_the_same_ledger(lived_in: str, tmp_path: Path) -> None:
    before = audited(lived_in)
    assert before.clean
    copy, base = tmp_path / "dump", tmp_path / "base"
    copy.mkdir()
    as_written("pg_dump", copy, **{"./manex db url --database manex": lived_in})
    as_written("pg_basebackup", tmp_path, **{"./manex db url": lived_in})
    # the whole server in a home of its own; and in it, from nothing, the dump
    with postgres.running(restored(base, tmp_path / "home")) as server:
        name = re.search(r"dbname=(\S+)", lived_in)
        assert name is not None
        assert audited(server.dsn(name[1])).clean
        assert records(server.dsn(name[1])) == records(lived_in)
        with psycopg.connect(server.url, autocommit=True) as tx:
            for (ours,) in tx.execute("select datname from pg_database where datname like 'manex%'").fetchall():
                tx.execute(f"drop database {ours}")
            for role in ("ledger", "settlement", "door", "tenant", "auditor"):
                tx.execute(f"drop role manex_{role}")
            tx.execute("create database again")
        as_written("for role in", copy, URL=server.dsn("again"))
        as_written("pg_restore", copy, URL=server.dsn("again"))
        assert audited(server.dsn("again")).clean
        assert records(server.dsn("again")) == records(lived_in)


def restored(base: Path, home: Path) -> Path:
    home.mkdir(mode=0o700)
    shutil.move(base, home / "postgres")
    return home
