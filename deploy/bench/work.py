"""The work: sales that earn, redemptions over lots of several issuers, requests sent again, and some that must be refused.

60 % sales, 40 % redemptions, captured at once; 1 % of all is a request sent again, 0.1 % its key with another body;
1 % of redemptions ask for more than the member has.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import structs

import ledger
from deploy.bench import network as networks
from deploy.bench.network import Member, Network, Shop
from ledger import Minor, Points
from merchants import people, trade

SALES: Final = 0.6
REPLAYED: Final = 0.01
CONFLICTING: Final = 0.001
OVERDRAWN: Final = 0.01
TOO_MANY: Final = 50_000_000

#: What is sent again was sent so many requests before: with 256 asking, it has been answered.
BEHIND: Final = 1_024

#: Requests are made ahead for so long at most, whose codes have to be good when they are sent.
LONGEST_AHEAD_SECONDS: Final = 20.0
#: How many members are asked whose code is still fresh, before a sale is made instead.
TRIES: Final = 64

CATEGORIES: Final = ("bakery", "dairy", "produce", "household")


def step_ahead() -> int:
    """The step whose code is good now and for three quarters of a minute."""
    return networks.step_at(datetime.now(UTC) + timedelta(seconds=people.spend_codes.STEP_SECONDS / 2))


#: The variant without redemptions and requests sent again.
SALES_ONLY: Final = "sales"


class Work:
    """Requests of one process, each new. `variant` is `spread`, `hot` (all at one shop) or `sales` (nothing else).

    Members are everybody's; but as a member stands at one till at a time, the processes of one run divide among them
    whose phones they show codes of (`index` of `processes`).
    """

    def __init__(self, network: Network, name: str, index: int = 0, processes: int = 1) -> None:
        self._network = network
        self._name = name
        self._random = random.Random(name)
        self._number = 0
        self._sent: deque[ledger.Request] = deque(maxlen=BEHIND)
        # one in so many owes, and has spent what it had
        self._spenders = [m for i, m in enumerate(network.members) if i % processes == index]
        self._random.shuffle(self._spenders)
        self._turn = 0
        self._shown: dict[UUID, int] = {}

    def requests(self, count: int, variant: str) -> list[ledger.Request]:
        """So many, made ahead. Their codes are good for the next three quarters of a minute."""
        step = step_ahead()
        return [self.request(variant, step) for _ in range(count)]

    def request(self, variant: str, step: int | None = None) -> ledger.Request:
        chance = self._random.random
        if variant == SALES_ONLY:
            return self.sale(self._network.shops[int(chance() * len(self._network.shops))])
        again = chance()
        if again < REPLAYED + CONFLICTING and len(self._sent) == BEHIND:
            before = self._sent[0]
            if again < REPLAYED:
                return before
            reference = f"{before.body.external_reference}-other"
            change = structs.replace if isinstance(before.body, trade.Sale) else dataclasses.replace
            other = change(before.body, external_reference=reference)
            return structs.replace(before, body=other, fingerprint=hashlib.sha256(before.fingerprint).digest())
        shop = self._network.shops[0 if variant == "hot" else int(chance() * len(self._network.shops))]
        request = self.fresh(shop, step_ahead() if step is None else step)
        self._sent.append(request)
        return request

    def fresh(self, shop: Shop, step: int) -> ledger.Request:
        """A sale or a redemption at a shop that was never sent before."""
        made = None
        if self._random.random() >= SALES:
            made = self._redemption(shop, step)
        return made or self.sale(shop)

    def sale(self, shop: Shop) -> ledger.Request:
        self._number += 1
        member = self._network.members[int(self._random.random() * len(self._network.members))]
        first, second = (100 * (5 + int(self._random.random() * 45)) for _ in range(2))
        kinds = CATEGORIES[self._number % 4], CATEGORIES[(self._number + 1) % 4]
        return self._request(
            "sale",
            shop,
            trade.Sale(
                merchant_id=shop.id,
                branch_id=shop.branch,
                external_reference=f"{self._name}-{self._number}",
                total=Minor(first + second),
                member=trade.MemberRef(id=member.id),
                lines=(trade.Line(Minor(first), kinds[0]), trade.Line(Minor(second), kinds[1])),
                payments=(trade.Payment("card", Minor(first + second)),),
            ),
        )

    def _redemption(self, shop: Shop, step: int) -> ledger.Request | None:
        """A redemption, or none when every member has shown the codes of this moment."""
        member = self._next_spender(step)
        if member is None:
            return None
        self._number += 1
        points = 15 + int(self._random.random() * 75)
        if self._random.random() < OVERDRAWN:
            points = TOO_MANY
        return self._request(
            "redemption",
            shop,
            trade.Redemption(
                merchant_id=shop.id,
                branch_id=shop.branch,
                external_reference=f"{self._name}-{self._number}",
                member=trade.MemberRef(id=member.id),
                spend_code=networks.code(self._network, member, step),
                points=Points(points),
                capture=True,
            ),
        )

    def _next_spender(self, step: int) -> Member | None:
        """Whose turn it is, if they have not shown the code of this step, or of a later one, yet."""
        for _ in range(min(len(self._spenders), TRIES)):
            member = self._spenders[self._turn]
            self._turn = (self._turn + 1) % len(self._spenders)
            if self._shown.get(member.device, 0) < step:
                self._shown[member.device] = step
                return member
        return None

    def _request(self, kind: str, shop: Shop, body: object) -> ledger.Request:
        key = f"{self._name}-{self._number}"
        return ledger.Request(
            book_id=self._network.book_id,
            kind=kind,
            principal_id=shop.id,
            actor="bench",
            body=body,
            render=networks.render,
            key=key,
            # the door's part, and not measured here
            fingerprint=hashlib.sha256(key.encode()).digest(),
        )
