"""Books, records, accounts, lots: the ground floor. Value moves only by `post`."""

from ledger import (
    arrays,
    books,
    broker,
    budgets,
    days,
    due,
    errors,
    facts,
    ids,
    jobs,
    notices,
    relay,
    stream,
    wallet,
    wire,
)
from ledger.accounts import AccountName
from ledger.arrays import array
from ledger.book import SOURCES, Book, Issuer
from ledger.commit import Committer, Watch
from ledger.db import Database, Tx
from ledger.encoding import canonical, fingerprint
from ledger.errors import Refusal
from ledger.gathering import Gathered
from ledger.holds import Hold
from ledger.lots import (
    Lot,
    Slice,
    TakenBack,
    first,
    last_first,
    points_back,
    spendable,
    take,
    take_back,
    take_value,
    worth,
)
from ledger.posting import Accepted, Decision, Handler, Outcome, Render, Request, Round
from ledger.store.loading import read_book
from ledger.store.reading import LONGEST_LINEAGE, balances, last_step, lineages, open_lots
from ledger.store.rows import Insert, Rows, Update
from ledger.store.settings import (
    SettingsCache,
    make_prefunded,
    owing_lots,
    put_issuers,
    put_rules,
    raise_settings_revision,
    stop_book,
    suspend_issuer,
)
from ledger.values import LARGEST_AMOUNT, PPM, Minor, Points, half_even
from ledger.working import Draft, Needs, Working

__all__ = [
    "LARGEST_AMOUNT",
    "LONGEST_LINEAGE",
    "PPM",
    "SOURCES",
    "Accepted",
    "AccountName",
    "Book",
    "Committer",
    "Database",
    "Decision",
    "Draft",
    "Gathered",
    "Handler",
    "Hold",
    "Insert",
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
    "Rows",
    "SettingsCache",
    "Slice",
    "TakenBack",
    "Tx",
    "Update",
    "Watch",
    "Working",
    "array",
    "arrays",
    "balances",
    "books",
    "broker",
    "budgets",
    "canonical",
    "days",
    "due",
    "errors",
    "facts",
    "fingerprint",
    "first",
    "half_even",
    "ids",
    "jobs",
    "last_first",
    "last_step",
    "lineages",
    "make_prefunded",
    "notices",
    "open_lots",
    "owing_lots",
    "points_back",
    "put_issuers",
    "put_rules",
    "raise_settings_revision",
    "read_book",
    "relay",
    "spendable",
    "stop_book",
    "stream",
    "suspend_issuer",
    "take",
    "take_back",
    "take_value",
    "wallet",
    "wire",
    "worth",
]
