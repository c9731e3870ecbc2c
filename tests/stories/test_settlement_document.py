"""docs/settlement.md against the ledger: its weeks are lived through, and its tables are what came of them."""

from pathlib import Path
from typing import Any

import settlement
from tests.audit import failing
from tests.world import World

TOLD = (Path(__file__).parents[2] / "docs" / "settlement.md").read_text()


def line(*cells: object) -> str:
    return "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |"


def test_the_week_of_the_document_is_what_happens(database_url: str) -> None:
    world = World(database_url)
    fees: dict[str, Any] = {"purchase_fee_ppm": 5_000, "redemption_fee_ppm": 10_000, "points_per_dollar": 5}
    world.shop("bakery", mode="prefunded", bought=10_000, **fees)
    world.shop("cafe", **fees)
    world.shop("gym", **fees)
    for member, shop, total, spends, at in (
        ("ann", "bakery", 30_000, 1_200, "cafe"),
        ("ben", "cafe", 20_000, 900, "gym"),
        ("eve", "gym", 10_000, 333, "cafe"),
    ):
        world.member(member)
        world.sale(member, shop, total)
        world.redeem(member, at, spends)
    number = world.close_window()
    failing.posted(world, number)
    names = {id: name for name, id in world.shops.items()} | {world.operator: "operator"}
    with world.house.db.tx("settlement") as tx:
        positions = [row.position for row in settlement.positions(tx, world.book, number)]
        matrix = settlement.bilateral(tx, world.book_id, number)
        window = settlement.window(tx, world.book_id, number)
    expected = [line(names[b.debtor_id], names[b.creditor_id], b.value_minor) for b in matrix]
    expected += [
        line(
            names[p.party_id],
            p.receivable_minor,
            p.payable_minor,
            p.fee.minor,
            p.position_minor,
            p.backing_minor,
            p.account_minor,
        )
        for p in positions
    ]
    assert [row for row in expected if row not in TOLD] == []
    assert len(expected) == 10
    (cafe,) = [p for p in positions if names[p.party_id] == "cafe"]
    assert (cafe.fee.minor, cafe.fee.carry_out) == (115, 330_000)
    assert window is not None
    assert window.totals is not None
    told = f"Of {window.totals['gross_minor']:,} owed, {window.totals['multilateral_minor']:,} is left to be moved."
    assert told in TOLD
    assert world.account("position", "bakery", number) == -150
    world.house.drain(world.book_id)
    assert world.audit() == []
    world.close()


def test_the_failure_of_the_document_is_what_happens(database_url: str) -> None:
    world = failing.begun(database_url)
    done = failing.cover(world, 1, "mill")
    shares = {share.merchant_id: share.amount_minor for share in done.shares}
    for row in (
        line("owed", done.owed_minor),
        line("prefund", done.paid.prefund_minor),
        line("collateral", done.paid.collateral_minor),
        line("loss fund", done.paid.loss_minor),
        line("shares", sum(shares.values())),
        line("unpaid", done.unpaid_minor),
        f"The cafe bears {shares[world.shops['cafe']]} and the gym {shares[world.shops['gym']]}.",
        f"{failing.pay(world, 1, 'cafe').amount_minor} to the cafe, {failing.pay(world, 1, 'gym').amount_minor} to the gym.",
        f"{world.account('due', 'mill', 1)} wait.",
    ):
        assert row in TOLD, row
    world.close()
