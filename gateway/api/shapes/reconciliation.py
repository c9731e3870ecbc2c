"""Reconciliation: files of lines, what matches, breaks and what people do about them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Amount, Answer, Body, Money, PageIn, Reference, Sum, Time

Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
#: An id of a line, break or record.
Named = Annotated[str, Meta(max_length=64)]
Csv = Annotated[str, Meta(max_length=4_000_000)]

Source = Literal["stream", "psp", "bank", "till"]
Type = Literal[
    "missing",
    "duplicate",
    "amount",
    "lot",
    "fee",
    "late",
    "wrong_window",
    "orphan_refund",
    "unknown_beneficiary",
    "returned",
    "gross_against_net",
]
Owner = Literal["operator", "merchant", "bank", "psp"]
State = Literal["open", "explained", "resolved"]
Direction = Literal["to_merchant", "from_merchant"]


class TillClaim(Body, frozen=True, kw_only=True):
    """What a till says it sold, redeemed or refunded. A refund's amount and points are told without a sign."""

    kind: Literal["sale", "redemption", "refund"]
    external_reference: Reference
    amount: Money
    at: Time
    points: Amount | None = None
    # of a refund: the reference of what was refunded
    original_reference: Reference | None = None


class TillClaimsIn(Body, frozen=True, kw_only=True):
    """A till's file, as CSV or as a list: one of the two. It is taken whole or refused whole."""

    csv: Csv | None = None
    claims: Annotated[list[TillClaim], Meta(min_length=1, max_length=20_000)] | None = None


class ProviderReportIn(Body, frozen=True, kw_only=True):
    """Columns at, amount and reference; docs/reconciliation.md tells of the others."""

    csv: Csv


class FileOut(Answer, frozen=True, kw_only=True):
    """A file that was taken in."""

    id: str
    # false: it had been taken in before, and changed nothing
    new: bool
    # those that no file had told before
    lines: int


class BreaksIn(PageIn, frozen=True, kw_only=True):
    state: State | None = None
    type: Type | None = None
    source: Source | None = None
    owner: Owner | None = None
    format: Literal["json", "csv"] | None = None


class OwnBreaksIn(PageIn, frozen=True, kw_only=True):
    state: State | None = None
    type: Type | None = None


class LineOut(Answer, frozen=True, kw_only=True):
    """A line of one side: of the book (ours), or of whom it is laid against (theirs)."""

    id: str
    side: Literal["ours", "theirs"]
    kind: str
    at: datetime
    amount: Sum
    points: int | None
    fee: Sum
    reference: str
    batch: str
    text: str
    party: str
    original: str
    window: int | None
    merchant: str | None
    state: Literal["open", "matched", "set_aside"]
    # where it stands: the file and its line, or of ours the sequence
    file: str | None
    place: int


class BreakOut(Answer, frozen=True, kw_only=True):
    """Two records that disagree, or one that stands alone."""

    id: str
    source: Source
    type: Type
    # who has to act
    owner: Owner
    merchant: str | None
    state: State
    # theirs less ours, or what stands alone
    amount: Sum
    points: int
    # what to do first; docs/reconciliation.md tells of each
    suggestion: str
    found_at: datetime
    # by the book's clock, until it is resolved
    age_seconds: int
    ended_at: datetime | None


class BreakPage(Answer, frozen=True, kw_only=True):
    data: list[BreakOut]
    has_more: bool
    next_cursor: str | None


class OwnBreakOut(BreakOut, frozen=True, kw_only=True):
    """A break of the merchant's own tills, with its lines."""

    lines: list[LineOut]


class OwnBreakPage(Answer, frozen=True, kw_only=True):
    data: list[OwnBreakOut]
    has_more: bool
    next_cursor: str | None


class BreakStepOut(Answer, frozen=True, kw_only=True):
    step: str
    at: datetime
    # none: the rules
    by: str | None
    reason: str


