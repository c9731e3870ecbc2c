"""Budgets: points an issuer sets aside for a purpose before any sale earns them, so that the purpose never costs more.

A budget is an account with a floor. What is issued from it becomes a lot like any other: what goes home goes to the
issuer's pool, credit or own, never back to the budget, which therefore caps all that is ever issued from it.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from ledger.accounts import AccountName
from ledger.book import Issuer
from ledger.db import Tx
from ledger.errors import LimitExceeded
from ledger.working import Draft, Working


def name(issuer: UUID, purpose: UUID) -> AccountName:
    return AccountName("budget", issuer, purpose)


def names(tx: Tx, book_id: int, issuers: Collection[UUID]) -> set[AccountName]:
    """The budgets of issuers, spent ones included: what a change of their funding or unit value has to lock."""
    rows = tx.execute(
        "select owner_id, counterparty_id from ledger.account"
        " where book_id = %s and owner_id = any(%s::uuid[]) and kind = 'budget'",
        [book_id, list(issuers)],
    )
    return {name(issuer, purpose) for issuer, purpose in rows}


def limit(working: Working, issuer: Issuer, points: int) -> LimitExceeded | None:
    """Why `issuer` may not set `points` aside now, or None: as for an earn, its pool or its credit line must bear them."""
    return working.issuing_limit(issuer, points)


def add(working: Working, actor: str, issuer: Issuer, purpose: UUID, points: int, *, of: str | None = None) -> Draft:
    """issuer's pool, credit or own -> its budget for `purpose`. Ask for the limit first. `of` says what the purpose is,
    where it is no sponsorship."""
    assert limit(working, issuer, points) is None, (issuer.merchant_id, points)
    account = name(issuer.merchant_id, purpose)
    draft = working.record(
        "budget_set", actor, payload=_told(issuer, points, of), merchant=issuer.merchant_id, subject=purpose
    )
    working.move(draft, issuer.source, account, points)
    draft.payload["left"] = working.accounts[account].balance
    return draft


def release(
    working: Working, actor: str, issuer: Issuer, purpose: UUID, points: int, *, of: str | None = None
) -> Draft:
    """Budget -> where its points came from. Nothing stops it but that they are there."""
    account = name(issuer.merchant_id, purpose)
    draft = working.record(
        "budget_released", actor, payload=_told(issuer, points, of), merchant=issuer.merchant_id, subject=purpose
    )
    working.move(draft, account, issuer.source, points)
    draft.payload["left"] = working.accounts[account].balance
    return draft


def release_all(working: Working, actor: str, issuer: Issuer) -> list[Draft]:
    """Release what is left of every budget of `issuer` that is loaded (`names` says which to ask for), in order.

    To be called before the record by which its funding or its unit value changes, with the account it issues from loaded
    too: a budget is of the present ones.
    """
    held = {
        name: account.balance
        for name, account in working.accounts.items()
        if name.kind == "budget" and name.owner == issuer.merchant_id and account.balance > 0
    }
    drafts = []
    for name, balance in sorted(held.items(), key=lambda budget: budget[0].text):
        assert name.counterparty is not None, name
        drafts.append(release(working, actor, issuer, name.counterparty, balance))
    return drafts


def _told(issuer: Issuer, points: int, of: str | None) -> dict[str, Any]:
    return {
        **({} if of is None else {"of": of}),
        "points": points,
        "funding": issuer.mode,
        "unit_value_minor": issuer.unit_value,
        "contract": issuer.contract_id,
    }
