"""Sales loaded in bulk: the rows that posting them would have left, batch for batch, hashed and chained as the ledger does.

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
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

from deploy.bench.network import PURCHASE_FEE_PPM, Network

BATCH: Final = 512
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
    "ledger.lot_move": "batch_id, n, ordinal, lot_id, source, target, points",
    "ledger.outcome": "book_id, principal_id, key, fingerprint, status, body, at",
    "merchants.sale": "id, book_id, merchant_id, branch_id, member_id, external_reference, at, total_minor, money_minor,"
    " lines, payments, points_earned, contract_id, terms_id, batch_id, n",
}

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Share:
    """What one process loads: batches `first`, `first + step`, ... below `end`, of `records` in all."""

    url: str
    network: Network
    first_batch: int
    first: int
    end: int
    step: int
    records: int
    at: datetime
    seed: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """Digests by batch, and what the accounts gained, by id."""

    digests: dict[int, bytes]
    gained: dict[int, int]


def load(network: Network, records: int, processes: int, say: Said) -> None:
    """Load so many sales that earn into a book that nobody else is posting to."""
    if not records:
        return
    batches = -(-records // BATCH)
    at = datetime.now(UTC).replace(microsecond=0)
    with psycopg.connect(network.url, autocommit=True) as conn:
        row = conn.execute(
            "select setval('ledger.batch_number', nextval('ledger.batch_number') + %s)", [batches]
        ).fetchone()
        assert row is not None
        first_batch = int(row[0]) - batches
        if records < FEW:
            processes = 1
        shares = [
            Share(network.url, network, first_batch, k, batches, processes, records, at, seed=k)
            for k in range(processes)
        ]
        began = time.monotonic()
        with _without_keys(conn, say if records >= MANY else lambda _name: None):
            done = _shared(shares, records, say)
            seconds = time.monotonic() - began
            say(f"{records:,} records in {seconds:.0f} s, {records / seconds:,.0f} a second; now their keys")
        _seal(conn, network.book_id, first_batch, records, {k: v for each in done for k, v in each.digests.items()})
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


class _Made:
    """Rows in the making, as COPY reads them."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._random = random.Random(share.seed)
        self._milliseconds = int(share.at.timestamp() * 1000)
        self.rows: dict[str, list[str]] = {table: [] for table in TABLES}
        self.gained: dict[int, int] = {}
        at = share.at
        self._at = _told(at)
        self._expires = _told(at + timedelta(days=LIFE_DAYS))
        # what is the same in every sale of a shop, written once
        self._shops = [
            (
                shop,
                str(shop.id),
                str(shop.branch),
                str(shop.contract),
                str(shop.terms),
                *self._place(shop.maturity_days),
            )
            for shop in share.network.shops
        ]
        self._members = [(member, str(member.id)) for member in share.network.members]

    def _place(self, maturity_days: int) -> tuple[str, str]:
        available = _told(self._share.at + timedelta(days=maturity_days))
        return ("pending" if maturity_days else "wallet", available)

    def batch(self, number: int) -> bytes:
        """Make the rows of one batch; the digest of its records."""
        share = self._share
        size = min(BATCH, share.records - number * BATCH)
        id = share.first_batch + number
        digest = hashlib.sha256(f"[{ENCODING_VERSION},[".encode())
        told = [self._sale(id, number, n) for n in range(size)]
        digest.update(",".join(told).encode())
        digest.update(b"]]")
        return digest.digest()

    def _sale(self, batch: int, number: int, n: int) -> str:
        """Rows of one sale that earned one lot; its record in canonical form."""
        rows, book, at = self.rows, self._share.network.book_id, self._at
        chance = self._random.random
        shop, merchant, branch, contract, terms, place, available = self._shops[int(chance() * len(self._shops))]
        member, owner = self._members[int(chance() * len(self._members))]
        points = 20 + int(chance() * 80)
        total = points * 100
        # ids in the order of time, of version 7: a millisecond for each batch, then its place
        stem = self._milliseconds + number
        head = f"{stem >> 16:08x}-{stem & 0xFFFF:04x}"
        tail = f"8000-{number & 0xFFFFFFFF:08x}{n:04x}"
        record, sale, lot = f"{head}-7001-{tail}", f"{head}-7002-{tail}", f"{head}-7003-{tail}"
        reference = f"L-{number}-{n}"
        account = member.pending if place == "pending" else member.wallet
        payload = (
            f'{{"branch":"{branch}","contract":"{contract}","lots":[{{"available_at":"{available}",'
            f'"contract":"{contract}","expires_at":"{self._expires}","funding":"{shop.mode}","issuer":"{merchant}",'
            f'"lot":"{lot}","parent":null,"points":{points},"rule":"{terms}","sale":"{sale}","unit_value_minor":1}}],'
            f'"money_minor":{total},"points":{points},"purchase_fee_ppm":{PURCHASE_FEE_PPM},"refused":null,'
            f'"terms":"{terms}","total_minor":{total}}}'
        )
        rows["ledger.record"].append(
            f"{batch}\t{n}\t{record}\t{book}\tsale\t{at}\tbench\t{merchant}\t{owner}\t{sale}\t{payload}\n"
        )
        rows["ledger.entry"].append(
            f"{batch}\t{n}\t0\t{shop.source_id}\tpoints\t{-points}\n{batch}\t{n}\t1\t{account}\tpoints\t{points}\n"
        )
        pending = points if place == "pending" else 0
        rows["ledger.lot"].append(
            f"{lot}\t{book}\t{owner}\t{merchant}\t{batch}\t{n}\t1\t{shop.mode}\t{terms}\t{contract}\t{sale}\t{points}"
            f"\t{pending}\t{points - pending}\t0\t{at}\t{available}\t{self._expires}\n"
        )
        rows["ledger.lot_move"].append(f"{batch}\t{n}\t0\t{lot}\thome\t{place}\t{points}\n")
        body = (
            f'{{"id":"{sale}","record":"{record}","branch":"{branch}","member":"{owner}","external_reference":'
            f'"{reference}","at":"{at}","total":{total},"earn":{{"points":{points},"lot":"{lot}"}}}}'
        )
        rows["ledger.outcome"].append(
            f"{book}\t{merchant}\tload-{reference}\t\\\\x{number:056x}{n:08x}\t200\t\\\\x{body.encode().hex()}\t{at}\n"
        )
        rows["merchants.sale"].append(
            f"{sale}\t{book}\t{merchant}\t{branch}\t{owner}\t{reference}\t{at}\t{total}\t{total}\t[]\t[]\t{points}"
            f"\t{contract}\t{terms}\t{batch}\t{n}\n"
        )
        gained = self.gained
        gained[account] = gained.get(account, 0) + points
        gained[shop.source_id] = gained.get(shop.source_id, 0) - points
        return (
            f'[{n},"{record}","sale","{at}","bench","{merchant}","{owner}","{sale}",null,{payload},'
            f'[["{shop.source}","points",{-points}],["{place}:{owner}","points",{points}]],'
            f'[["{lot}","home","{place}",null,{points}]]]'
        )

    def write(self, conn: psycopg.Connection[Any]) -> None:
        with conn.transaction(), conn.cursor() as cursor:
            for table, columns in TABLES.items():
                with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(sql.SQL(table), sql.SQL(columns))) as copy:
                    copy.write("".join(self.rows[table]))
                self.rows[table].clear()


def _told(at: datetime) -> str:
    """A time as canonical JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(at), type=str)


def _seal(
    conn: psycopg.Connection[Any], book_id: int, first_batch: int, records: int, digests: dict[int, bytes]
) -> None:
    """Give the batches their places in the sequence and the chain, and move the head behind them."""
    with conn.transaction():
        row = conn.execute(
            "select next_sequence, hash from ledger.head where book_id = %s for update", [book_id]
        ).fetchone()
        assert row is not None
        sequence, hash = row
        left = records
        with conn.cursor().copy("copy ledger.batch (id, book_id, first_sequence, records, hash) from stdin") as copy:
            for batch in sorted(digests):
                size = min(BATCH, left)
                hash = hashlib.sha256(hash + sequence.to_bytes(8, "big", signed=True) + digests[batch]).digest()
                copy.write_row((batch, book_id, sequence, size, hash))
                sequence, left = sequence + size, left - size
        assert left == 0, (left, first_batch)
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