class BreakAdjustmentOut(Answer, frozen=True, kw_only=True):
    """What one operator proposed for a break and another decides. Approved, it is an item of the window that is open then."""

    # its first record, which decisions name
    id: str
    # of which it is told, and in whose path it is decided
    window: str
    merchant: str
    direction: Direction
    amount: Sum
    state: Literal["proposed", "approved", "rejected"]
    reason: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    # the record that decided it
    record: str | None


class BreakDetail(BreakOut, frozen=True, kw_only=True):
    reason: str | None
    # none: it no longer stood
    ended_by: str | None
    record: str | None
    lines: list[LineOut]
    history: list[BreakStepOut]
    adjustments: list[BreakAdjustmentOut]


class ReasonIn(Body, frozen=True, kw_only=True):
    reason: Reason


class ResolveIn(Body, frozen=True, kw_only=True):
    reason: Reason
    # the record that put it right, where value moved
    record: Named | None = None


class MergeIn(Body, frozen=True, kw_only=True):
    breaks: Annotated[list[Named], Meta(min_length=1, max_length=50)]
    reason: Reason


class MatchIn(Body, frozen=True, kw_only=True):
    """Open lines of both sides that tell one thing. They come to the same amount."""

    ours: Annotated[list[Named], Meta(min_length=1, max_length=100)]
    theirs: Annotated[list[Named], Meta(min_length=1, max_length=100)]
    reason: Reason


class MatchOut(Answer, frozen=True, kw_only=True):
    id: str
    source: Source
    rule: str
    # how sure the rule is, in millionths
    confidence_ppm: int
    difference: Sum
    lines: list[str]
    state: Literal["standing", "split"]
    at: datetime
    # none: the rules
    made_by: str | None
    reason: str | None
    split_by: str | None
    split_reason: str | None
    split_at: datetime | None


class MatchesIn(PageIn, frozen=True, kw_only=True):
    source: Source | None = None


class MatchPage(Answer, frozen=True, kw_only=True):
    data: list[MatchOut]
    has_more: bool
    next_cursor: str | None


class BreakAdjustmentIn(Body, frozen=True, kw_only=True):
    merchant: Named
    direction: Direction
    amount: Money
    reason: Reason


class RunOut(Answer, frozen=True, kw_only=True):
    """What reconciling anew did; all zero: nothing was new."""

    taken: int
    matched: int
    found: int
    ended: int


class SourceOut(Answer, frozen=True, kw_only=True):
    source: Source
    # records of the book that were not laid against it yet
    lag_records: int
    reconciled_at: datetime | None
    open_ours: int
    open_theirs: int
    matches: int
    matches_by_hand: int


class StandingBreaksOut(Answer, frozen=True, kw_only=True):
    source: Source
    type: Type
    breaks: int
    oldest_seconds: int


class AgesOut(Answer, frozen=True, kw_only=True):
    under_a_day: int
    under_a_week: int
    older: int


class StatementTimeOut(Answer, frozen=True, kw_only=True):
    """Of a window, by the book's clock: how long from its close to its statements, and until nothing was open."""

    window: str
    number: int
    closed_at: datetime
    seconds_to_statement: int
    seconds_to_settled: int | None


class StreamOut(Answer, frozen=True, kw_only=True):
    """How far the book's records have come: derived by settlement, and published where there is a Kafka (null: there is none)."""

    records: int
    consumer_lag_records: int
    relay_lag_records: int | None
    relay_lag_seconds: float | None


class ReconciliationOut(Answer, frozen=True, kw_only=True):
    """How reconciliation stands: how far, what is open, how old, and how fast statements come."""

    # when everything was last laid against everything, and when it is due again; null: nothing could have changed
    reconciled_at: datetime | None
    due_at: datetime | None
    stream: StreamOut
    sources: list[SourceOut]
    breaks: list[StandingBreaksOut]
    ages: AgesOut
    # the newest windows
    statements: list[StatementTimeOut]
