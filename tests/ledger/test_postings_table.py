"""docs/postings.md against records: what simulated histories and one story posted is what the table says, and the code makes no others."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest

from deploy.simulate import running
from deploy.simulate.plain import Plain
from deploy.simulate.real import Simulated
from merchants import safety
from settlement import steps
from tests.audit import climbing, failing, giving

ROOT = Path(__file__).parents[2]

#: Where points of a lot go home to; with `mint` goes the lot's money.
HOMES = ("credit", "own", "pool", "mint")
_ACCOUNT = re.compile(
    r"\b(mint|pool|credit|due|own|wallet|pending|held|debt|claim|accepted|budget|bank|psp|prefund|backing|collateral|loss|shares|position|fees|charge_backs|home)"
    r"((?::[a-z])*)(?![a-z_])"
)


class Row(NamedTuple):
    event: str
    kinds: tuple[str, ...]
    # (source, target), each an account as the table writes it
    moves: frozenset[tuple[str, str]]
    keeps: frozenset[str]
    payload: frozenset[str] | None
    optional: frozenset[str]
    made: bool


def rows() -> Iterator[Row]:
    for line in (ROOT / "docs" / "postings.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        if len(cells) == 7 and cells[0] != "event":
            event, points, money, keeps, told, _, made = cells
            moves = set(_moves(points)) | set(_moves(money))
            if money.startswith("as home says"):
                moves.add(("backing:i", "prefund:i"))
            yield _row(event, moves, keeps, told, made)
        elif len(cells) == 3 and cells[0] not in ("what happened",):
            yield _row(cells[0], set(), "", cells[1], cells[2])


def _row(event: str, moves: set[tuple[str, str]], keeps: str, told: str, made: str) -> Row:
    names, _, payload = told.partition(":")
    told_keys = re.sub(r"\([^)]*\)", "", payload)
    optional = re.findall(r"(\w+) \(when", payload)
    keys = frozenset(key.strip() for key in told_keys.split(",") if key.strip())
    kinds = tuple(re.findall(r"`(\w+)`", names))
    return Row(
        event,
        kinds,
        frozenset(moves),
        frozenset(keeps.split()),
        keys or None,
        frozenset(optional),
        made.startswith("yes"),
    )


def _moves(text: str) -> Iterator[tuple[str, str]]:
    """The pairs of a cell: `A, B or C -> D` are three; `X -> Y ... else -> Z` are two; "the reverse" turns all around."""
    found: list[tuple[str, str]] = []
    for clause in re.split(r"; | with ", text):
        if "the reverse" in clause:
            found += [(target, source) for source, target in found]
        source, *targets = clause.split("->")
        for target in targets:
            found += [(one, other) for one in _accounts(source) for other in _accounts(target)]
    yield from found


def _accounts(text: str) -> Iterator[str]:
    for kind, owners in _ACCOUNT.findall(text):
        if kind == "home":
            yield from (f"{home}:i" if home != "mint" else "mint (home):i" for home in HOMES)
        else:
            yield kind + owners


TABLE = list(rows())
MADE = [row for row in TABLE if row.made]
OF_KIND: dict[str, list[Row]] = defaultdict(list)
for _made in MADE:
    for _kind in _made.kinds:
        OF_KIND[_kind].append(_made)


# -- the code


def kinds_in_the_code() -> set[str]:
    """The first argument of every `.record(...)`, and what the tables of steps, brakes and agreements leave."""
    found = {move.record for move in steps.MOVES.values()} | {move.record for move in safety.MOVES.values()}
    found |= {"contract_agreed", "rules_agreed"}
    for package in ("ledger", "merchants", "settlement"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record":
                    found |= set(_texts(node.args[0])) if node.args else set()
    # words of people on charge-backs, each told as `_told(..., kind, ...)`
    for node in ast.walk(ast.parse((ROOT / "settlement" / "rails" / "charge_backs.py").read_text())):
        if isinstance(node, ast.Assign) and [ast.unparse(name) for name in node.targets] == ["kind"]:
            found |= set(_texts(node.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "self._told":
            found |= set(_texts(node.args[3]))
    # steps of households, each told as `_done("left", ...)`
    for node in ast.walk(ast.parse((ROOT / "merchants" / "trade" / "sharing.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_done":
            found |= {f"household_{what}" for what in _texts(node.args[0])}
    return found


def _texts(node: ast.expr) -> Iterator[str]:
    """What an argument may be: a text, or one of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def test_the_table_is_read() -> None:
    by_event = {row.event: row for row in TABLE}
    assert by_event["hold"].moves == {("wallet:m", "held:m")}
    assert by_event["settle, deferred lot"].moves >= {("accepted:r", "due:i:w"), ("credit:i", "accepted:r")}
    assert by_event["top-up"].moves == {("bank", "prefund:i"), ("psp", "prefund:i")}
    assert by_event["terms come into force"].payload == frozenset({"terms", "version"})
    assert len(MADE) > 20


