"""What operators do about breaks, and what merchants tell of their tills."""

from typing import Final

from msgspec import Struct

from gateway.api import adjustments, reconciling, shapes
from gateway.api.table.operator_paths import OF_BOOK, OPERATOR
from gateway.operation import (
    ANY_OPERATOR,
    LARGEST_BATCH_BODY,
    MAKER,
    MAKER_OR_APPROVER,
    Function,
    Merchant,
    Operation,
)

_BREAK: Final = f"{OPERATOR}/breaks/{{break}}"


def _act(name: str, function: Function, summary: str, request: type[Struct]) -> Operation:
    """What a person does about a break. Repeated, it has no further effect."""
    return Operation(
        "POST",
        f"{_BREAK}/{name}",
        MAKER_OR_APPROVER,
        function,
        summary,
        answer=shapes.BreakDetail,
        request=request,
        refusals=("state_conflict",),
    )


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/till-claims",
        Merchant("claims:write"),
        reconciling.post_till_claims,
        "Tell what the tills sold, redeemed and refunded, as CSV or as a list. The same file again changes nothing.",
        answer=shapes.FileOut,
        request=shapes.TillClaimsIn,
        largest_body=LARGEST_BATCH_BODY,
    ),
    Operation(
        "GET",
        "/v1/breaks",
        Merchant("breaks:read"),
        reconciling.list_own_breaks,
        "What the merchant's tills and the book tell differently, each with its lines.",
        answer=shapes.OwnBreakPage,
        query=shapes.OwnBreaksIn,
    ),
    Operation(
        "POST",
        f"{OF_BOOK}/provider-reports",
        MAKER,
        reconciling.post_provider_report,
        "Bring what the payment provider says it paid and took, as CSV. The same file again changes nothing.",
        answer=shapes.FileOut,
        request=shapes.ProviderReportIn,
        largest_body=LARGEST_BATCH_BODY,
    ),
    Operation(
        "POST",
        f"{OF_BOOK}/reconciliation",
        MAKER_OR_APPROVER,
        reconciling.post_run,
        "Lay the book against all sources anew. With nothing new nothing changes.",
        answer=shapes.RunOut,
        request=shapes.NothingIn,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/reconciliation",
        ANY_OPERATOR,
        reconciling.get_reconciliation,
        "How reconciliation stands: lag, open lines, breaks by age, time to statement.",
        answer=shapes.ReconciliationOut,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/breaks",
        ANY_OPERATOR,
        reconciling.list_breaks,
        "Breaks by state, type, source and owner; a page as CSV when asked by format.",
        answer=shapes.BreakPage,
        query=shapes.BreaksIn,
        also=("text/csv",),
    ),
    Operation(
        "GET",
        _BREAK,
        ANY_OPERATOR,
        reconciling.get_break,
        "One break with its evidence, its history and its adjustments.",
        answer=shapes.BreakDetail,
    ),
    _act(
        "explain",
        reconciling.post_explain,
        "Say why a break is there; it stands on until it is resolved.",
        shapes.ReasonIn,
    ),
    _act(
        "resolve",
        reconciling.post_resolve,
        "End a break with its reason; its open lines are set aside.",
        shapes.ResolveIn,
    ),
    _act("merge", reconciling.post_merge, "Take breaks that are one matter together into this one.", shapes.MergeIn),
    Operation(
        "GET",
        f"{OF_BOOK}/matches",
        ANY_OPERATOR,
        reconciling.list_matches,
        "Matches with the rule that found each and how sure it is, the newest first.",
        answer=shapes.MatchPage,
        query=shapes.MatchesIn,
    ),
    Operation(
        "POST",
        f"{OF_BOOK}/matches",
        MAKER,
        reconciling.post_match,
        "Match open lines by hand. They come to the same amount.",
        answer=shapes.MatchOut,
        request=shapes.MatchIn,
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        f"{OPERATOR}/matches/{{match}}/split",
        MAKER,
        reconciling.post_split,
        "Take a match apart: its lines are open again.",
        answer=shapes.MatchOut,
        request=shapes.ReasonIn,
    ),
    Operation(
        "POST",
        f"{_BREAK}/adjustments",
        MAKER,
        adjustments.post_break_adjustment,
        "Propose what a merchant is to be paid or charged for a break; approved by another, an item of the open window.",
        answer=shapes.AdjustmentOut,
        request=shapes.BreakAdjustmentIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
)
