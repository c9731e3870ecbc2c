"""Sponsorships as the network's operators open, fund and end them."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import ledger
from gateway import problems
from gateway.api import amounts, names, terms
from gateway.api.lists import ById
from gateway.api.operator_scope import merchant_in_path
from gateway.api.shapes import (
    NothingIn,
    SponsorshipBudgetIn,
    SponsorshipIn,
    SponsorshipOut,
    SponsorshipPage,
)
from gateway.calls import Call
from ledger import Outcome, ids
from merchants import contracts


async def post_sponsorship(call: Call[SponsorshipIn]) -> Outcome:
    (book, merchant), body = await merchant_in_path(call), call.body
    rules = terms.asked(body.rules, "/rules")
    shops = None
    if body.shops is not None:
        shops = tuple(names.read("merchant", shop, f"/shops/{i}") for i, shop in enumerate(body.shops))
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
    names.one_of_two(add_points=body.add_points, release_points=body.release_points)
    points = body.add_points if body.add_points is not None else -(body.release_points or 0)
    command = contracts.ChangeBudget(merchant, call.id("sponsorship"), points)
    return await call.post("sponsorship_budget", command, _shown, book_id=book.id)


def _shown(done: contracts.SponsorshipDone) -> SponsorshipOut:
    return _told(done.sponsorship, done.budget_points)


async def list_sponsorships(call: Call[None]) -> SponsorshipPage:
    facts, merchant = await merchant_in_path(call)
    opened = ById[tuple[contracts.Sponsorship, int]](call, str(call.operator.id), "sponsorship", lambda row: row[0].id)

    def read(tx: ledger.Tx) -> list[tuple[contracts.Sponsorship, int]]:
        book = ledger.read_book(tx, facts.id)
        found = contracts.list_sponsorships(tx, book, merchant, after=opened.start, limit=opened.limit)
        left = _budgets(tx, book, found)
        return [(sponsorship, left[sponsorship.id]) for sponsorship in found]

    data, more, cursor = opened.page(await call.work(read), lambda row: _told(*row))
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
    accounts = {s.id: ledger.budgets.name(s.merchant_id, s.id) for s in of}
    balances = ledger.balances(tx, book.id, list(accounts.values())) if accounts else {}
    return {id: balances[name] for id, name in accounts.items()}


def _told(sponsorship: contracts.Sponsorship, budget_points: int) -> SponsorshipOut:
    shops = sponsorship.shops
    return SponsorshipOut(
        id=ids.show("sponsorship", sponsorship.id),
        merchant=ids.show("merchant", sponsorship.merchant_id),
        shops=None if shops is None else [ids.show("merchant", shop) for shop in sorted(shops)],
        rules=terms.told(sponsorship.rules),
        budget_points=budget_points,
        state=cast(Any, sponsorship.state),
        begins_at=sponsorship.begins_at,
        ends_at=sponsorship.ends_at,
        ended_at=sponsorship.ended_at,
    )
