"""Contracts and terms come into force as records, each version once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

import ledger
from ledger.errors import Invalid, NotFound, StateConflict
from merchants import contracts, programme

RULES = {"points": 1, "per_minor": 1000}


@pytest.fixture
def committer(database_url: str) -> Iterator[ledger.Committer]:
    made = ledger.Committer(
        database_url,
        {"contract": contracts.ContractHandler(), "terms": contracts.TermsHandler(programme.faults)},
    )
    yield made
    made.close()


@pytest.fixture
def cafe(db: ledger.Database, book: ledger.Book) -> UUID:
    with db.tx("door") as tx:
        made = contracts.add_merchant(tx, book, "Café", "shop", None, book.now)
    assert isinstance(made, contracts.Merchant)
    return made.id


def request(book: ledger.Book, kind: str, body: Any, key: str | None = None) -> ledger.Request:
    return ledger.Request(
        book.id, kind, book.operator_id, "operator:o", body, lambda _: (200, b"{}"), key, b"fingerprint"
    )


def post(committer: ledger.Committer, book: ledger.Book, body: Any) -> Any:
    kind = "contract" if isinstance(body, contracts.NewContract) else "terms"
    decision = committer.post(request(book, kind, body)).decision
    return decision.value if isinstance(decision, ledger.Accepted) else decision


def deferred(merchant: UUID, **more: Any) -> contracts.NewContract:
    return replace(contracts.NewContract(merchant, "deferred", credit_line_points=5000), **more)


def records(db: ledger.Database) -> list[Any]:
    with db.tx("auditor") as tx:
        return tx.execute(
            "select kind, merchant_id, subject_id, member_id, payload from ledger.record order by batch_id, n"
        ).fetchall()


def network(db: ledger.Database, book: ledger.Book) -> contracts.Network:
    with db.tx("ledger") as tx:
        return contracts.load(tx, book.id)


def test_a_contract_comes_into_force_as_a_record(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    body = deferred(
        cafe,
        purchase_fee_ppm=10_000,
        redemption_fee_ppm=20_000,
        hold_minutes=30,
        points_life_days=400,
        maturity_days=7,
    )
    done = post(committer, book, body)
    assert isinstance(done, contracts.ContractInForce)
    contract = done.contract
    assert (contract.version, contract.unit_value_minor) == (1, book.face_value_minor)
    assert network(db, book).contract(cafe) == contract
    assert records(db) == [
        (
            "contract",
            cafe,
            cafe,
            None,
            {
                "contract": str(contract.id),
                "version": 1,
                "mode": "deferred",
                "unit_value_minor": 1000,
                "credit_line_points": 5000,
                "purchase_fee_ppm": 10_000,
                "redemption_fee_ppm": 20_000,
                "hold_minutes": 30,
                "points_life_days": 400,
                "maturity_days": 7,
                "earns_for": ["natural", "legal"],
                "spends_for": ["natural", "legal"],
            },
        )
    ]
    with db.tx("auditor") as tx:
        issuer = tx.execute(
            "select mode, unit_value_minor, credit_line_points, contract_id, suspended from ledger.issuer"
            " where book_id = %s and merchant_id = %s",
            [book.id, cafe],
        ).fetchone()
        credit = tx.execute("select balance, floor from ledger.account where kind = 'credit'").fetchone()
    assert issuer == ("deferred", 1000, 5000, contract.id, False)
    assert credit == (0, -5000)


def test_the_next_version_moves_the_credit_line_and_the_revision(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    with db.tx("door") as tx:
        before = ledger.read_book(tx, book.id).settings_revision
    post(committer, book, deferred(cafe))
    second = post(committer, book, deferred(cafe, credit_line_points=100, redemption_fee_ppm=5))
    assert second.contract.version == 2
    assert network(db, book).contract(cafe) == second.contract
    with db.tx("auditor") as tx:
        assert ledger.read_book(tx, book.id).settings_revision == before + 2
        assert tx.execute("select floor from ledger.account where kind = 'credit'").fetchone() == (-100,)
        assert tx.execute("select credit_line_points, contract_id from ledger.issuer").fetchone() == (
            100,
            second.contract.id,
        )
        assert tx.execute(
            "select revision from ledger.revision where subject_id = %s order by 1", [cafe]
        ).fetchall() == [
            (1,),
            (2,),
        ]


@pytest.mark.parametrize("mode", ["prefunded", "closed_loop"])
def test_other_modes_have_no_credit(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID, mode: str
) -> None:
    done = post(committer, book, contracts.NewContract(cafe, mode))
    assert done.contract.mode == mode
    with db.tx("auditor") as tx:
        assert tx.execute("select floor from ledger.account where floor is not null and floor <> 0").fetchall() == []


def test_closed_loop_points_are_worth_what_their_shop_says(
    book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    done = post(committer, book, contracts.NewContract(cafe, "closed_loop", unit_value_minor=7))
    assert done.contract.unit_value_minor == 7


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"mode": "barter"}, "/mode"),
        ({"mode": "prefunded"}, "/credit_line_points"),
        ({"credit_line_points": -1}, "/credit_line_points"),
        ({"credit_line_points": 10**12 + 1}, "/credit_line_points"),
        ({"purchase_fee_ppm": -1}, "/purchase_fee_ppm"),
        ({"purchase_fee_ppm": 200_001}, "/purchase_fee_ppm"),
        ({"redemption_fee_ppm": 200_001}, "/redemption_fee_ppm"),
        ({"hold_minutes": 0}, "/hold_minutes"),
        ({"hold_minutes": 1441}, "/hold_minutes"),
        ({"points_life_days": 364}, "/points_life_days"),
        ({"points_life_days": 36_501}, "/points_life_days"),
        ({"maturity_days": -1}, "/maturity_days"),
        ({"maturity_days": 365}, "/maturity_days"),
        ({"unit_value_minor": 0}, "/unit_value"),
        ({"unit_value_minor": 999}, "/unit_value"),
    ],
)
def test_a_contract_that_cannot_be(
    db: ledger.Database,
    book: ledger.Book,
    committer: ledger.Committer,
    cafe: UUID,
    change: dict[str, Any],
    at: str,
) -> None:
    refused = post(committer, book, deferred(cafe, **change))
    assert isinstance(refused, Invalid)
    assert refused.pointer == at
    assert records(db) == []
    assert network(db, book).contract(cafe) is None


@pytest.mark.parametrize(
    "change", [{"mode": "prefunded", "credit_line_points": 0}, {"mode": "closed_loop", "credit_line_points": 0}]
)
def test_mode_and_value_do_not_change_within_a_window(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID, change: dict[str, Any]
) -> None:
    post(committer, book, deferred(cafe))
    agreed = post(committer, book, deferred(cafe, **change))
    assert isinstance(agreed, contracts.ContractInForce)
    assert agreed.at is None
    in_force = network(db, book).contract(cafe)
    assert in_force is not None
    assert (in_force.version, in_force.mode) == (1, "deferred")


def test_who_gets_no_contract(
    db: ledger.Database, book: ledger.Book, other_book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    assert post(committer, book, deferred(uuid4())) == NotFound("merchant")
    assert post(committer, other_book, deferred(cafe)) == NotFound("merchant")
    assert post(committer, book, contracts.NewTerms(uuid4(), RULES)) == NotFound("merchant")
    with db.tx("door") as tx:
        tx.execute("update merchants.merchant set state = 'exited'")
    assert post(committer, book, deferred(cafe)) == StateConflict("merchant", "exited")
    assert post(committer, book, contracts.NewTerms(cafe, RULES)) == StateConflict("merchant", "exited")


def test_a_suspended_merchant_stays_suspended(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    post(committer, book, deferred(cafe))
    with db.tx("ledger") as tx:
        contracts.set_state(tx, book.id, "merchant", cafe, "suspended")
        ledger.suspend_issuer(tx, book.id, cafe, True)
        ledger.raise_settings_revision(tx, book.id)
    post(committer, book, deferred(cafe, hold_minutes=1))
    with db.tx("auditor") as tx:
        assert tx.execute("select suspended from ledger.issuer").fetchone() == (True,)


def test_terms_come_into_force_as_a_record(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    # terms are counted apart from contracts
    post(committer, book, deferred(cafe))
    first = post(committer, book, contracts.NewTerms(cafe, RULES))
    second = post(committer, book, contracts.NewTerms(cafe, {**RULES, "cap_points": 9}))
    assert (first.terms.version, second.terms.version) == (1, 2)
    in_force = network(db, book).terms(cafe)
    assert in_force == second.terms
    assert in_force is not None
    assert programme.parse(in_force.rules).everybody.cap_points == 9
    assert records(db)[1:] == [
        ("terms", cafe, cafe, None, {"terms": str(first.terms.id), "version": 1}),
        ("terms", cafe, cafe, None, {"terms": str(second.terms.id), "version": 2}),
    ]


def test_terms_that_cannot_be_read(book: ledger.Book, committer: ledger.Committer, cafe: UUID) -> None:
    refused = post(committer, book, contracts.NewTerms(cafe, {"points": 1, "per_minor": 0, "more": 1}))
    assert isinstance(refused, Invalid)
    assert refused.pointer == "/more"
    refused = post(committer, book, contracts.NewTerms(cafe, {"points": 1, "per_minor": 0}))
    assert (refused.pointer, refused.detail) == ("/per_minor", "must be at least 1")


def test_a_repeated_request_makes_one_version(
    db: ledger.Database, book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    outcomes = [committer.post(request(book, "contract", deferred(cafe), "same-key-00000001")) for _ in range(2)]
    assert [outcome.replayed for outcome in outcomes] == [False, True]
    assert len(records(db)) == 1


def test_versions_posted_at_once_by_two_processes_follow_one_another(
    db: ledger.Database, database_url: str, book: ledger.Book, committer: ledger.Committer, cafe: UUID
) -> None:
    other = ledger.Committer(database_url, {"contract": contracts.ContractHandler()})
    try:
        with ThreadPoolExecutor(4) as threads:
            made = threads.map(
                lambda n: post((committer, other)[n % 2], book, deferred(cafe, hold_minutes=n + 1)), range(8)
            )
            versions = sorted(done.contract.version for done in made)
    finally:
        other.close()
    assert versions == list(range(1, 9))
    in_force = network(db, book).contract(cafe)
    assert in_force is not None
    assert in_force.version == 8
