"""The machine a run was on, and the processor time that trees of processes take."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


@dataclass(frozen=True)
class Machine:
    """`load`: how many others wanted the processors in the minute before, where the system says so."""

    cpu: str
    cores: int
    system: str
    python: str
    postgres: str
    load: float | None

    @property
    def told(self) -> dict[str, Any]:
        return asdict(self)


def seen(postgres_version: str) -> Machine:
    try:
        load: float | None = round(os.getloadavg()[0], 2)
    except OSError:
        load = None
    return Machine(
        cpu=_model(),
        cores=_cores(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        postgres=postgres_version,
        load=load,
    )


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _model() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", (_PROC / "cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def seconds_of(*roots: int) -> float | None:
    """Processor seconds of processes, of all that descend from them, and of those of these that have ended.

    None where the system does not tell (there is no /proc).
    """
    tree = _tree(roots)
    # utime, stime, and the same of children that were waited for
    return None if tree is None else sum(sum(map(int, fields[11:15])) for fields in tree) / os.sysconf("SC_CLK_TCK")


def private_bytes_of(*roots: int) -> int | None:
    """Memory that processes, and all that descend from them, have each for itself. None where the system does not tell."""
    tree = _tree(roots)
    if tree is None:
        return None
    total = 0
    for fields in tree:
        try:
            status = (_PROC / fields[-1] / "status").read_text()
        except OSError:
            continue
        if found := re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE):
            total += int(found[1]) * 1024
    return total


def _tree(roots: Sequence[int]) -> list[list[str]] | None:
    """The fields of /proc/PID/stat behind the name, then the PID, of processes and all that descend from them."""
    if not (_PROC / "self" / "stat").exists():
        return None
    children: dict[int, list[int]] = {}
    told: dict[int, list[str]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        children.setdefault(int(fields[1]), []).append(pid)
        told[pid] = [*fields, entry.name]
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        if pid in told:
            found.append(told[pid])
        todo += children.get(pid, [])
    return found
