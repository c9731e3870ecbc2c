"""What windows publish, proved again from the rows: heads, signatures, both trees, and the totals by the ledger's entries.

Another road than sealing's: items are read a party at a time, trees are taken apart from their roots as the RFC writes
them, points are summed from entries and not from moves. Nothing of the sealing's or the verifier's code is used.
"""
# ruff: noqa: S608 - the statements are composed of this module's own constants

import base64
import hashlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.audit import LOTS, Checks, Row, Scope, funded

check = Checks()

_CONTEXT: Final = b"manex.window.1\n"
_NAMES: Final = [f"{kind}_{what}" for kind in ("prefunded", "deferred", "closed_loop") for what in ("points", "minor")]
#: Leaves under one of the stored blocks of the supply's tree.
_BLOCK: Final = 1_024


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _public(prefix: str, id: UUID) -> str:
    return f"{prefix}_{id.hex}"


def _leaf(value: Any) -> bytes:
    return hashlib.sha256(b"\x00" + _canonical(value)).digest()


class _Tree:
    """The root of leaves in order: complete trees of each size that the number of leaves is made of, hung together."""

    def __init__(self) -> None:
        self.count = 0
        self._by_height: dict[int, bytes] = {}

    def add(self, leaf: bytes) -> None:
        height = 0
        while height in self._by_height:
            leaf = hashlib.sha256(b"\x01" + self._by_height.pop(height) + leaf).digest()
            height += 1
        self._by_height[height] = leaf
        self.count += 1

    @property
    def root(self) -> bytes:
        found: bytes | None = None
        for height in sorted(self._by_height):
            part = self._by_height[height]
            found = part if found is None else hashlib.sha256(b"\x01" + part + found).digest()
        return hashlib.sha256(b"").digest() if found is None else found


# -- heads

_SEALS: Final = (
    "select s.book_id, s.window_number, s.head, s.digest, s.key, s.signature from settlement.seal s"
    " where s.book_id = any(%(books)s) order by 1, 2"
)


@check(
    "seals_chained",
    "windows are sealed in order, each head as its window and the ledger's hash at its close are, and linked to the one before",
    over="seal",
)
def seals_chained(scope: Scope) -> Iterator[Row]:
    windows = {
        (book, number): rest
        for book, number, *rest in scope.stream(
            """
            select w.book_id, w.number, w.id, w.first_sequence, w.last_sequence, w.opened_at, w.closed_at,
                w.positions_hash, b.hash, k.public_id, k.network, k.mode, k.currency, k.exponent
            from settlement.window w join ledger.book k on k.id = w.book_id
            left join ledger.batch b on b.book_id = w.book_id and b.first_sequence <= w.last_sequence
                and b.first_sequence + b.records > w.last_sequence
            where w.book_id = any(%(books)s) and w.last_sequence is not null
            """
        )
    }
    before: dict[int, tuple[int, bytes]] = {}
    for book, number, head, digest, _, _ in scope.stream(_SEALS):
        last, previous = before.get(book, (0, bytes(32)))
        before[book] = (number, digest)
        if number != last + 1 or (book, number) not in windows:
            yield {"window": number, "why": "not the next window that is closed"}
            continue
        id, first, until, opened, closed, positions, ledger_hash, public_id, *names = windows[book, number]
        told = json.loads(head)
        derived = {
            "schema": "manex.window.1",
            "book": _public("bok", public_id),
            **dict(zip(("network", "mode", "currency", "exponent"), names, strict=True)),
            "window": _public("win", id),
            "number": number,
            "opened_at": _time(opened),
            "closed_at": _time(closed),
            "first_sequence": first,
            "last_sequence": until,
            "ledger_hash": bytes(ledger_hash or b"").hex(),
            "positions_hash": bytes(positions or b"").hex(),
            "previous": bytes(previous).hex(),
        }
        wrong = sorted(name for name in derived if told.get(name) != derived[name])
        if wrong or bytes(head) != _canonical(told):
            yield {"window": number, "fields": wrong, "why": "unlike its window"}
        if hashlib.sha256(_CONTEXT + head).digest() != digest:
            yield {"window": number, "stored": digest, "why": "not the hash of its head"}


def _time(at: Any) -> str:
    return str(at.isoformat().replace("+00:00", "Z"))


