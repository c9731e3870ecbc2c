"""What a merchant is told of a window: its own items only, and they add up."""

import csv
import io
from typing import Any

import pytest

import ledger
import settlement


@pytest.fixture
def told(world: Any) -> Any:
    world.shop("bakery", "prefunded", purchase_ppm=5_000, redemption_ppm=10_000)
    world.shop("cafe", "deferred", purchase_ppm=3_333, redemption_ppm=12_345)
    world.shop("gym", "deferred")
    world.stock("bakery", 1_000)
    world.earn("ann", "bakery", 100, 9_999)
    world.earn("ann", "cafe", 70, 1_001)
    world.earn(None, "cafe", 0, 4_000)
    world.redeem("ann", "gym", 120)
    world.redeem("ann", "cafe", 30)
    world.close()
    return world


def test_a_statement_adds_up_to_its_position(told: Any) -> None:
    for shop in told.shops:
        document = told.statement(shop)
        assert settlement.statements.check(document) == []
        assert document["position"]["position_minor"] == told.positions()[shop].position.position_minor


def test_a_statement_tells_nobody_elses_fees(told: Any) -> None:
    payable = [line for line in told.statement("bakery")["items"] if line["payable_minor"]]
    assert payable
    assert {line["fee_millionths"] for line in payable} == {0}


def test_a_tenant_reads_its_own_statement_and_no_other(told: Any) -> None:
    cafe, gym = told.shops["cafe"].id, told.shops["gym"].id
    with told.db.tx("tenant", tenant=str(cafe)) as tx:
        own = settlement.statements.statement(tx, told.book, 1, cafe)
        assert own is not None
        assert (
            settlement.statements.check(settlement.statements.document(own, settlement.statements.items(tx, own))) == []
        )
        assert settlement.statements.statement(tx, told.book, 1, gym) is None
        assert all(
            cafe in (r.item.issuer_id, r.item.acceptor_id, r.item.fee_payer_id)
            for r in settlement.items(tx, told.book_id, 1, gym)
        )


def test_pages_of_items_meet_without_gap_or_overlap(told: Any) -> None:
    cafe = told.shops["cafe"].id
    whole = told.read(settlement.items, told.book_id, 1, cafe)
    paged, after = [], None
    while page := told.read(settlement.items, told.book_id, 1, cafe, after=after, limit=1):
        paged += page
        after = page[-1].place
    assert paged == whole
    assert list(told.read(lambda tx: list(settlement.all_items(tx, told.book_id, 1, cafe, page=2)))) == whole


def test_a_statement_has_the_id_of_its_position(told: Any) -> None:
    cafe = told.shops["cafe"].id
    ((id, window, position),) = told.read(settlement.positions_of, told.book_id, cafe)
    assert (window.number, position.party_id) == (1, cafe)
    assert told.read(settlement.place_of_position, told.book_id, id) == (1, cafe)
    assert told.statement("cafe")["statement"] == ledger.ids.show("statement", id)


def test_csv_sums_its_columns_and_runs_no_formula(told: Any) -> None:
    cafe = told.shops["cafe"].id
    with told.db.tx("door") as tx:
        statement = settlement.statements.statement(tx, told.book, 1, cafe)
        assert statement is not None
        items = settlement.statements.items(tx, statement)
        names = {shop.id: f"=HYPERLINK({name})" for name, shop in told.shops.items()}
        text = "".join(settlement.statements.as_csv(statement, items, names))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    *lines, total = rows
    assert total["item"] == "total"
    for column in ("receivable_minor", "payable_minor", "fee_millionths"):
        assert int(total[column]) == sum(int(line[column]) for line in lines)
    assert int(total["receivable_minor"]) - int(total["payable_minor"]) - statement.position.fee.minor == (
        statement.position.position_minor
    )


def test_the_summary_adds_up_all_windows(told: Any) -> None:
    told.redeem("ann", "gym", 10)
    told.close(2)
    summary = told.read(settlement.summary, told.book_id)
    totals = [told.window(n).totals for n in (1, 2)]
    assert (summary.windows, summary.settled) == (2, 0)
    assert summary.gross_minor == sum(t["gross_minor"] for t in totals)
    assert sum(summary.positions.values()) == 0
