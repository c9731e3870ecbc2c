"""The SQL of merchants, branches, tills, contracts and terms. One book's rows are never found through another."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

import ledger
from ledger.errors import Invalid, NotFound
from merchants.contracts.parties import (
    CHANNELS,
    KINDS,
    LONGEST_REFERENCE,
    Branch,
    Contract,
    Merchant,
    Taken,
    Terms,
    Till,
    misnamed,
    tidy,
)

#: A list asks for one more, to know whether there is another page.
LARGEST_PAGE: Final = 100

_MERCHANT: Final = "id, name, kind, state, category"
_BRANCH: Final = "id, merchant_id, reference, name, state, channel, city"
_TILL: Final = "id, merchant_id, branch_id, state, reference"
_CONTRACT: Final = (
    "id, merchant_id, version, mode, unit_value_minor, credit_line_points, purchase_fee_ppm, redemption_fee_ppm,"
    " hold_minutes, points_life_days, maturity_days, earns_for, spends_for"
)
_TERMS: Final = "id, merchant_id, version, rules"


# -- merchants, branches, tills (role door)


def add_merchant(
    tx: ledger.Tx, book: ledger.Book, name: str, kind: str, category: str | None, now: datetime
) -> Merchant | ledger.Refusal:
    """A new merchant, active, without contract: it earns and accepts nothing until one is in force."""
    name, category = tidy(name), tidy(category or "") or None
    if wrong := misnamed("/name", name) or (category and misnamed("/category", category)):
        return wrong
    if kind not in KINDS:
        return Invalid("/kind", f"must be one of {', '.join(KINDS)}")
    merchant = Merchant(ledger.ids.new(), name, kind, "active", category)
    made = tx.execute(
        "insert into merchants.merchant (id, book_id, name, kind, state, category, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning id",
        [merchant.id, book.id, name, kind, merchant.state, category, now],
    ).fetchone()
    if made is None:
        return _taken(tx, "merchant", "/name", "book_id = %s and name = %s", [book.id, name])
    ledger.raise_settings_revision(tx, book.id)
    return merchant


def add_branch(
    tx: ledger.Tx,
    book: ledger.Book,
    merchant_id: UUID,
    reference: str,
    name: str,
    channel: str = "physical",
    city: str | None = None,
) -> Branch | ledger.Refusal:
    """A new branch of a merchant; `reference` is the merchant's own name for it."""
    reference, name, city = tidy(reference), tidy(name), tidy(city or "") or None
    if wrong := (
        misnamed("/reference", reference, LONGEST_REFERENCE)
        or misnamed("/name", name)
        or (city and misnamed("/city", city))
    ):
        return wrong
    if channel not in CHANNELS:
        return Invalid("/channel", f"must be one of {', '.join(CHANNELS)}")
    if merchant(tx, book, merchant_id) is None:
        return NotFound("merchant")
    branch = Branch(ledger.ids.new(), merchant_id, reference, name, "active", channel, city)
    made = tx.execute(
        "insert into merchants.branch (id, book_id, merchant_id, reference, name, channel, city, state)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning id",
        [branch.id, book.id, merchant_id, reference, name, channel, city, branch.state],
    ).fetchone()
    if made is None:
        return _taken(tx, "branch", "/reference", "merchant_id = %s and reference = %s", [merchant_id, reference])
    ledger.raise_settings_revision(tx, book.id)
    return branch


def add_till(
    tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, branch_id: UUID, reference: str
) -> Till | ledger.Refusal:
    """A new till at a branch of a merchant; `reference` is the merchant's own name for it."""
    reference = tidy(reference)
    if wrong := misnamed("/reference", reference, LONGEST_REFERENCE):
        return wrong
    if branch(tx, book, merchant_id, branch_id) is None:
        return NotFound("branch", "/branch")
    till = Till(ledger.ids.new(), merchant_id, branch_id, "active", reference)
    made = tx.execute(
        "insert into merchants.till (id, book_id, merchant_id, branch_id, reference, state)"
        " values (%s, %s, %s, %s, %s, %s) on conflict do nothing returning id",
        [till.id, book.id, merchant_id, branch_id, reference, till.state],
    ).fetchone()
    if made is None:
        return _taken(tx, "till", "/reference", "branch_id = %s and reference = %s", [branch_id, reference])
    ledger.raise_settings_revision(tx, book.id)
    return till