@check("seals_signed", "every head is signed with the key beside it", over="seal")
def seals_signed(scope: Scope) -> Iterator[Row]:
    for _, number, head, _, key, signature in scope.stream(_SEALS):
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, _CONTEXT + head)
        except (InvalidSignature, ValueError):
            yield {"window": number, "key": base64.urlsafe_b64encode(key).decode().rstrip("=")}


def _heads(scope: Scope) -> dict[tuple[int, int], Any]:
    return {(book, number): json.loads(head) for book, number, head, *_ in scope.stream(_SEALS)}


# -- statements

# Each item once for each of its merchants, with what only another pays hidden from it.
_SEEN: Final = """
select i.book_id, i.window_number, side.party, i.id, i.sequence, i.ordinal, i.at, i.kind, i.reason, i.subject_id,
    i.lot_id, i.issuer_id, i.acceptor_id, i.funding, i.unit_value_minor, i.points, i.value_minor,
    case when i.fee_payer_id = side.party then i.fee_base_minor else 0 end,
    case when i.fee_payer_id = side.party then i.fee_ppm else 0 end,
    case when i.fee_payer_id = side.party then i.fee_millionths else 0 end
from settlement.item i
join settlement.seal s on s.book_id = i.book_id and s.window_number = i.window_number
cross join lateral (select distinct party from unnest(array[i.issuer_id, i.acceptor_id, i.fee_payer_id]) party
    where party is not null) side
where i.book_id = any(%(books)s)
order by 1, 2, 3, i.sequence, i.ordinal
"""


