"""What the year came to: read from the API, put together here, shown as a document or on a terminal."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.demo.network import EXPONENT, SHOPS
from deploy.demo.state import State
from deploy.demo.wire import Wire

#: Who earns the fees, in the table of positions.
OPERATOR = "operator"


class Shares(msgspec.Struct, frozen=True):
    """What all windows came to for one merchant, in minor units: position == receivable - payable - fees."""

    name: str
    mode: str
    branches: int
    receivable: int
    payable: int
    fees: int
    position: int


class Points(msgspec.Struct, frozen=True):
    """issued == redeemed + expired + returned + outstanding."""

    issued: int
    redeemed: int
    expired: int
    # taken home by refunds of sales
    returned: int
    outstanding: int
    # of those outstanding: in a return period; good at their own shop only
    pending: int
    closed_loop: int
    # of those redeemed: what repaid debts
    repaid: int
    given: int
    # what members owe shops at the end
    owed: int


class Refunds(msgspec.Struct, frozen=True):
    """Of sales: how many, their minor units, the points that went with it. Of redemptions: how many, the points back."""

    sales: int
    amount: int
    points: int
    redemptions: int
    restored: int


class Settlement(msgspec.Struct, frozen=True):
    """Minor units. `saving` is the share of the gross that needed no payment, in parts per million."""

    windows: int
    gross: int
    bilateral: int
    multilateral: int
    saving: int
    positions: dict[str, int]
    # who owed whom: debtor, creditor, cents
    matrix: dict[str, dict[str, int]]


class Report(msgspec.Struct, frozen=True):
    baskets: int
    members: int
    points: Points
    refunds: Refunds
    settlement: Settlement
    merchants: list[Shares]
    audit: str = ""
    seconds: float = 0.0


async def read(wire: Wire, state: State) -> Report:
    """The figures of the book, from what its operator can ask."""
    book = f"/v1/operator/books/{state.book}"
    summary = await wire.get(f"{book}/summary", state.maker)
    windows = [w["id"] for w in await wire.pages(f"{book}/windows", state.maker) if w["state"] == "settled"]
    names = {merchant.id: shop.name for merchant, shop in zip(state.merchants, SHOPS, strict=True)}
    owed: dict[str, Counter[str]] = {name: Counter() for name in names.values()}
    for matrix in await _of_windows(wire, state, windows, "matrix"):
        for row in matrix["data"]:
            debtor, creditor = (names.get(row[who], OPERATOR) for who in ("debtor", "creditor"))
            owed.setdefault(debtor, Counter())[creditor] += row["value"]["amount"]
    settled, refunds = summary["settlement"], summary["refunds"]
    gross, multilateral = settled["gross"]["amount"], settled["multilateral"]["amount"]
    positions = dict.fromkeys([*names.values(), OPERATOR], 0)
    positions |= {names.get(row["party"], OPERATOR): row["position"]["amount"] for row in settled["positions"]}
    return Report(
        baskets=summary["baskets"],
        members=summary["members"],
        points=msgspec.convert(summary["points"], Points),
        refunds=msgspec.convert({**refunds, "amount": refunds["amount"]["amount"]}, Refunds),
        settlement=Settlement(
            windows=settled["windows"],
            gross=gross,
            bilateral=settled["bilateral"]["amount"],
            multilateral=multilateral,
            saving=(gross - multilateral) * 1_000_000 // gross if gross else 0,
            positions=positions,
            matrix={debtor: dict(sorted(row.items())) for debtor, row in owed.items()},
        ),
        merchants=await _merchants(wire, state, windows),
    )


async def _merchants(wire: Wire, state: State, windows: list[str]) -> list[Shares]:
    sums: dict[str, Counter[str]] = {merchant.id: Counter() for merchant in state.merchants}
    for positions in await _of_windows(wire, state, windows, "positions"):
        for row in positions["data"]:
            if row["party"] in sums:
                for what in ("receivable", "payable", "fee", "position"):
                    sums[row["party"]][what] += row[what]["amount"]
    branches = Counter(state.plan.shop_of_store.values())
    return [
        Shares(
            shop.name,
            shop.mode,
            branches[place],
            found["receivable"],
            found["payable"],
            found["fee"],
            found["position"],
        )
        for place, (shop, found) in enumerate(zip(SHOPS, sums.values(), strict=True))
    ]


async def _of_windows(wire: Wire, state: State, windows: list[str], what: str) -> list[Any]:
    return await asyncio.gather(*(wire.get(f"/v1/operator/windows/{id}/{what}", state.maker) for id in windows))


# -- on a terminal


def show(console: Console, report: Report, serving: str) -> None:
    console.print()
    console.print(
        Group(
            _headline(report),
            Text("\nWhat their windows came to for each merchant", "bold"),
            _table(report),
            Text("\nWho owes whom (the row owes the column, whole dollars, fees included)", "bold"),
            _matrix(report),
            "",
            _totals(report),
            "",
        )
    )
    console.print(_next(serving), highlight=False)


def _headline(report: Report) -> RenderableType:
    points, refunds = report.points, report.refunds
    grid = Table.grid(padding=(0, 2))
    for name, value, more in (
        ("baskets", report.baskets, f"{refunds.sales:,} brought back, {money(refunds.amount)} refunded"),
        ("members", report.members, f"gave each other {points.given:,} points"),
        ("points issued", points.issued, ""),
        ("redeemed", points.redeemed, f"{refunds.restored:,} given back, {points.repaid:,} repaid debts"),
        ("expired", points.expired, ""),
        ("taken back", points.returned, f"of {refunds.points:,} that refunds asked for; {points.owed:,} are owed"),
        ("outstanding", points.outstanding, f"{points.pending:,} pending, {points.closed_loop:,} closed-loop"),
    ):
        grid.add_row(name, Text(f"{value:,}", justify="right"), Text(more, "dim"))
    return grid


def _table(report: Report) -> RenderableType:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("funding", no_wrap=True)
    for name in ("stores", "receivable", "payable", "fees", "net"):
        table.add_column(name, justify="right")
    for place, row in enumerate(report.merchants):
        sums = (row.receivable, row.payable, row.fees, row.position)
        table.add_row(
            f"{_letter(place)} {row.name}",
            row.mode.replace("_", " "),
            str(row.branches),
            *(money(value) for value in sums),
        )
    table.add_row("  the operator", "", "", "", "", "", money(report.settlement.positions[OPERATOR]))
    return table


def _matrix(report: Report) -> RenderableType:
    names = [*(row.name for row in report.merchants), OPERATOR]
    heads = [*(_letter(place) for place in range(len(report.merchants))), "op"]
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for head in heads:
        table.add_column(head, justify="right")
    for head, debtor in zip(heads, names, strict=True):
        owes = report.settlement.matrix.get(debtor, {})
        if owes:
            cells = (f"{owes[to] / 10**EXPONENT:.0f}" if owes.get(to) else "·" for to in names)
            table.add_row(head, *cells)
    return table


def _totals(report: Report) -> RenderableType:
    found = report.settlement
    grid = Table.grid(padding=(0, 2))
    grid.add_row("windows", Text(str(found.windows), justify="right"))
    grid.add_row("gross debts", Text(money(found.gross), justify="right"))
    grid.add_row("netted in pairs", Text(money(found.bilateral), justify="right"))
    grid.add_row("netted among all", Text(money(found.multilateral), justify="right"))
    grid.add_row("saving", Text(f"{found.saving / 10_000:.1f} %", justify="right"))
    clean = report.audit == "clean"
    grid.add_row("audit", Text(report.audit, style="green" if clean else "bold red", justify="right"))
    grid.add_row("time", Text(duration(report.seconds), justify="right"))
    return grid


def _next(serving: str) -> str:
    lines = ["Try next:"]
    if serving:
        lines.append(f"  {serving}/openapi.json     the API that all of this went through")
    lines += [
        "  ./manex audit --json                   every check, from raw rows",
        "  ./manex demo --fresh --seed 7          other members' choices, other figures",
        "  ./manex demo --fresh --via batch       the same figures through /v1/batches",
    ]
    return "\n".join(lines)


def money(cents: int) -> str:
    return f"{cents / 10**EXPONENT:,.{EXPONENT}f}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


def _letter(place: int) -> str:
    return chr(ord("A") + place)