def test_every_kind_of_record_is_in_the_table_and_the_table_has_no_others() -> None:
    named = set(OF_KIND)
    assert kinds_in_the_code() == named
    not_made = {kind for row in TABLE if not row.made for kind in row.kinds}
    assert not_made & kinds_in_the_code() == set()


# -- what was posted


class Part(NamedTuple):
    """Points that identities tell apart."""

    issuer: UUID
    funding: str
    unit_value: int


class Record(NamedTuple):
    book_id: int
    sequence: int
    kind: str
    merchant_id: UUID | None
    member_id: UUID | None
    subject_id: UUID | None
    payload: dict[str, Any]
    # kind, owner, counterparty, window, amount
    entries: list[tuple[str, UUID | None, UUID | None, int | None, int]]
    # lot, source, target, points
    moves: list[tuple[UUID, str, str, int]]


def covering(most: int = 300) -> list[int]:
    """A few seeds that together go every road that many do: found with the plain model alone."""
    roads: dict[int, set[str]] = {}
    for seed in range(most):
        plain = Plain()
        for _ in running.Drawn(seed, running.STEPS).groups(plain):
            plain.step += 1
        roads[seed] = {road for road, times in plain.reached.items() if times}
    missing = set().union(*roads.values())
    chosen = []
    while missing:
        best = max(roads, key=lambda seed: (len(roads[seed] & missing), -seed))
        chosen.append(best)
        missing -= roads[best]
    return chosen


@pytest.fixture
def posted(database_url: str) -> list[Record]:
    simulated = Simulated.open(database_url)
    try:
        for seed in covering():
            run = running.play(simulated, seed)
            assert run.failure is None, (seed, run.failure.told)
    finally:
        simulated.close()
    failing.lived(database_url).close()
    climbing.lived(database_url).close()
    giving.lived(database_url).close()
    with psycopg.connect(database_url) as tx:
        entries: dict[tuple[int, int], list[Any]] = defaultdict(list)
        for row in tx.execute(
            "select e.batch_id, e.n, a.kind, a.owner_id, a.counterparty_id, a.window_number, e.amount from ledger.entry e"
            " join ledger.account a on a.id = e.account_id order by e.batch_id, e.n, e.ordinal"
        ):
            entries[row[0], row[1]].append(tuple(row[2:]))
        moves: dict[tuple[int, int], list[Any]] = defaultdict(list)
        for row in tx.execute("select batch_id, n, lot_id, source, target, points from ledger.lot_move"):
            moves[row[0], row[1]].append(tuple(row[2:]))
        return [
            Record._make((*row[2:], entries[row[0], row[1]], moves[row[0], row[1]]))
            for row in tx.execute(
                "select r.batch_id, r.n, r.book_id, b.first_sequence + r.n, r.kind, r.merchant_id, r.member_id, r.subject_id,"
                " r.payload"
                " from ledger.record r join ledger.batch b on b.id = r.batch_id order by r.book_id, b.first_sequence, r.n"
            )
        ]


