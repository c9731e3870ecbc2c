"""What an operator stops and releases, limits, looks at, and the keys it ends."""

from typing import Final

from gateway.api import keys, operator_safety, shapes
from gateway.api.table.operator_paths import OF_BOOK, OF_MERCHANT, OPERATOR
from gateway.operation import ANY_OPERATOR, APPROVER, MAKER, MAKER_OR_APPROVER, Function, Operation, Operator


def _brake(path: str, who: Operator, function: Function, summary: str) -> Operation:
    return Operation(
        "POST",
        path,
        who,
        function,
        summary,
        answer=shapes.BrakeOut,
        request=shapes.BrakeIn,
        keyed="required",
        refusals=("state_conflict",),
    )


OPERATIONS: Final = (
    _brake(
        f"{OPERATOR}/members/{{member}}/freeze",
        MAKER_OR_APPROVER,
        operator_safety.post_member_freeze,
        "Freeze a member: the points stay and none is spent. Earning, captures of holds and refunds go on.",
    ),
    _brake(
        f"{OPERATOR}/members/{{member}}/unfreeze",
        APPROVER,
        operator_safety.post_member_unfreeze,
        "Release a frozen member.",
    ),
    _brake(
        f"{OPERATOR}/branches/{{branch}}/freeze",
        MAKER_OR_APPROVER,
        operator_safety.post_branch_freeze,
        "Freeze a branch: its sales earn nothing and it takes no new holds. Captures, voids and refunds go on.",
    ),
    _brake(
        f"{OPERATOR}/branches/{{branch}}/unfreeze",
        APPROVER,
        operator_safety.post_branch_unfreeze,
        "Release a frozen branch.",
    ),
    _brake(
        f"{OF_MERCHANT}/suspend",
        MAKER_OR_APPROVER,
        operator_safety.post_merchant_suspend,
        "Suspend a merchant: it neither earns nor takes new holds. Captures, voids and refunds go on.",
    ),
    _brake(f"{OF_MERCHANT}/resume", APPROVER, operator_safety.post_merchant_resume, "Let a suspended merchant go on."),
    _brake(
        f"{OF_BOOK}/stop",
        MAKER_OR_APPROVER,
        operator_safety.post_book_stop,
        "The kill switch: nothing is posted any more, and what is sent is answered 503 to be sent again.",
    ),
    _brake(
        f"{OF_BOOK}/resume",
        APPROVER,
        operator_safety.post_book_resume,
        "Let a stopped network run again: all is as if it had been late.",
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/brakes",
        ANY_OPERATOR,
        operator_safety.list_brakes,
        "Who froze, suspended, stopped and released what, and why; the newest first.",
        answer=shapes.BrakePage,
        query=shapes.PageIn,
    ),
    Operation(
        "PUT",
        f"{OF_BOOK}/velocity-limits",
        MAKER,
        operator_safety.put_velocity_limits,
        "Say how much may pass in how long; the whole list, in force at once.",
        answer=shapes.VelocityOut,
        request=shapes.VelocityIn,
        keyed="taken",
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/velocity-limits",
        ANY_OPERATOR,
        operator_safety.get_velocity_limits,
        "How much may pass in how long.",
        answer=shapes.VelocityOut,
    ),
    Operation(
        "PUT",
        f"{OF_BOOK}/pay-in-grace",
        APPROVER,
        operator_safety.put_pay_in_grace,
        "Say how many days merchants may take to pay a window in before they are suspended by the clock; null: no end.",
        answer=shapes.PayInGraceOut,
        request=shapes.PayInGraceIn,
        keyed="taken",
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/pay-in-grace",
        ANY_OPERATOR,
        operator_safety.get_pay_in_grace,
        "How many days merchants may take to pay a window in.",
        answer=shapes.PayInGraceOut,
    ),
    Operation(
        "GET",
        f"{OF_BOOK}/flags",
        ANY_OPERATOR,
        operator_safety.list_flags,
        "What should be looked at: velocity limits that were met, shops that showed too many wrong codes.",
        answer=shapes.FlagPage,
        query=shapes.PageIn,
    ),
    Operation(
        "GET",
        f"{OF_MERCHANT}/api-keys",
        ANY_OPERATOR,
        keys.list_api_keys_of,
        "A merchant's keys, ended ones included.",
        answer=shapes.ApiKeyPage,
        query=shapes.PageIn,
    ),
    Operation(
        "DELETE",
        f"{OF_MERCHANT}/api-keys/{{key}}",
        MAKER_OR_APPROVER,
        keys.delete_api_key_of,
        "End a merchant's key now.",
        answer=shapes.ApiKeyOut,
    ),
)
