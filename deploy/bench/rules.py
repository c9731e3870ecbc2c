"""What live rules cost a sale: the same sales at shops with no rule, with 10, 100 and 1,000, through the real posting."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from typing import Any, Final

from deploy.bench import network as networks
from deploy.bench import posting, rounds, writer
from deploy.bench.hired import Crew
from deploy.bench.network import Network
from deploy.bench.place import Room
from deploy.bench.posting import Sizes
from deploy.bench.report import Part
from deploy.bench.rounds import Contender, Said, Wanted
from deploy.bench.work import SALES_ONLY
from deploy.house import House
from merchants import contracts

#: How many rules each shop has beside its rate. The shops take turns, so that every book and process is the same.
LIVE: Final = (0, 10, 100, 1_000)
NAMES: Final = {live: f"{live:,} rules" for live in LIVE}
#: Time for a sale with a thousand rules over that with none: the inverse of how many are posted.
FIGURES: Final = (Wanted("rules.thousand_over_none", NAMES[0], NAMES[1_000], 1.5, at_most=True),)
RULES: Final = "rules"
WANTED: Final = {"accepted"}


def run(room: Room, sizes: Sizes, say: Said) -> Part:
    there = networks.found(room.new(RULES, migrated=True), secrets.token_bytes(32), sizes.shops, sizes.members, say)
    _agree(there)
    with contextlib.ExitStack() as hired:
        contenders: dict[str, Contender] = {}
        for turn, live in enumerate(LIVE):
            shops = there.shops[turn :: len(LIVE)]
            crew = posting.hire(
                hired, NAMES[live], writer.serve, dataclasses.replace(there, shops=shops), f"r{live}", 0, 1, None
            )
            contenders[NAMES[live]] = Crew(SALES_ONLY, sizes.callers, crew)
        posting.warm(contenders, sizes, say)
        room.settle()
        turns = rounds.interleaved(contenders, sizes.rounds, sizes.seconds, room.postmaster, say)
    say("proving the books")
    broken = [f"{RULES}: {check}" for check in posting.faults(there.url)] + rounds.unasked(turns, WANTED)
    room.drop(RULES)
    return Part("rules", turns, rounds.figures(FIGURES, turns), broken)


def terms(live: int) -> dict[str, Any]:
    """A rate, and so many rules of every sort, of which one in a hundred is about what is sold. None: the rate alone."""
    if not live:
        return {"points": 1, "per_minor": 100}
    base = {"id": "base", "effect": {"rate": {"points": 1, "per": 100}}}
    return {"rules": [base, *(_rule(n) for n in range(live))]}


def _rule(n: int) -> dict[str, Any]:
    """Categories that nobody sells, products, branches, times, payments, thresholds; now and then one that applies."""
    effect = {"points": 1 + n % 5} if n % 2 else {"rate": {"points": 1, "per": 1_000 + n}}
    if n % 100 == 7:
        return {"id": f"r{n}", "effect": effect, "when": {"category": ["bakery"]}, "cap_points": 50}
    sorts: list[dict[str, Any]] = [
        {"category": [f"category {n}"]},
        {"product": [f"sku-{n}", f"sku-{n + 1}"]},
        {"category": [f"category {n}"], "basket": {"at_least": 10 * n}},
        {"branch": [f"brn_{n:032x}"]},
        {"merchant": [f"mer_{n:032x}"]},
        {"payment": ["voucher"], "kind": ["legal"]},
        {"kind": ["legal"], "channel": ["online"]},
        {"product": [f"sku-{n}"], "amount": {"at_least": n}},
    ]
    return {"id": f"r{n}", "effect": effect, "when": sorts[n % len(sorts)]}


def _agree(there: Network) -> None:
    """Give every shop its number of rules. The shops of each number are of every funding."""
    house = House.open(there.url, there.spend_key, largest_pool=2)
    try:
        wanted = [
            contracts.NewTerms(shop.id, terms(live))
            for turn, live in enumerate(LIVE)
            for shop in there.shops[turn :: len(LIVE)]
        ]
        networks.post(house, there.book_id, "terms", there.book, wanted)
    finally:
        house.close()
