"""What a drill says is what happens, and a drill changes nothing."""

from collections.abc import Iterator

import psycopg
import pytest

import ledger
from deploy.commands.settlement import drilled
from deploy.errors import Refusal
from tests.audit import failing
from tests.world import World


@pytest.fixture
def mill(database_url: str) -> Iterator[World]:
    world = failing.begun(database_url)
    yield world
    world.close()


def everything(url: str) -> dict[str, str]:
    """A digest of every row of every table."""
    with psycopg.connect(url) as tx:
        tables = tx.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables"
            " where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        return {
            table: str(tx.execute(f"select md5(string_agg(t::text, '|' order by t::text)) from {table} t").fetchone())
            for (table,) in tables
        }


def test_a_drill_says_what_a_cover_then_does_and_touches_nothing(mill: World) -> None:
    before = everything(mill.url)
    told = drilled(mill.url, mill.shops["mill"], 1)
    assert everything(mill.url) == before
    assert len(before) > 20
    done = failing.cover(mill, 1, "mill")
    assert (told["owed_minor"], told["prefund_minor"], told["collateral_minor"], told["loss_fund_minor"]) == (
        done.owed_minor,
        *done.paid[:3],
    )
    assert {m["merchant"]: m["share_minor"] for m in told["merchants"]} == {
        ledger.ids.show("merchant", share.merchant_id): share.amount_minor for share in done.shares
    }
    assert told["unpaid_minor"] == done.unpaid_minor == 300
    assert told["waiting_points"] == mill.account("due", "mill", 1) == 950
    for shop in ("cafe", "gym"):
        (paid,) = [m for m in told["merchants"] if m["merchant"] == ledger.ids.show("merchant", mill.shops[shop])]
        assert failing.pay(mill, 1, shop).amount_minor == paid["paid_minor"]


def test_of_a_window_that_is_open_it_says_what_would_be_if_it_closed(mill: World) -> None:
    mill.earn("ann", at="gym", points=40)
    mill.redeem("ann", "cafe", 40)
    mill.house.drain(mill.book_id)
    told = drilled(mill.url, mill.shops["gym"], 2)
    assert (told["state"], told["owed_minor"], told["loss_fund_minor"], told["unpaid_minor"]) == ("open", 40, 40, 0)


def test_what_cannot_be_drilled_is_said(mill: World) -> None:
    with pytest.raises(Refusal, match="no part"):
        drilled(mill.url, mill.shops["mill"], 9)
    with pytest.raises(Refusal, match="no such merchant"):
        drilled(mill.url, mill.operator, 1)
