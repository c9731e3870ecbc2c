"""Books, records, accounts, lots: the ground floor. Value moves only by `post`."""

from ledger import books, budgets, due, errors, ids, jobs, stream, wallet
from ledger.accounts import AccountName
from ledger.arrays import array
from ledger.commit import Committer, Watch
from ledger.db import Database, Tx
from ledger.encoding import canonical, fingerprint
from ledger.errors import Refusal
from ledger.lots import Lot, Slice, TakenBack, last_first, points_back, spendable, take, take_back, take_value, worth
from ledger.posting import Accepted, Decision, Handler, Outcome, Render, Request, Round
from ledger.store import balances, open_lots, put_issuers, raise_settings_revision, read_book
from ledger.values import LARGEST_AMOUNT, PPM, Minor, Points, half_even
from ledger.working import Book, Draft, Hold, Issuer, Needs, Working

__all__ = [
    "LARGEST_AMOUNT",
    "PPM",
    "Accepted",
    "AccountName",
    "Book",
    "Committer",
    "Database",
    "Decision",
    "Draft",
    "Handler",
    "Hold",
    "Issuer",
    "Lot",
    "Minor",
    "Needs",
    "Outcome",
    "Points",
    "Refusal",
    "Render",
    "Request",
    "Round",
    "Slice",
    "TakenBack",
    "Tx",
    "Watch",
    "Working",
    "array",
    "balances",
    "books",
    "budgets",
    "canonical",
    "due",
    "errors",
    "fingerprint",
    "half_even",
    "ids",
    "jobs",
    "last_first",
    "open_lots",
    "points_back",
    "put_issuers",
    "raise_settings_revision",
    "read_book",
    "spendable",
    "stream",
    "take",
    "take_back",
    "take_value",
    "wallet",
    "worth",
]
