"""What a run says: a table for people, a document for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.bench import rounds
from deploy.bench.machine import Machine
from deploy.bench.rounds import Figure, Turn

#: Of its processors, so many may be wanted by others before a run.
BUSY: Final = 0.25


@dataclass
class Part:
    """One benchmark's share of a run: its figures, the turns they come from, and what its databases failed to prove."""

    name: str
    turns: list[Turn]
    figures: list[Figure]
    broken: list[str] = field(default_factory=list)


@dataclass
class Report:
    """`settings`: how the run was asked for; a figure of a small one says nothing of a large one."""

    machine: Machine
    settings: dict[str, Any]
    parts: list[Part] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        return [check for part in self.parts for check in part.broken]

    @property
    def figures(self) -> list[Figure]:
        return [figure for part in self.parts for figure in part.figures]

    def document(self) -> dict[str, Any]:
        return {
            "ratios": {figure.wanted.key: round(figure.ratio, 3) for figure in self.figures},
            "floors": {figure.wanted.key: figure.wanted.floor for figure in self.figures},
            "by_round": {figure.wanted.key: [round(r, 3) for r in figure.by_round] for figure in self.figures},
            "runs": [{"of": part.name, **told} for part in self.parts for told in rounds.of_contenders(part.turns)],
            "settings": self.settings,
            "machine": self.machine.told,
            "audit": "clean",
        }

    def json(self) -> str:
        return json.dumps(self.document(), indent=2)


def show(console: Console, report: Report) -> None:
    machine = report.machine
    load = "" if machine.load is None else f", load {machine.load} before"
    console.print(
        f"{machine.cpu}, {machine.cores} cores{load}; {machine.system}, PostgreSQL {machine.postgres},"
        f" Python {machine.python}\n",
        highlight=False,
    )
    if machine.load is not None and machine.load > BUSY * machine.cores:
        # sixteen clients and their servers get more of a machine that is asked for than one writer and its server do
        console.print(
            "others were at work on this machine: what has fewer processes looks slower than it is\n", style="yellow"
        )
    for part in report.parts:
        console.print(_contenders(part))
        console.print()
    console.print(_figures(report))
    console.print("\nevery database of the run audits clean", style="green", highlight=False)


def _figures(report: Report) -> Table:
    table = Table("figure", "is", box=None, pad_edge=False)
    for name in ("ratio", "should be", "rounds"):
        table.add_column(name, justify="right")
    for figure in report.figures:
        wanted = figure.wanted
        reached = wanted.reached(figure.ratio)
        table.add_row(
            wanted.key,
            f"{wanted.contender} / {wanted.against}",
            Text(f"{figure.ratio:.2f}", "bold green" if reached else "bold red"),
            f"{wanted.floor:g} at most" if wanted.at_most else f"{wanted.floor:g}",
            " ".join(f"{ratio:.2f}" for ratio in figure.by_round),
        )
    return table


def _contenders(part: Part) -> Table:
    table = Table(part.name, box=None, pad_edge=False)
    for name in ("a second", "p50 ms", "p99 ms", "Python cores", "PostgreSQL cores"):
        table.add_column(name, justify="right")
    for told in rounds.of_contenders(part.turns):
        figures = ("p50_ms", "p99_ms", "python_cores", "postgres_cores")
        table.add_row(
            told["contender"],
            f"{told['operations_per_second']:,.0f}",
            *("" if told[name] is None else f"{told[name]:.2f}" for name in figures),
        )
    return table
