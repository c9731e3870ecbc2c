"""Sales and redemptions loaded in bulk: the rows that posting them would have left, hashed and chained as the ledger does.

What is loaded is proved by the audit like everything else; a row that were wrong here would be found there.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from psycopg import sql

from deploy.bench.network import PURCHASE_FEE_PPM, REDEMPTION_FEE_PPM, Member, Network, Shop

#: Records in a batch: a whole number of sales that are spent, each with a hold and a capture.
BATCH: Final = 510
#: Records of a sale whose points are spent.
SPENT: Final = 3
HOLD_MINUTES: Final = 15
#: Batches that are written in one transaction.
TOGETHER: Final = 16
#: Below so many records a second process costs more than it brings.
FEW: Final = 50_000
#: From so many on, their keys take long enough to be told of one by one.
MANY: Final = 1_000_000
LIFE_DAYS: Final = 365

#: As the ledger's batches are hashed; the audit hashes them anew.
ENCODING_VERSION: Final = 1

#: Written by every process, a stream of rows each. Their keys are made when the rows are there.
TABLES: Final = {
    "ledger.record": "batch_id, n, id, book_id, kind, at, actor, merchant_id, member_id, subject_id, payload",
    "ledger.entry": "batch_id, n, ordinal, account_id, asset, amount",
    "ledger.lot": "id, book_id, member_id, issuer_id, batch_id, n, unit_value_minor, funding, rule_id, contract_id,"
    " sale_id, points, pending, remaining, held, earned_at, available_at, expires_at",
    "ledger.lot_move": "batch_id, n, ordinal, lot_id, source, target, merchant_id, points",
    "ledger.hold": "id, book_id, member_id, acceptor_id, points, state, deadline, lot_ids, lot_points, batch_id, n",
    "ledger.outcome": "book_id, principal_id, key, fingerprint, status, body, at",
    "merchants.sale": "id, book_id, merchant_id, branch_id, member_id, external_reference, at, total_minor, money_minor,"
    " lines, payments, points_earned, contract_id, terms_id, batch_id, n",
    "merchants.redemption": "id, book_id, merchant_id, branch_id, member_id, external_reference, at, points,"
    " value_minor, consent, contract_id, batch_id, n",
}

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Share:
    """What one process loads: batches `first`, `first + step`, ... below `end`. In all there are `history` records of points
    that are spent, and behind them `sales` whose points are not."""

    url: str
    network: Network
    first_batch: int
    first: int
    end: int
    step: int
    history: int
    sales: int
    at: datetime
    seed: int

    def size(self, batch: int) -> int:
        """How many records a batch has."""
        spent = batches(self.history)
        return min(BATCH, self.history - batch * BATCH if batch < spent else self.sales - (batch - spent) * BATCH)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Digests by batch, and what the accounts gained, by id."""

    digests: dict[int, bytes]
    gained: dict[int, int]


