"""What sales were decided on of their members' purchases before, proved from the records before them."""
# ruff: noqa: S608 - the statements are composed of this room's own constants

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from ledger.audit import RECORDS, Checks, Row, Scope

check = Checks()


@dataclass(slots=True)
class _Bought:
    """What a member bought at one merchant so far: by sale its day, what was paid, what of that was not refunded."""

    sales: dict[UUID, tuple[date, int, int]] = field(default_factory=dict)

    def told(self, today: date, windows: Iterable[int], looked: int) -> dict[str, Any]:
        told: dict[str, Any] = {"visits": {}, "spent": {}, "paid": {}, "first": not self.sales, "days": looked}
        for days in windows:
            within = [s for s in self.sales.values() if s[0] > today - timedelta(days=days)]
            told["visits"][str(days)] = sum(left > 0 for _, _, left in within)
            told["spent"][str(days)] = sum(left for _, _, left in within)
            told["paid"][str(days)] = sum(paid for _, paid, _ in within)
        seen = [day for day, _, left in self.sales.values() if left > 0 and day > today - timedelta(days=looked)]
        told["days_since_last"] = max(0, (today - max(seen)).days) if seen else None
        return told


@check(
    "past_as_it_was",
    "what a sale was decided on of its member's purchases before is what the records before it, refunds among them, tell",
    over="sale",
)
def past_as_it_was(scope: Scope) -> Iterator[Row]:
    rows = scope.stream(
        f"""
        with asked as (
            select distinct member_id, merchant_id from {RECORDS} r
            where kind = 'sale' and payload -> 'facts' ? 'past'
        )
        select r.member_id, r.merchant_id, r.kind, r.subject_id, r.id, (r.at at time zone k.time_zone)::date,
            coalesce(r.payload ->> 'money_minor', r.payload ->> 'amount_minor')::bigint, r.payload -> 'facts' -> 'past'
        from {RECORDS} r join asked a on a.member_id = r.member_id and a.merchant_id = r.merchant_id
        join ledger.book k on k.id = r.book_id
        where r.kind in ('sale', 'refund') order by r.member_id, r.merchant_id, r.sequence
        """
    )
    of: dict[tuple[UUID, UUID], _Bought] = defaultdict(_Bought)
    for member, merchant, kind, sale, record, today, amount, told in rows:
        bought = of[member, merchant]
        if len(of) > 1:
            # one member's purchases at one merchant lie together
            of.clear()
            of[member, merchant] = bought
        if kind == "refund":
            if (before := bought.sales.get(sale)) is not None:
                bought.sales[sale] = (before[0], before[1], before[2] - amount)
            continue
        if told is not None:
            derived = bought.told(today, [int(days) for days in told["visits"]], told["days"])
            if told["first"] is None:
                # no rule asked: one that does would find no answer
                derived["first"] = None
            if derived != told:
                yield {"sale": sale, "record": record, "told": told, "derived": derived}
        if amount:
            bought.sales[sale] = (today, amount, amount)