class _Party:
    """One merchant of a window, summed from its items."""

    def __init__(self) -> None:
        self.tree = _Tree()
        self.own = 0
        self.others: defaultdict[UUID, list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def add(self, party: UUID, row: tuple[Any, ...]) -> None:
        id, sequence, ordinal, at, kind, reason, subject, lot, issuer, acceptor, funding, unit, points, value, *fee = (
            row
        )
        other = issuer if acceptor == party else acceptor
        other = None if other == party else other
        accepted = acceptor == party
        here = (points, value, 0, 0) if accepted else (0, 0, points, value)
        about = "sal" if lot is None or reason == "repayment" else "red"
        if kind == "adjustment":
            about = "win" if reason == "share" else "rec"
        self.tree.add(
            _leaf(
                {
                    "item": _public("itm", id),
                    "sequence": sequence,
                    "ordinal": ordinal,
                    "at": _time(at),
                    "kind": kind,
                    "reason": reason,
                    "subject": _public(about, subject) if subject else None,
                    "lot": _public("lot", lot) if lot else None,
                    "counterparty": _public("mer", other) if other else None,
                    "funding": funding,
                    "unit_value_minor": unit,
                    "accepted_points": here[0] if other else 0,
                    "redeemed_points": here[2] if other else 0,
                    "own_points": 0 if other else points,
                    "receivable_minor": here[1],
                    "payable_minor": here[3],
                    "fee_base_minor": fee[0],
                    "fee_ppm": fee[1],
                    "fee_millionths": str(fee[2]),
                }
            )
        )
        if lot is not None and other is None:
            self.own += points
        elif other is not None:
            for n, amount in enumerate(here):
                self.others[other][n] += amount


_POSITION: Final = (
    "receivable_minor",
    "payable_minor",
    "fee_millionths",
    "carry_in_millionths",
    "fee_minor",
    "carry_out_millionths",
    "position_minor",
    "backing_minor",
    "account_minor",
)


@check(
    "statements_rooted",
    "each merchant's leaf is that of its items and position, and the leaves of a window make the root that is signed",
    over="sealed_party",
)
def statements_rooted(scope: Scope) -> Iterator[Row]:
    heads = scope.once("heads", _heads)
    stored: defaultdict[tuple[int, int], dict[UUID, tuple[Any, ...]]] = defaultdict(dict)
    for book, number, party, *rest in scope.stream(
        "select book_id, window_number, party_id, place, items, items_root, leaf from settlement.sealed_party"
        " where book_id = any(%(books)s) order by 1, 2, place"
    ):
        stored[book, number][party] = tuple(rest)
    derived: defaultdict[tuple[int, int], dict[UUID, bytes]] = defaultdict(dict)
    for book, number, party, id, items, *columns, found in _parties(scope):
        told = dict(zip(_POSITION, columns, strict=True))
        leaf = _leaf(
            {
                "schema": "manex.party.1",
                "merchant": _public("mer", party),
                "statement": _public("stm", id),
                "items": items,
                "items_root": found.tree.root.hex(),
                "own_points": found.own,
                "receivable_minor": told["receivable_minor"],
                "payable_minor": told["payable_minor"],
                "fee": {
                    "millionths": str(told["fee_millionths"]),
                    "carry_in_millionths": str(told["carry_in_millionths"]),
                    "fee_minor": told["fee_minor"],
                    "carry_out_millionths": str(told["carry_out_millionths"]),
                },
                **{name: told[name] for name in ("position_minor", "backing_minor", "account_minor")},
                "counterparties": [
                    {
                        "merchant": _public("mer", other),
                        "accepted_points": sums[0],
                        "receivable_minor": sums[1],
                        "redeemed_points": sums[2],
                        "payable_minor": sums[3],
                    }
                    for other, sums in sorted(found.others.items())
                ],
            }
        )
        derived[book, number][party] = leaf
        row = (len(derived[book, number]) - 1, found.tree.count, found.tree.root, leaf)
        if stored[book, number].get(party) != row or found.tree.count != items:
            yield {"window": number, "party": party, "why": "unlike its items and its position"}
    for (book, number), head in heads.items():
        tree, told = _Tree(), head["statements"]
        for leaf in derived[book, number].values():
            tree.add(leaf)
        items = sum(row[1] for row in stored[book, number].values())
        if (tree.count, items, tree.root.hex()) != (told["parties"], told["items"], told["root"]):
            yield {"window": number, "stored": told["root"], "derived": tree.root, "why": "another root"}
        for party in stored[book, number].keys() - derived[book, number].keys():
            yield {"window": number, "party": party, "why": "has no position"}


def _parties(scope: Scope) -> Iterator[tuple[Any, ...]]:
    """Every merchant's position in a sealed window, and what its items come to; in the order of the leaves."""
    seen = itertools.groupby(scope.stream(_SEEN), key=lambda row: row[:3])
    waiting = next(seen, None)
    for row in scope.stream(
        f"select p.book_id, p.window_number, p.party_id, p.id, p.items, {', '.join('p.' + c for c in _POSITION)}"
        " from settlement.position p join ledger.book k on k.id = p.book_id"
        " join settlement.seal s on s.book_id = p.book_id and s.window_number = p.window_number"
        " where p.book_id = any(%(books)s) and p.party_id <> k.operator_id order by 1, 2, 3"
    ):
        found = _Party()
        while waiting is not None and waiting[0] <= row[:3]:
            for item in waiting[1]:
                if waiting[0] == row[:3]:
                    found.add(row[2], item[3:])
            waiting = next(seen, None)
        yield (*row, found)


# -- the supply

# What each kind of account came to between one close and the next; members' accounts together, merchants' each.
_ENTRIES: Final = """
with closes as (
    select s.book_id, array_agg(w.last_sequence + 1 order by w.number) as ends from settlement.seal s
    join settlement.window w on w.book_id = s.book_id and w.number = s.window_number
    where s.book_id = any(%(books)s) group by 1
)
select a.book_id, width_bucket(b.first_sequence + e.n, c.ends) as after, a.kind,
    case when a.kind in ('wallet', 'pending', 'held') then null else a.owner_id end as owner, sum(e.amount)::bigint
from ledger.entry e
join ledger.batch b on b.id = e.batch_id
join ledger.account a on a.id = e.account_id
join closes c on c.book_id = a.book_id
where a.kind in ('wallet', 'pending', 'held', 'accepted', 'mint', 'pool', 'credit', 'due', 'own', 'budget', 'backing')
group by 1, 2, 3, 4
order by 1, 2
"""

_HOME: Final = {"mint": "prefunded", "credit": "deferred", "due": "deferred", "own": "closed_loop"}


@check(
    "supply_is_the_ledgers",
    "the points that each window published as open are those that the ledger's entries had put in circulation at its close",
    over="seal",
)
def supply_is_the_ledgers(scope: Scope) -> Iterator[Row]:
    heads = scope.once("heads", _heads)
    moved: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for book, *row in scope.stream(_ENTRIES):
        moved[book].append(tuple(row))
    contracts: defaultdict[int, list[tuple[int, UUID, str, int]]] = defaultdict(list)
    for book, *contract in scope.stream(
        "select r.book_id, b.first_sequence + r.n, r.merchant_id, r.payload ->> 'mode',"
        " (r.payload ->> 'unit_value_minor')::bigint from ledger.record r join ledger.batch b on b.id = r.batch_id"
        " where r.book_id = any(%(books)s) and r.kind = 'contract' order by 1, 2"
    ):
        contracts[book].append(tuple(contract))
    balances: defaultdict[int, Counter[tuple[str, UUID | None]]] = defaultdict(Counter)
    for (book, number), head in sorted(heads.items()):
        for after, kind, owner, amount in moved[book]:
            if after == number - 1:
                balances[book][kind, owner] += amount
        force = {m: (mode, unit) for at, m, mode, unit in contracts[book] if at <= head["last_sequence"]}
        told = {part: {n: int(v) for n, v in head["supply"][part].items()} for part in ("held", "accepted", "open")}
        for what, stored, derived in _compared(balances[book], force, told):
            if stored != derived:
                yield {"window": number, "what": what, "stored": stored, "derived": derived}


def _compared(
    balances: Counter[tuple[str, UUID | None]], force: dict[UUID, tuple[str, int]], told: dict[str, dict[str, int]]
) -> Iterator[tuple[str, int, int]]:
    """(what, as it was published, as the entries have it) of every total that entries can tell."""
    by_kind: Counter[str] = Counter()
    points: Counter[str] = Counter()
    backed = 0
    for (kind, owner), amount in balances.items():
        by_kind[kind] += amount
        if kind in _HOME:
            points[_HOME[kind]] -= amount
        elif kind == "backing":
            backed += amount
        elif kind in ("pool", "budget") and owner is not None:
            mode, unit = force.get(owner, ("prefunded", 0))
            # a pool is bought points, whatever its merchant's contract says since
            mode = "prefunded" if kind == "pool" else mode
            points[mode] -= amount
            backed -= amount * unit if mode == "prefunded" else 0
    in_points = {part: sum(v for n, v in told[part].items() if n.endswith("_points")) for part in told}
    yield "held", in_points["held"], by_kind["wallet"] + by_kind["pending"] + by_kind["held"]
    yield "accepted", in_points["accepted"], by_kind["accepted"]
    for kind in ("prefunded", "deferred", "closed_loop"):
        yield f"open {kind}", told["open"][f"{kind}_points"], points[kind]
    yield "backed", told["open"]["prefunded_minor"], backed
    for name in _NAMES:
        yield f"open {name}", told["open"][name], told["held"][name] + told["accepted"][name]


_LEAVES: Final = """
select h.book_id, h.window_number, h.place, h.member_id, h.salt, h.sums, w.id, s.head, s.blocks
from settlement.sealed_holding h
join settlement.seal s on s.book_id = h.book_id and s.window_number = h.window_number
join settlement.window w on w.book_id = h.book_id and w.number = h.window_number
where h.book_id = any(%(books)s) order by 1, 2, 3
"""


@check(
    "supply_rooted",
    "what members held at the newest close makes the root and the total that are signed, each member once, none below zero",
    over="sealed_holding",
)
def supply_rooted(scope: Scope) -> Iterator[Row]:
    seals = {book: (number, head) for (book, number), head in sorted(scope.once("heads", _heads).items())}
    for (book, number), rows in itertools.groupby(scope.stream(_LEAVES), key=lambda row: row[:2]):
        tree, block = _SumTree(), _SumTree()
        blocks = b""
        members: set[UUID] = set()
        stored = b""
        for _, _, place, member, salt, sums, window, _, stored in rows:  # noqa: B007 - the seal's, the same in each row
            if place != tree.count or member in members or min(sums) < 0 or len(sums) != len(_NAMES):
                yield {"window": number, "member": member, "place": place, "why": "out of place, twice, or below zero"}
                continue
            members.add(member)
            leaf = _leaf(
                {
                    "schema": "manex.holding.1",
                    "window": _public("win", window),
                    "member": _public("mem", member),
                    "salt": bytes(salt).hex(),
                    "sums": dict(zip(_NAMES, map(str, sums), strict=True)),
                }
            )
            tree.add((leaf, tuple(sums)))
            block.add((leaf, tuple(sums)))
            if block.count == _BLOCK:
                blocks += _told(block.root)
                block = _SumTree()
        if block.count:
            blocks += _told(block.root)
        newest, head = seals.pop(book, (0, {}))
        if newest != number:
            yield {"window": number, "why": "holdings of a window that is not the newest sealed"}
            continue
        told = head["supply"]
        hash, sums = tree.root
        totals = dict(zip(_NAMES, map(str, sums), strict=True))
        if (tree.count, hash.hex(), totals) != (told["members"], told["root"], told["held"]):
            yield {"window": number, "stored": told["root"], "derived": hash, "why": "another root or total"}
        if blocks != stored:
            yield {"window": number, "why": "the stored blocks are others"}
    for number, head in seals.values():
        if head["supply"]["members"]:
            yield {"window": number, "why": "no holdings of the newest sealed window"}


class _SumTree:
    """As `_Tree`, of (hash, sums)."""

    def __init__(self) -> None:
        self.count = 0
        self._by_height: dict[int, tuple[bytes, tuple[int, ...]]] = {}

    def add(self, leaf: tuple[bytes, tuple[int, ...]]) -> None:
        height = 0
        while height in self._by_height:
            leaf = _parent(self._by_height.pop(height), leaf)
            height += 1
        self._by_height[height] = leaf
        self.count += 1

    @property
    def root(self) -> tuple[bytes, tuple[int, ...]]:
        found = None
        for height in sorted(self._by_height):
            part = self._by_height[height]
            found = part if found is None else _parent(part, found)
        return (hashlib.sha256(b"").digest(), (0,) * len(_NAMES)) if found is None else found


def _parent(left: tuple[bytes, tuple[int, ...]], right: tuple[bytes, tuple[int, ...]]) -> tuple[bytes, tuple[int, ...]]:
    sums = tuple(map(sum, zip(left[1], right[1], strict=True)))
    return hashlib.sha256(b"\x01" + _told(left) + _told(right)).digest(), sums


def _told(node: tuple[bytes, tuple[int, ...]]) -> bytes:
    return node[0] + b"".join(value.to_bytes(16, "big") for value in node[1])


@check(
    "holdings_at_the_close",
    "what each member is published to have held is what their lots, and their accounts' entries, had at that close",
    over="sealed_holding",
)
def holdings_at_the_close(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        f"""
        with newest as (
            select distinct on (s.book_id) s.book_id, w.number, w.last_sequence from settlement.seal s
            join settlement.window w on w.book_id = s.book_id and w.number = s.window_number
            where s.book_id = any(%(books)s) order by s.book_id, w.number desc
        ), by_lot as (
            select l.book_id, l.member_id, {funded("c.last_sequence + 1")} as funding, l.unit_value_minor, sum(case
                when m.source in ('home', 'given', 'accepted') and m.target in ('pending', 'wallet', 'held') then m.points
                when m.target in ('home', 'given', 'accepted') and m.source in ('pending', 'wallet', 'held') then -m.points
                else 0 end) as points
            from {LOTS} l join newest c on c.book_id = l.book_id
            join ledger.lot_move m on m.lot_id = l.id
            join ledger.batch b on b.id = m.batch_id and b.first_sequence + m.n <= c.last_sequence
            group by 1, 2, 3, 4
        ), lots as (
            select book_id, member_id, {
            ", ".join(
                f"coalesce(sum(points{value}) filter (where funding = '{kind}'), 0)"
                for kind in ("prefunded", "deferred", "closed_loop")
                for value in ("", " * unit_value_minor")
            )
        }
            from by_lot group by 1, 2 having sum(points) <> 0
        ), entries as (
            select a.book_id, a.owner_id as member_id, sum(e.amount) as points
            from ledger.account a join newest c on c.book_id = a.book_id
            join ledger.entry e on e.account_id = a.id
            join ledger.batch b on b.id = e.batch_id and b.first_sequence + e.n <= c.last_sequence
            where a.kind in ('wallet', 'pending', 'held') group by 1, 2 having sum(e.amount) <> 0
        )
        select coalesce(h.member_id, l.member_id, e.member_id) as member, h.sums as stored, e.points as by_entries
        from (select * from settlement.sealed_holding where book_id = any(%(books)s)) h
        full join lots l(book_id, member_id, a, b, c, d, e, f) on l.book_id = h.book_id and l.member_id = h.member_id
        full join entries e on e.book_id = coalesce(h.book_id, l.book_id)
            and e.member_id = coalesce(h.member_id, l.member_id)
        where h.sums is distinct from array[l.a, l.b, l.c, l.d, l.e, l.f]::bigint[]
            or e.points is distinct from h.sums[1] + h.sums[3] + h.sums[5]
        """
    )
