"""Under the terms in force a replay of what was sold changes nothing, whatever a story did."""

from merchants import contracts, whatif
from merchants.whatif import replaying
from tests.world import World


def replayed(world: World) -> int:
    """Preview each shop that sold under its terms in force only; of how many sales."""
    book, looked_at = world.book, 0
    with world.house.db.tx("door") as tx:
        network = contracts.load(tx, book.id)
    for shop, terms in network.terms_of.items():
        sold = "from merchants.sale where merchant_id = %s and member_id is not null"
        versions = world.rows(f"select distinct terms_id {sold}", shop)
        if versions != [(terms.id,)]:
            continue
        found = whatif.preview(world.house.db, book, shop, 1, terms.rules, whatif.LARGEST_DAYS)
        assert found.sums.before == found.sums.after
        assert set(found.sums.changes) <= {0}
        assert set(found.sums.stopped) <= set(replaying.STOPPED)
        ((points,),) = world.rows(
            f"select coalesce(sum(points_earned - points_taken_back), 0)::bigint {sold} and at >= %s", shop, found.since
        )
        ((sponsored,),) = world.rows(
            "select coalesce(sum(b.points - b.taken_back), 0)::bigint from merchants.bonus b"
            " join merchants.sale s on s.id = b.sale_id where s.merchant_id = %s and s.at >= %s",
            shop,
            found.since,
        )
        assert found.sums.before.points == points - sponsored
        looked_at += found.sums.sales
    return looked_at
