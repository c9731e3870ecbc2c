"""The stream is the ledger, in sequence, however far it has come."""

import psycopg
import pytest

import ledger
import settlement
from tests.world import World


@pytest.mark.row("G2")
@pytest.mark.parametrize("begins", [1, 32_760, 2_147_483_640])
def test_the_stream_is_read_and_settled_from_any_sequence(world: World, begins: int) -> None:
    """Past the ends of small integers, where a parameter's type once ended it."""
    with psycopg.connect(world.url, autocommit=True) as conn:
        conn.execute("update ledger.head set next_sequence = %s where book_id = %s", [begins, world.book_id])
    world.shop("cafe", purchase_fee_ppm=10_000)
    world.member("ann")
    for _ in range(12):
        world.earn("ann", "cafe", 10)
    with world.house.db.tx("settlement") as tx:
        events = ledger.stream.read(tx, world.book_id, begins, 100)
        assert [event.sequence for event in events] == list(range(begins, begins + 14))
        assert ledger.stream.read(tx, world.book_id, begins + 14, 100) == []
        assert ledger.stream.end(tx, world.book_id) == begins + 14
    world.house.drain(world.book_id)
    with world.house.db.tx("settlement") as tx:
        assert len(settlement.items(tx, world.book_id, 1, world.shops["cafe"])) == 12