@pytest.mark.timeout(240)
def test_what_is_posted_is_what_the_table_says(posted: list[Record]) -> None:
    assert {record.kind for record in posted} == set(OF_KIND)
    _payloads(posted)
    _entries(posted)
    _identities(posted)


def _payloads(posted: list[Record]) -> None:
    wrong = set()
    for record in posted:
        told = [(row.payload, row.optional) for row in OF_KIND[record.kind] if row.payload is not None]
        assert len(told) <= 1, f"the payload of {record.kind} is told {len(told)} times"
        keys, (payload, optional) = set(record.payload), told[0] if told else (frozenset(), frozenset())
        if not payload - optional <= keys <= payload:
            wrong.add((record.kind, tuple(sorted(keys ^ payload))))
    assert wrong == set()


def _entries(posted: list[Record]) -> None:
    """Each pair of entries is a move of the table, with the owners it names; and each move of the table is made."""
    wrong, made = set(), set()
    for record in posted:
        allowed = {move for row in OF_KIND[record.kind] for move in row.moves}
        pairs = list(zip(record.entries[::2], record.entries[1::2], strict=True))
        for giver, taker in pairs:
            assert giver[4] == -taker[4] < 0, record
            fitting = [move for move in allowed if _fits(move[0], giver, record) and _fits(move[1], taker, record)]
            made |= {(record.kind, *(account.split(":")[0] for account in move)) for move in fitting}
            if not fitting:
                wrong.add((record.kind, giver[0], taker[0]))
    assert wrong == set()
    said = {
        (kind, *(account.split(":")[0] for account in move))
        for kind in OF_KIND
        for row in OF_KIND[kind]
        for move in row.moves
    }
    said = {(kind, *(part.removesuffix(" (home)") for part in rest)) for kind, *rest in said}
    made = {(kind, *(part.removesuffix(" (home)") for part in rest)) for kind, *rest in made}
    assert said - made == set()


def _fits(account: str, entry: tuple[str, UUID | None, UUID | None, int | None, int], record: Record) -> bool:
    """Whether an entry is of this account: m is the record's member, b who was given to, w the window; i, r, c the merchant
    or an issuer of lots that the record names, o its sponsorship, k any."""
    kind, *letters = account.removesuffix(" (home)").replace(" (home)", "").split(":")
    receiver = record.payload.get("receiver")
    owners = {"m": record.member_id, "w": record.payload.get("window"), "b": UUID(receiver) if receiver else None}
    if kind != entry[0]:
        return False
    named = [*record.payload.get("bonuses", ()), *record.payload.get("parts", ())]
    issuers = {UUID(part["issuer"]) for part in named if "issuer" in part}
    givers = {UUID(part[what]) for part in named for what in ("sponsorship", "offer") if what in part}
    purposes = givers | {record.subject_id}
    parts = [part for part in entry[1:4] if part is not None]
    if len(parts) != len(letters):
        return False
    return all(
        letter == "k"
        or (letter in ("i", "r", "c") and (record.merchant_id in (None, part) or part in issuers))
        or (letter == "o" and part in purposes)
        or owners.get(letter, ...) == part
        for letter, part in zip(letters, parts, strict=True)
    )


