"""A network's programme under new rules: which merchants they are of, the figures as a document, and how they are shown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from rich.console import Console
from rich.table import Table

import ledger
from deploy.errors import Refusal
from deploy.programme.reading import ALL
from merchants import contracts, programme, whatif
from merchants.programme import policy as policies

#: What is told of each side.
SIDE: Final = (
    "sales_earning",
    "points",
    "owed_points",
    "spent_here_points",
    "spent_elsewhere_points",
    "expired_points",
    "given_points",
    "unspent_points",
    "liability_minor",
    "breakage_points",
    "net_minor",
)
#: What the figures are, and what they cannot know.
SAYS: Final = (
    "The same sales to the same members, with what their records tell; only the merchants' own points change.",
    "What members did with the points they earned at a merchant, they do with the same share of the others: spend them at the"
    " same merchants, let them expire, give them away, keep them. What is unspent stays so. Where nothing was issued, all is"
    " kept.",
    "Shares are rounded down for each member and merchant, and what is left of that is unspent: every point is told once.",
    "Breakage is what would expire where as many points do as of those whose time ended in the period; it is a part of what"
    " was issued, and no fate of its own.",
    "Net positions are at the unit value in force, without fees, and sum to zero.",
)
SAYS_NOT: Final = (
    "People may buy more, elsewhere or otherwise because of better rules: this does not know.",
    "What a limit or a brake stopped earned nothing, and does so here; a limit that only new rules would have met is not met.",
)


def simulated(
    url: str,
    new: Mapping[str, Mapping[str, Any]],
    days: int,
    *,
    merchant: str | None = None,
    named: str | None = None,
    went: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The figures as a document. Nothing is written."""
    with contextlib.closing(ledger.Database(url, largest_pool=2)) as db:
        with db.tx("door") as tx:
            book = _book(ledger.books.all_books(tx), named)
            network = contracts.load(tx, book.id)
            _, policy = contracts.policy_of(tx, book.id)
        chosen = _chosen(network, new, merchant)
        for id, rules in chosen.items():
            value = whatif.unit_value(book, id, network)
            if faults := policies.forbidden(rules, policy, value, book.now):
                raise Refusal(f"{_name(network, id)}: {faults[0].pointer or '/'} {faults[0].detail} ({faults[0].code})")
        ready = {id: programme.parse(rules) for id, rules in chosen.items()}
        found = whatif.simulate(db, book, network, ready, days, went)
    return _document(book, network, found, days)


def _book(books: list[ledger.Book], named: str | None) -> ledger.Book:
    if named is not None:
        books = [book for book in books if named in (ledger.ids.show("book", book.public_id), str(book.id))]
        if not books:
            raise Refusal(f"there is no book {named}")
    if len(books) != 1:
        told = ", ".join(f"{ledger.ids.show('book', book.public_id)} ({book.network}, {book.mode})" for book in books)
        raise Refusal(f"say which --book: {told}" if books else "there are no books here yet: manex demo makes some")
    return books[0]


def _chosen(
    network: contracts.Network, new: Mapping[str, Mapping[str, Any]], only: str | None
) -> dict[UUID, Mapping[str, Any]]:
    """Whose rules change: those named, and by `*` every other merchant that has terms; with `only`, that one at most."""
    named = {name: _merchant(network, name) for name in new if name != ALL}
    chosen: dict[UUID, Mapping[str, Any]] = {}
    for name, id in named.items():
        if id in chosen:
            raise Refusal(f"{name} is named twice")
        chosen[id] = new[name]
    if ALL in new:
        for id in network.terms_of:
            chosen.setdefault(id, new[ALL])
    if only is not None:
        id = _merchant(network, only)
        if id not in chosen:
            raise Refusal(f"there are no new rules of {only}")
        return {id: chosen[id]}
    return chosen


def _merchant(network: contracts.Network, name: str) -> UUID:
    id = ledger.ids.read("merchant", name)
    found = [each.id for each in network.merchants.values() if each.id == id or each.name == name]
    if len(found) != 1:
        raise Refusal(f"there is no merchant {name}" if not found else f"{name} is the name of several: say the id")
    return found[0]