def _taken(tx: ledger.Tx, what: str, at: str, where: str, values: list[Any]) -> Taken:
    row = tx.execute(f"select id from merchants.{what} where {where}", values).fetchone()
    assert row is not None, what
    return Taken(ledger.ids.show(what, row[0]), at)


def merchant(tx: ledger.Tx, book: ledger.Book, id: UUID) -> Merchant | None:
    row = tx.execute(
        f"select {_MERCHANT} from merchants.merchant where book_id = %s and id = %s", [book.id, id]
    ).fetchone()
    return None if row is None else Merchant(*row)


def branch(tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, id: UUID) -> Branch | None:
    row = tx.execute(
        f"select {_BRANCH} from merchants.branch where book_id = %s and merchant_id = %s and id = %s",
        [book.id, merchant_id, id],
    ).fetchone()
    return None if row is None else Branch(*row)


def till(tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, id: UUID) -> Till | None:
    row = tx.execute(
        f"select {_TILL} from merchants.till where book_id = %s and merchant_id = %s and id = %s",
        [book.id, merchant_id, id],
    ).fetchone()
    return None if row is None else Till(*row)


def list_merchants(
    tx: ledger.Tx, book: ledger.Book, *, after: UUID | None = None, limit: int = LARGEST_PAGE
) -> list[Merchant]:
    """A page of merchants in the order they came, those after the id `after`."""
    rows = tx.execute(
        f"select {_MERCHANT} from merchants.merchant"
        " where book_id = %s and (%s::uuid is null or id > %s) order by id limit %s",
        [book.id, after, after, min(limit, LARGEST_PAGE + 1)],
    )
    return [Merchant(*row) for row in rows]


def list_branches(
    tx: ledger.Tx, book: ledger.Book, merchant_id: UUID, *, after: UUID | None = None, limit: int = LARGEST_PAGE
) -> list[Branch]:
    """A page of a merchant's branches in the order they came, those after the id `after`."""
    rows = tx.execute(
        f"select {_BRANCH} from merchants.branch"
        " where book_id = %s and merchant_id = %s and (%s::uuid is null or id > %s) order by id limit %s",
        [book.id, merchant_id, after, after, min(limit, LARGEST_PAGE + 1)],
    )
    return [Branch(*row) for row in rows]


def list_tills(
    tx: ledger.Tx,
    book: ledger.Book,
    merchant_id: UUID,
    branch_id: UUID | None = None,
    *,
    after: UUID | None = None,
    limit: int = LARGEST_PAGE,
) -> list[Till]:
    """A page of a merchant's tills, of one branch or all, in the order they came, those after the id `after`."""
    rows = tx.execute(
        f"select {_TILL} from merchants.till where book_id = %s and merchant_id = %s"
        " and (%s::uuid is null or branch_id = %s) and (%s::uuid is null or id > %s) order by id limit %s",
        [book.id, merchant_id, branch_id, branch_id, after, after, min(limit, LARGEST_PAGE + 1)],
    )
    return [Till(*row) for row in rows]


# -- the picture of a book (posting path and doors)


def all_merchants(tx: ledger.Tx, book_id: int) -> list[Merchant]:
    rows = tx.execute(f"select {_MERCHANT} from merchants.merchant where book_id = %s", [book_id])
    return [Merchant(*row) for row in rows]


def all_branches(tx: ledger.Tx, book_id: int) -> list[Branch]:
    rows = tx.execute(f"select {_BRANCH} from merchants.branch where book_id = %s", [book_id])
    return [Branch(*row) for row in rows]


def all_tills(tx: ledger.Tx, book_id: int) -> list[Till]:
    rows = tx.execute(f"select {_TILL} from merchants.till where book_id = %s", [book_id])
    return [Till(*row) for row in rows]


def contracts_in_force(tx: ledger.Tx, book_id: int) -> list[Contract]:
    """The newest version of each merchant: a version is written by the record that puts it in force."""
    rows = tx.execute(
        f"select distinct on (merchant_id) {_CONTRACT} from merchants.contract where book_id = %s"
        " order by merchant_id, version desc",
        [book_id],
    )
    return [_contract(row) for row in rows]


def _contract(row: Sequence[Any]) -> Contract:
    """The row's arrays as tuples: what a process remembers must not change."""
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    return Contract(*values)