def batches(records: int) -> int:
    return -(-records // BATCH)


def load(network: Network, sales: int, processes: int, say: Said, *, history: int = 0) -> None:
    """Load sales whose points members have, and before them so many records of points that they earned and spent.

    Into a book that nobody else is posting to.
    """
    history -= history % SPENT
    records, end = history + sales, batches(history) + batches(sales)
    if not records:
        return
    at = datetime.now(UTC).replace(microsecond=0)
    with psycopg.connect(network.url, autocommit=True) as conn:
        row = conn.execute(
            "select setval('ledger.batch_number', nextval('ledger.batch_number') + %s)", [end]
        ).fetchone()
        assert row is not None
        first_batch = int(row[0]) - end
        if records < FEW:
            processes = 1
        shares = [
            Share(network.url, network, first_batch, k, end, processes, history, sales, at, seed=k)
            for k in range(processes)
        ]
        began = time.monotonic()
        with _without_keys(conn, say if records >= MANY else lambda _name: None):
            done = _shared(shares, records, say)
            seconds = time.monotonic() - began
            say(f"{records:,} records in {seconds:.0f} s, {records / seconds:,.0f} a second; now their keys")
        _seal(conn, network.book_id, shares[0], {k: v for each in done for k, v in each.digests.items()})
        _credit(conn, done)
        for table in (*TABLES, "ledger.batch", "ledger.account"):
            conn.execute(sql.SQL("vacuum (analyze) {}").format(sql.SQL(table)))


def _shared(shares: list[Share], records: int, say: Said) -> list[Loaded]:
    if len(shares) == 1:
        return [_load(shares[0], lambda _batches: None)]
    context = multiprocessing.get_context("spawn")
    done: list[Loaded] = []
    so_far = 0
    heard: multiprocessing.Queue[Any] = context.Queue()
    processes = [context.Process(target=_process, args=(share, heard), daemon=True) for share in shares]
    try:
        for process in processes:
            process.start()
        last = time.monotonic()
        while len(done) < len(shares):
            try:
                word = heard.get(timeout=1.0)
            except Exception:
                assert all(process.exitcode in (None, 0) for process in processes), "a loader died"
                continue
            if isinstance(word, Loaded):
                done.append(word)
                continue
            assert isinstance(word, int), word
            so_far += word
            if time.monotonic() - last > 5:
                last = time.monotonic()
                say(f"{min(so_far * BATCH, records):,} of {records:,} records")
        return done
    finally:
        for process in processes:
            process.terminate()


def _process(share: Share, heard: multiprocessing.Queue[Any]) -> None:
    heard.put(_load(share, lambda batches: heard.put(batches)))
    heard.close()
    heard.join_thread()


def _load(share: Share, loaded: Callable[[int], None]) -> Loaded:
    result = Loaded({}, {})
    made = _Made(share)
    with psycopg.connect(share.url) as conn:
        conn.execute("set synchronous_commit = off")  # nothing is measured here, and a crash throws all of it away
        pending = 0
        for batch in range(share.first, share.end, share.step):
            result.digests[share.first_batch + batch] = made.batch(batch)
            pending += 1
            if pending == TOGETHER:
                made.write(conn)
                loaded(pending)
                pending = 0
        made.write(conn)
        loaded(pending)
    result.gained.update(made.gained)
    return result


class _Place(NamedTuple):
    """A shop, and what is the same in every sale there, written once."""

    shop: Shop
    id: str
    branch: str
    contract: str
    terms: str
    available: str


class _Made:
    """Rows in the making, as COPY reads them."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._random = random.Random(share.seed)
        self._milliseconds = int(share.at.timestamp() * 1000)
        self.rows: dict[str, list[str]] = {table: [] for table in TABLES}
        self.gained: dict[int, int] = {}
        self._at = _told(share.at)
        self._expires = _told(share.at + timedelta(days=LIFE_DAYS))
        self._deadline = _told(share.at + timedelta(minutes=HOLD_MINUTES))
        places = [self._place(shop) for shop in share.network.shops]
        self._everywhere = places
        # points that are pending cannot be spent
        self._at_once = [place for place in places if not place.shop.maturity_days]
        self._places, self._spent = places, False
        self._members = [(member, str(member.id)) for member in share.network.members]

    def _place(self, shop: Shop) -> _Place:
        available = _told(self._share.at + timedelta(days=shop.maturity_days))
        return _Place(shop, str(shop.id), str(shop.branch), str(shop.contract), str(shop.terms), available)

    def batch(self, number: int) -> bytes:
        """Make the rows of one batch; the digest of its records."""
        share = self._share
        self._spent = number < batches(share.history)
        self._places = self._at_once if self._spent else self._everywhere
        each = SPENT if self._spent else 1
        told = [self._life(share.first_batch + number, number, n) for n in range(0, share.size(number), each)]
        digest = hashlib.sha256(f"[{ENCODING_VERSION},[".encode())
        digest.update(",".join(told).encode())
        digest.update(b"]]")
        return digest.digest()

    def _life(self, batch: int, number: int, n: int) -> str:
        """Rows of one sale that earned one lot, and of its redemption if it is spent; their records in canonical form."""
        chance = self._random.random
        place = self._places[int(chance() * len(self._places))]
        # what is spent is anybody's; what is left to spend, everybody's alike
        drawn = int(chance() * len(self._members)) if self._spent else number * BATCH + n
        member, owner = self._members[drawn % len(self._members)]
        points = 20 + int(chance() * 80)
        # ids in the order of time, of version 7: a millisecond for each batch, then its place
        stem = self._milliseconds + number
        head, tail = f"{stem >> 16:08x}-{stem & 0xFFFF:04x}", f"8000-{number & 0xFFFFFFFF:08x}{n:04x}"
        told = self._sale(place, member, owner, points, head, tail, f"{batch}\t{n}", n, f"L{batch}-{n}")
        if not self._spent:
            return told
        closed = place.shop.mode == "closed_loop"
        at = place if closed else self._places[int(chance() * len(self._places))]
        return f"{told},{self._redemption(place, at, member, owner, points, head, tail, batch, n, f'L{batch}-{n}')}"

    def _sale(
        self,
        place: _Place,
        member: Member,
        owner: str,
        points: int,
        head: str,
        tail: str,
        where: str,
        n: int,
        reference: str,
    ) -> str:
        rows, book, at, shop = self.rows, self._share.network.book_id, self._at, place.shop
        total = points * 100
        record, sale, lot = f"{head}-7001-{tail}", f"{head}-7002-{tail}", f"{head}-7003-{tail}"
        kept, account = ("pending", member.pending) if shop.maturity_days else ("wallet", member.wallet)
        payload = (
            f'{{"branch":"{place.branch}","contract":"{place.contract}","lots":[{{"available_at":"{place.available}",'
            f'"contract":"{place.contract}","expires_at":"{self._expires}","funding":"{shop.mode}","issuer":"{place.id}",'
            f'"lot":"{lot}","parent":null,"points":{points},"rule":"{place.terms}","sale":"{sale}",'
            f'"unit_value_minor":1}}],"money_minor":{total},"points":{points},"purchase_fee_ppm":{PURCHASE_FEE_PPM},'
            f'"refused":null,"terms":"{place.terms}","total_minor":{total}}}'
        )
        rows["ledger.record"].append(
            f"{where}\t{record}\t{book}\tsale\t{at}\tbench\t{place.id}\t{owner}\t{sale}\t{payload}\n"
        )
        rows["ledger.entry"].append(
            f"{where}\t0\t{shop.source_id}\tpoints\t{-points}\n{where}\t1\t{account}\tpoints\t{points}\n"
        )
        pending = points if kept == "pending" else 0
        remaining = 0 if self._spent else points - pending
        rows["ledger.lot"].append(
            f"{lot}\t{book}\t{owner}\t{place.id}\t{where}\t1\t{shop.mode}\t{place.terms}\t{place.contract}\t{sale}"
            f"\t{points}\t{pending}\t{remaining}\t0\t{at}\t{place.available}\t{self._expires}\n"
        )
        rows["ledger.lot_move"].append(f"{where}\t0\t{lot}\thome\t{kept}\t\\N\t{points}\n")
        self._outcome(
            place.id,
            reference,
            f'{{"id":"{sale}","record":"{record}","branch":"{place.branch}","member":"{owner}","external_reference":'
            f'"{reference}","at":"{at}","total":{total},"earn":{{"points":{points},"lot":"{lot}"}}}}',
        )
        rows["merchants.sale"].append(
            f"{sale}\t{book}\t{place.id}\t{place.branch}\t{owner}\t{reference}\t{at}\t{total}\t{total}\t[]\t[]"
            f"\t{points}\t{place.contract}\t{place.terms}\t{where}\n"
        )
        self._gain(shop.source_id, -points)
        if not self._spent:
            self._gain(account, points)
        return (
            f'[{n},"{record}","sale","{at}","bench","{place.id}","{owner}","{sale}",null,{payload},'
            f'[["{shop.source}","points",{-points}],["{kept}:{owner}","points",{points}]],'
            f'[["{lot}","home","{kept}",null,{points}]]]'
        )

    def _redemption(
        self,
        issuer: _Place,
        place: _Place,
        member: Member,
        owner: str,
        points: int,
        head: str,
        tail: str,
        batch: int,
        n: int,
        reference: str,
    ) -> str:
        """All points of the lot that the record before earned, held and captured at a shop."""
        rows, book, at = self.rows, self._share.network.book_id, self._at
        lot, redemption = f"{head}-7003-{tail}", f"{head}-7004-{tail}"
        hold, capture = f"{head}-7005-{tail}", f"{head}-7006-{tail}"
        held, captured = f"{batch}\t{n + 1}", f"{batch}\t{n + 2}"
        slices = (
            f'[{{"funding":"{issuer.shop.mode}","issuer":"{issuer.id}","lot":"{lot}","points":{points},'
            f'"unit_value_minor":1}}]'
        )
        asked = f'{{"deadline":"{self._deadline}","points":{points},"slices":{slices},"value_minor":{points}}}'
        taken = (
            f'{{"contract":"{place.contract}","points":{points},"redemption_fee_ppm":{REDEMPTION_FEE_PPM},'
            f'"slices":{slices},"value_minor":{points}}}'
        )
        of = f"{place.id}\t{owner}\t{redemption}"
        rows["ledger.record"].append(
            f"{held}\t{hold}\t{book}\thold\t{at}\tbench\t{of}\t{asked}\n"
            f"{captured}\t{capture}\t{book}\tcapture\t{at}\tbench\t{of}\t{taken}\n"
        )
        rows["ledger.entry"].append(
            f"{held}\t0\t{member.wallet}\tpoints\t{-points}\n{held}\t1\t{member.held}\tpoints\t{points}\n"
            f"{captured}\t0\t{member.held}\tpoints\t{-points}\n"
            f"{captured}\t1\t{place.shop.accepted}\tpoints\t{points}\n"
        )
        rows["ledger.lot_move"].append(
            f"{held}\t0\t{lot}\twallet\theld\t\\N\t{points}\n"
            f"{captured}\t0\t{lot}\theld\taccepted\t{place.id}\t{points}\n"
        )
        rows["ledger.hold"].append(
            f"{redemption}\t{book}\t{owner}\t{place.id}\t{points}\tcaptured\t{self._deadline}\t{{{lot}}}\t{{{points}}}"
            f"\t{held}\n"
        )
        self._outcome(
            place.id,
            f"{reference}-spent",
            f'{{"id":"{redemption}","record":"{capture}","state":"captured","member":"{owner}","external_reference":'
            f'"{reference}","at":"{at}","points":{points},"slices":[["{lot}",{points}]]}}',
        )
        rows["merchants.redemption"].append(
            f"{redemption}\t{book}\t{place.id}\t{place.branch}\t{owner}\t{reference}\t{at}\t{points}\t{points}\tcode"
            f"\t{place.contract}\t{held}\n"
        )
        self._gain(place.shop.accepted, points)
        return (
            f'[{n + 1},"{hold}","hold","{at}","bench","{place.id}","{owner}","{redemption}",null,{asked},'
            f'[["wallet:{owner}","points",{-points}],["held:{owner}","points",{points}]],'
            f'[["{lot}","wallet","held",null,{points}]]],'
            f'[{n + 2},"{capture}","capture","{at}","bench","{place.id}","{owner}","{redemption}",null,{taken},'
            f'[["held:{owner}","points",{-points}],["accepted:{place.id}","points",{points}]],'
            f'[["{lot}","held","accepted","{place.id}",{points}]]]'
        )

    def _outcome(self, principal: str, key: str, body: str) -> None:
        fingerprint = key.encode().hex().ljust(64, "0")[:64]
        self.rows["ledger.outcome"].append(
            f"{self._share.network.book_id}\t{principal}\tload-{key}\t\\\\x{fingerprint}\t200"
            f"\t\\\\x{body.encode().hex()}\t{self._at}\n"
        )

    def _gain(self, account: int, points: int) -> None:
        self.gained[account] = self.gained.get(account, 0) + points

    def write(self, conn: psycopg.Connection[Any]) -> None:
        with conn.transaction(), conn.cursor() as cursor:
            for table, columns in TABLES.items():
                with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(sql.SQL(table), sql.SQL(columns))) as copy:
                    copy.write("".join(self.rows[table]))
                self.rows[table].clear()


def _told(at: datetime) -> str:
    """A time as canonical JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(at), type=str)


