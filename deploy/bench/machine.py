"""The machine a run was on, and the processor time that trees of processes take."""

from __future__ import annotations

import os
import platform
import re
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
    if not (_PROC / "self" / "stat").exists():
        return None
    children: dict[int, list[int]] = {}
    spent: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        children.setdefault(int(fields[1]), []).append(pid)
        # utime, stime, and the same of children that were waited for
        spent[pid] = sum(int(field) for field in fields[11:15])
    ticks, todo = 0, list(roots)
    while todo:
        pid = todo.pop()
        ticks += spent.get(pid, 0)
        todo += children.get(pid, [])
    return ticks / os.sysconf("SC_CLK_TCK")
