"""Sponsorships as the network's operators open, fund and end them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import ledger
from gateway import problems
from gateway.api import amounts
from gateway.api.operator_merchants import rules_asked
from gateway.api.operator_scope import merchant_in_path
from gateway.api.shapes import (
    NothingIn,
    PageIn,
    Rate,
    SponsorshipBudgetIn,
    SponsorshipIn,
    SponsorshipOut,
    SponsorshipPage,
    TermsIn,
)
from gateway.calls import Call
from gateway.pages import page
from ledger import Outcome, ids
from merchants import contracts
from merchants.programme import terms


async def post_sponsorship(call: Call[SponsorshipIn]) -> Outcome:
    (book, merchant), body = await merchant_in_path(call), call.body
    rules = rules_asked(body.rules)
    if faults := terms.faults(rules):
        pointer = f"/rules{faults[0].pointer.replace('_minor', '')}"
        raise problems.invalid(pointer, faults[0].detail, faults[0].code)
    shops = None
    if body.shops is not None:
        shops = tuple(amounts.named("merchant", shop, f"/shops/{i}") for i, shop in enumerate(body.shops))
    command = contracts.NewSponsorship(
        merchant_id=merchant,
        shops=shops,
        rules=rules,
        budget_points=body.budget_points,
        begins_at=amounts.time(body.begins_at, "/begins_at"),
        ends_at=amounts.time(body.ends_at, "/ends_at"),
    )
    return await call.post("sponsorship", command, _shown, book_id=book.id)


async def post_end(call: Call[NothingIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    command = contracts.EndSponsorship(merchant, call.id("sponsorship"))
    return await call.post("sponsorship_end", command, _shown, book_id=book.id)


async def post_budget(call: Call[SponsorshipBudgetIn]) -> Outcome:
    (book, merchant), body = await merchant_in_path(call), call.body
    if (body.add_points is None) == (body.release_points is None):
        raise problems.invalid("/add_points", "say add_points or release_points, one of the two")
    points = body.add_points if body.add_points is not None else -(body.release_points or 0)
    command = contracts.ChangeBudget(merchant, call.id("sponsorship"), points)
    return await call.post("sponsorship_budget", command, _shown, book_id=book.id)


def _shown(done: contracts.SponsorshipDone) -> SponsorshipOut:
    return _told(done.sponsorship, done.budget_points)


async def list_sponsorships(call: Call[None]) -> SponsorshipPage:
    (facts, merchant), asked, cursors = await merchant_in_path(call), cast(PageIn, call.query), call.server.cursors
    of = f"{call.path} {call.operator.id}"
    after = cursors.read(of, asked.cursor, (str,))

    def read(tx: ledger.Tx) -> list[tuple[contracts.Sponsorship, int]]:
        book = ledger.read_book(tx, facts.id)
        start = ids.read("sponsorship", after[0]) if after else None
        found = contracts.list_sponsorships(tx, book, merchant, after=start, limit=asked.limit + 1)
        left = _budgets(tx, book, found)
        return [(sponsorship, left[sponsorship.id]) for sponsorship in found]

    data, more, cursor = page(
        await call.work(read),
        asked.limit,
        lambda row: cursors.made(of, (ids.show("sponsorship", row[0].id),)),
        lambda row: _told(*row),
    )
    return SponsorshipPage(data=data, has_more=more, next_cursor=cursor)


async def get_sponsorship(call: Call[None]) -> SponsorshipOut:
    facts, merchant = await merchant_in_path(call)
    id = call.id("sponsorship")

    def read(tx: ledger.Tx) -> tuple[contracts.Sponsorship, int]:
        book = ledger.read_book(tx, facts.id)
        found = contracts.sponsorship(tx, book, merchant, id)
        if found is None:
            raise problems.not_found("sponsorship")
        return found, _budgets(tx, book, [found])[id]

    return _told(*await call.work(read))


def _budgets(tx: ledger.Tx, book: ledger.Book, of: Sequence[contracts.Sponsorship]) -> dict[UUID, int]:
    names = {s.id: ledger.budgets.name(s.merchant_id, s.id) for s in of}
    balances = ledger.balances(tx, book.id, list(names.values())) if names else {}
    return {id: balances[name] for id, name in names.items()}


def _told(sponsorship: contracts.Sponsorship, budget_points: int) -> SponsorshipOut:
    shops = sponsorship.shops
    return SponsorshipOut(
        id=ids.show("sponsorship", sponsorship.id),
        merchant=ids.show("merchant", sponsorship.merchant_id),
        shops=None if shops is None else [ids.show("merchant", shop) for shop in sorted(shops)],
        rules=_rules(sponsorship.rules),
        budget_points=budget_points,
        state=cast(Any, sponsorship.state),
        begins_at=sponsorship.begins_at,
        ends_at=sponsorship.ends_at,
        ended_at=sponsorship.ended_at,
    )


def _rules(rules: Mapping[str, Any]) -> TermsIn:
    """The programme's rules in the words of the body they came in."""
    return TermsIn(
        points=rules["points"],
        per=rules["per_minor"],
        categories={
            name: Rate(points=rate["points"], per=rate["per_minor"])
            for name, rate in rules.get("categories", {}).items()
        },
        minimum=rules.get("minimum_minor", 0),
        cap_points=rules.get("cap_points"),
    )