def _seal(conn: psycopg.Connection[Any], book_id: int, share: Share, digests: dict[int, bytes]) -> None:
    """Give the batches their places in the sequence and the chain, and move the head behind them."""
    with conn.transaction():
        row = conn.execute(
            "select next_sequence, hash from ledger.head where book_id = %s for update", [book_id]
        ).fetchone()
        assert row is not None
        sequence, hash = row
        with conn.cursor().copy("copy ledger.batch (id, book_id, first_sequence, records, hash) from stdin") as copy:
            for number in range(share.end):
                id, size = share.first_batch + number, share.size(number)
                hash = hashlib.sha256(hash + sequence.to_bytes(8, "big", signed=True) + digests[id]).digest()
                copy.write_row((id, book_id, sequence, size, hash))
                sequence += size
        conn.execute(
            "update ledger.head set next_sequence = %s, hash = %s where book_id = %s", [sequence, hash, book_id]
        )


def _credit(conn: psycopg.Connection[Any], done: list[Loaded]) -> None:
    """Let the balances show what was loaded."""
    gained: dict[int, int] = {}
    for each in done:
        for account, points in each.gained.items():
            gained[account] = gained.get(account, 0) + points
    conn.execute(
        "update ledger.account a set balance = balance + new.points"
        " from unnest(%s::bigint[], %s::bigint[]) as new(id, points) where a.id = new.id",
        [list(gained), list(gained.values())],
    )