def terms_in_force(tx: ledger.Tx, book_id: int) -> list[Terms]:
    """The newest version of each merchant: a version is written by the record that puts it in force."""
    rows = tx.execute(
        f"select distinct on (merchant_id) {_TERMS} from merchants.terms where book_id = %s"
        " order by merchant_id, version desc",
        [book_id],
    )
    return [Terms(*row) for row in rows]


# -- what comes into force (role ledger)


def parties_to(
    tx: ledger.Tx, book_id: int, merchant_ids: Sequence[UUID]
) -> tuple[dict[UUID, Merchant], dict[UUID, Contract], dict[UUID, int]]:
    """Merchants, their contracts in force, and the numbers of their newest terms."""
    wanted = [book_id, list(merchant_ids)]
    merchants = tx.execute(f"select {_MERCHANT} from merchants.merchant where book_id = %s and id = any(%s)", wanted)
    contracts = tx.execute(
        f"select distinct on (merchant_id) {_CONTRACT} from merchants.contract"
        " where book_id = %s and merchant_id = any(%s) order by merchant_id, version desc",
        wanted,
    )
    versions = tx.execute(
        "select merchant_id, max(version) from merchants.terms"
        " where book_id = %s and merchant_id = any(%s) group by merchant_id",
        wanted,
    )
    return (
        {row[0]: Merchant(*row) for row in merchants},
        {row[1]: _contract(row) for row in contracts},
        {row[0]: row[1] for row in versions},
    )


def put_contracts(tx: ledger.Tx, book_id: int, contracts: Sequence[Contract], now: datetime) -> None:
    """Write contract versions; the book's lock is held exclusively."""
    for c in contracts:
        tx.execute(
            f"insert into merchants.contract (book_id, clauses, in_force_at, {_CONTRACT})"
            " values (%s, '{}', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                book_id,
                now,
                c.id,
                c.merchant_id,
                c.version,
                c.mode,
                c.unit_value_minor,
                c.credit_line_points,
                c.purchase_fee_ppm,
                c.redemption_fee_ppm,
                c.hold_minutes,
                c.points_life_days,
                c.maturity_days,
                list(c.earns_for),
                list(c.spends_for),
            ],
        )


def put_terms(tx: ledger.Tx, book_id: int, terms: Sequence[Terms], now: datetime) -> None:
    """Write terms versions; the book's lock is held exclusively."""
    for t in terms:
        tx.execute(
            f"insert into merchants.terms (book_id, in_force_at, {_TERMS}) values (%s, %s, %s, %s, %s, %s)",
            [book_id, now, t.id, t.merchant_id, t.version, Jsonb(dict(t.rules))],
        )


def agreed(tx: ledger.Tx, book_id: int) -> list[tuple[UUID, str, dict[str, Any], UUID, str]]:
    """(subject, kind, facts, record, actor) of what waits for the end of the open window."""
    return tx.execute(
        "select subject_id, kind, facts, record_id, actor from merchants.agreed where book_id = %s order by subject_id",
        [book_id],
    ).fetchall()


def put_agreed(tx: ledger.Tx, book_id: int, waiting: Sequence[tuple[UUID, str, dict[str, Any], UUID, str]]) -> None:
    """Write what was agreed, in the place of what waited before of the same subject."""
    for subject, kind, facts, record, actor in waiting:
        tx.execute(
            "insert into merchants.agreed (subject_id, book_id, kind, facts, record_id, actor)"
            " values (%s, %s, %s, %s, %s, %s) on conflict (subject_id) do update set kind = excluded.kind,"
            " facts = excluded.facts, record_id = excluded.record_id, actor = excluded.actor",
            [subject, book_id, kind, Jsonb(facts), record, actor],
        )


def withdraw(tx: ledger.Tx, book_id: int, subjects: Sequence[UUID]) -> None:
    """Nothing waits of these subjects any more."""
    tx.execute("delete from merchants.agreed where book_id = %s and subject_id = any(%s)", [book_id, list(subjects)])


def set_state(tx: ledger.Tx, book_id: int, what: str, id: UUID, state: str) -> None:
    """How a merchant or a branch is; the book's lock is held exclusively. Raise the settings revision with it."""
    assert what in ("merchant", "branch"), what
    tx.execute(f"update merchants.{what} set state = %s where book_id = %s and id = %s", [state, book_id, id])