def _name(network: contracts.Network, id: UUID) -> str:
    merchant = network.merchant(id)
    return ledger.ids.show("merchant", id) if merchant is None else merchant.name


# -- the document


def _document(book: ledger.Book, network: contracts.Network, found: whatif.Found, days: int) -> dict[str, Any]:
    before, after = whatif.net(found.debts.before), whatif.net(found.debts.after)
    ids = sorted({*found.standings, *before, *after}, key=lambda id: (_name(network, id), id))
    rows = []
    for id in ids:
        standing = found.standings.get(id, whatif.Standing())
        sides = {"before": (standing.before, before), "after": (standing.after, after)}
        told: dict[str, Any] = {
            "merchant": ledger.ids.show("merchant", id),
            "name": _name(network, id),
            "changed": standing.changed,
            "sales": standing.sales,
        }
        for side, (outcome, net) in sides.items():
            told[side] = _side(outcome, found, id, net.get(id, 0))
        rows.append(told)
    return {
        "book": ledger.ids.show("book", book.public_id),
        "network": book.network,
        "days": days,
        "since": found.since.isoformat(),
        "as_of": found.as_of.isoformat(),
        "currency": book.currency,
        "merchants": rows,
        "all": {
            "sales": sum(row["sales"] for row in rows),
            **{side: _total([row[side] for row in rows]) for side in ("before", "after")},
        },
        "says": SAYS,
        "says_not": SAYS_NOT,
    }


def _side(outcome: whatif.Outcome, found: whatif.Found, merchant: UUID, net_minor: int) -> dict[str, Any]:
    return {
        "sales_earning": outcome.earning,
        "points": outcome.points,
        "owed_points": outcome.owed,
        "spent_here_points": outcome.here,
        "spent_elsewhere_points": outcome.elsewhere,
        "expired_points": outcome.expired,
        "given_points": outcome.given,
        "unspent_points": outcome.unspent,
        "liability_minor": outcome.unspent * found.unit_value(merchant),
        "breakage_points": found.breakage(merchant, outcome.points),
        "net_minor": net_minor,
    }


def _total(sides: list[dict[str, Any]]) -> dict[str, Any]:
    """Of breakage what is known of; None where nothing is."""
    total: dict[str, Any] = {}
    for name in SIDE:
        values = [side[name] for side in sides if side[name] is not None]
        total[name] = sum(values) if values or name != "breakage_points" else None
    return total


# -- for people

#: Tables narrow enough for a terminal of 80 columns: each figure before and after.
_TABLES: Final = (
    (("earning", "sales_earning"), ("points", "points"), ("breakage", "breakage_points")),
    (("elsewhere", "spent_elsewhere_points"), ("liability", "liability_minor"), ("net", "net_minor")),
)


def show(console: Console, told: Mapping[str, Any]) -> None:
    console.print(
        f"{told['network']}: {told['all']['sales']:,} sales to members in {told['days']} days; amounts in minor units of"
        f" {told['currency']}",
        highlight=False,
    )
    for figures in _TABLES:
        table = Table(box=None, pad_edge=False)
        table.add_column("merchant", no_wrap=True, overflow="ellipsis", max_width=18)
        for title, _ in figures:
            # a figure that finds no room goes on in the next line, and is never cut
            table.add_column(f"{title}\nbefore", justify="right", overflow="fold")
            table.add_column("\nafter", justify="right", overflow="fold")
        for row in told["merchants"]:
            table.add_row(row["name"], *_cells(row, figures), style="" if row["changed"] else "dim")
        table.add_row("all", *_cells(told["all"], figures), style="bold")
        console.print()
        console.print(table)
    console.print()
    for words in (*told["says"], *told["says_not"]):
        console.print(f"· {words}", highlight=False, style="dim")


def _cells(row: Mapping[str, Any], figures: Sequence[tuple[str, str]]) -> list[str]:
    values = [row[side][name] for _, name in figures for side in ("before", "after")]
    return ["-" if value is None else f"{value:,}" for value in values]