@contextlib.contextmanager
def _without_keys(conn: psycopg.Connection[Any], said: Said) -> Iterator[None]:
    """Take the indexes of the tables away and make the same again: one sort each instead of a search for every row."""
    names = list(TABLES)
    constraints = conn.execute(
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where contype in ('p', 'u') and conrelid = any(%s::regclass[]) order by 1, 2",
        [names],
    ).fetchall()
    indexes = conn.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index i"
        " where indrelid = any(%s::regclass[]) and not exists"
        " (select from pg_constraint c where c.conindid = i.indexrelid) order by 1",
        [names],
    ).fetchall()
    for table, name, _ in constraints:
        conn.execute(sql.SQL("alter table {} drop constraint {}").format(sql.SQL(table), sql.Identifier(name)))
    for name, _ in indexes:
        conn.execute(sql.SQL("drop index {}").format(sql.SQL(name)))
    yield
    conn.execute("set maintenance_work_mem = '512MB'")
    conn.execute("set max_parallel_maintenance_workers = 2")
    for table, name, definition in constraints:
        said(name)
        conn.execute(
            sql.SQL("alter table {} add constraint {} {}").format(
                sql.SQL(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
    for name, definition in indexes:
        said(name)
        conn.execute(sql.SQL("{}").format(sql.SQL(definition)))