def _identities(posted: list[Record]) -> None:
    """Every record keeps every identity by itself, and moves the sides of those that the table names, of no others."""
    lots: dict[UUID, Part] = {}
    units: dict[UUID, int] = {}
    modes: dict[UUID, str] = {}
    accepted: dict[tuple[int, int], Counter[Part]] = defaultdict(Counter)
    window: Counter[int] = Counter()
    moved: dict[str, set[str]] = defaultdict(set)
    for record in posted:
        here = window[record.book_id] + 1
        lots |= {
            UUID(lot["lot"]): Part(UUID(lot["issuer"]), lot["funding"], lot["unit_value_minor"])
            for lot in record.payload.get("lots", ())
        }
        opened: Counter[Part] = Counter()
        for lot, source, target, points in record.moves:
            opened[lots[lot]] += points * ((source == "home") - (target == "home"))
            accepted[record.book_id, here][lots[lot]] += points * ((target == "accepted") - (source == "accepted"))
        if record.kind == "settlement":
            for part, points in accepted[record.book_id, record.payload["window"]].items():
                opened[part] -= points
        if record.kind in ("exit", "buy_out"):
            assert record.merchant_id is not None
            for told in record.payload["parts"]:
                part = Part(record.merchant_id, told["funding"], told["unit_value_minor"])
                opened[part] -= told["points"]
                opened[part._replace(funding="prefunded")] += told["points"]
            # those that were born by then
            lots |= {
                lot: part._replace(funding="prefunded")
                for lot, part in lots.items()
                if part.issuer == record.merchant_id
            }
        if record.kind == "contract":
            assert record.merchant_id is not None
            units[record.merchant_id] = record.payload["unit_value_minor"]
            modes[record.merchant_id] = record.payload["mode"]
        window[record.book_id] += record.kind == "window_closed"
        for letter, sides in _sides(record, opened, units, modes).items():
            for one, other in sides:
                assert one == other, f"{record.kind} {record.sequence} of book {record.book_id} breaks {letter}"
        touched = {entry[0] for entry in record.entries} | {part.funding for part, points in opened.items() if points}
        moved[record.kind] |= {letter for letter, parts in PARTS.items() if parts & touched}
    for kind, rows_of_kind in OF_KIND.items():
        named = {letter for row in rows_of_kind for letter in row.keeps} - {"Z"}
        assert moved[kind] == named, f"{kind} moves the sides of {sorted(moved[kind])}, the table names {sorted(named)}"


#: What the sides of an identity are made of: kinds of accounts, and the funding of open points.
PARTS = {
    "P": {"mint", "pool", "budget", "prefunded"},
    "D": {"credit", "due", "budget", "deferred"},
    "C": {"own", "budget", "closed_loop"},
    "B": {"backing", "pool", "budget", "prefunded"},
    "O": {"debt", "claim"},
}


def _sides(
    record: Record, opened: Counter[Part], units: dict[UUID, int], modes: dict[UUID, str]
) -> dict[str, list[tuple[int, int]]]:
    """What a record adds to both sides of each identity, shop by shop."""
    at: Counter[tuple[str, UUID | None]] = Counter()
    money = points = 0
    for kind, owner, _, _, amount in record.entries:
        at[kind, owner] += amount
        if kind in (
            "bank",
            "psp",
            "prefund",
            "backing",
            "collateral",
            "loss",
            "shares",
            "position",
            "fees",
            "charge_backs",
        ):
            money += amount
        else:
            points += amount
    by_funding: Counter[tuple[UUID, str]] = Counter()
    value: Counter[UUID] = Counter()
    for (issuer, funding, unit), amount in opened.items():
        by_funding[issuer, funding] += amount
        value[issuer] += amount * unit if funding == "prefunded" else 0
    shops = {owner for _, owner in at if owner} | {issuer for issuer, _ in by_funding}
    aside = {(s, modes.get(s)): at["budget", s] for s in shops}
    unissued = {s: at["pool", s] + aside.get((s, "prefunded"), 0) for s in shops}
    owed = {"refund": record.payload.get("owed", 0), "repayment": -record.payload.get("points", 0)}.get(record.kind, 0)
    return {
        "Z": [(points, 0), (money, 0)],
        "P": [(by_funding[s, "prefunded"], -at["mint", s] - unissued[s]) for s in shops],
        "D": [
            (by_funding[s, "deferred"], -at["credit", s] - at["due", s] - aside.get((s, "deferred"), 0)) for s in shops
        ],
        "C": [(by_funding[s, "closed_loop"], -at["own", s] - aside.get((s, "closed_loop"), 0)) for s in shops],
        "B": [(at["backing", s], units.get(s, 0) * unissued[s] + value[s]) for s in shops],
        "O": [(-sum(at["debt", s] for s in shops), owed), (sum(at["claim", s] for s in shops), owed)],
    }
