"""What an operator asks of a window."""

from typing import Final

from msgspec import Struct

from gateway.api import adjustments, operator_windows, outlook, reading, shapes, standing_in, statement_files
from gateway.api.table.operator_paths import OF_BOOK, OF_MERCHANT, OF_WINDOW
from gateway.operation import ANY_OPERATOR, APPROVER, MAKER, MAKER_OR_APPROVER, Function, Operation, Operator


def _step(
    name: str, who: Operator, function: Function, summary: str, request: type[Struct], *refusals: str
) -> Operation:
    """What moves a window on."""
    return Operation(
        "POST",
        f"{OF_WINDOW}/{name}",
        who,
        function,
        summary,
        answer=shapes.WindowStepOut,
        request=request,
        keyed="required",
        refusals=("state_conflict", *refusals),
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        f"{OF_BOOK}/windows",
        ANY_OPERATOR,
        operator_windows.list_windows,
        "The windows, the newest first.",
        answer=shapes.WindowPage,
        query=shapes.PageIn,
    ),
    Operation("GET", OF_WINDOW, ANY_OPERATOR, operator_windows.get_window, "One window.", answer=shapes.WindowOut),
    Operation(
        "GET",
        f"{OF_WINDOW}/positions",
        ANY_OPERATOR,
        operator_windows.get_positions,
        "Every party's position in a window; they sum to zero.",
        answer=shapes.PositionsOut,
    ),
    Operation(
        "GET",
        f"{OF_WINDOW}/matrix",
        ANY_OPERATOR,
        operator_windows.get_matrix,
        "Who owes whom in a window.",
        answer=shapes.MatrixOut,
    ),
    Operation(
        "GET",
        "/v1/operator/statements/{statement}",
        ANY_OPERATOR,
        reading.get_any_statement,
        "Any merchant's statement, in every form in which the merchant has it.",
        answer=shapes.StatementDetail,
        query=shapes.StatementIn,
        also=tuple(statement_files.ACCEPTED),
    ),
    _step("close", MAKER, operator_windows.post_close, "Close the open window and net it.", shapes.CloseIn),
    _step("submit", MAKER, operator_windows.post_submit, "Submit a window's positions for approval.", shapes.NothingIn),
    _step(
        "approve",
        APPROVER,
        operator_windows.post_approve,
        "Approve what another operator submitted; the window is then posted.",
        shapes.ApproveIn,
        "self_approval_forbidden",
    ),
    _step(
        "return", APPROVER, operator_windows.post_return, "Return a submitted window with a reason.", shapes.ReturnIn
    ),
    _step(
        "abort",
        MAKER_OR_APPROVER,
        operator_windows.post_abort,
        "Abort a window before funding: it is netted again.",
        shapes.ReturnIn,
    ),
    Operation(
        "POST",
        f"{OF_WINDOW}/payments",
        MAKER,
        operator_windows.post_payments,
        "Mark payments of a window as made: one merchant's, or all that are open.",
        answer=shapes.PaymentsOut,
        request=shapes.PaymentsIn,
        keyed="required",
        refusals=("state_conflict", "limit_exceeded"),
    ),
    Operation(
        "POST",
        f"{OF_WINDOW}/covers",
        APPROVER,
        standing_in.post_cover,
        "Let prefund, collateral, loss fund and the other merchants stand in for one that has not paid in.",
        answer=shapes.CoverOut,
        request=shapes.CoverIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        f"{OF_WINDOW}/adjustments",
        MAKER,
        adjustments.post_adjustment,
        "Propose what a closed window left out as an item of the next.",
        answer=shapes.AdjustmentOut,
        request=shapes.AdjustmentIn,
        keyed="required",
        refusals=("state_conflict", "not_found"),
    ),
    Operation(
        "POST",
        f"{OF_WINDOW}/adjustments/{{record}}/approve",
        APPROVER,
        adjustments.post_adjustment_approve,
        "Approve an adjustment that another proposed: it is an item of the open window.",
        answer=shapes.AdjustmentOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict", "self_approval_forbidden"),
    ),
    Operation(
        "POST",
        f"{OF_WINDOW}/adjustments/{{record}}/reject",
        APPROVER,
        adjustments.post_adjustment_reject,
        "Reject an adjustment.",
        answer=shapes.AdjustmentOut,
        request=shapes.NothingIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        f"{OF_WINDOW}/payment-returns",
        MAKER,
        standing_in.post_payment_return,
        "Book a pay-out that the bank sent back; it is to be paid again.",
        answer=shapes.PaymentReturnOut,
        request=shapes.PaymentReturnIn,
        keyed="required",
        refusals=("state_conflict",),
    ),
    Operation(
        "POST",
        f"{OF_MERCHANT}/collateral",
        MAKER,
        standing_in.post_collateral,
        "Book a merchant's collateral that came in.",
        answer=shapes.DepositOut,
        request=shapes.DepositIn,
        keyed="required",
    ),
    Operation(
        "POST",
        f"{OF_MERCHANT}/collateral-returns",
        APPROVER,
        standing_in.post_collateral_return,
        "Give a merchant that owes nothing collateral back.",
        answer=shapes.DepositOut,
        request=shapes.DepositIn,
        keyed="required",
        refusals=("state_conflict", "limit_exceeded"),
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/positions",
        ANY_OPERATOR,
        outlook.get_book_positions,
        "The open window as if it closed now: who owes whom, every position, and what it may come to.",
        answer=shapes.OutlookOut,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/positions/events",
        ANY_OPERATOR,
        outlook.get_book_positions_events,
        "The same whenever something was posted, as server-sent events.",
        answer=None,
        events=outlook.OUTLOOK_EVENTS,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/exposures",
        ANY_OPERATOR,
        standing_in.get_exposures,
        "How much of its credit line each merchant has used, the most exposed first.",
        answer=shapes.ExposuresOut,
    ),
    Operation(
        "POST",
        f"{OF_BOOK}/loss-fund",
        MAKER,
        standing_in.post_loss_fund,
        "Book the network's money for the loss fund.",
        answer=shapes.DepositOut,
        request=shapes.DepositIn,
        keyed="required",
    ),
)
