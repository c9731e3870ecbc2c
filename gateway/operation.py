"""What an operation of the API is. From a table of these come the routes and the OpenAPI document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.calls import Call
from gateway.operator_keys import ROLES
from merchants.contracts.keys import SCOPES

Function = Callable[[Call[Any]], Awaitable[Any]]

LARGEST_BODY: Final = 256 * 1024
LARGEST_BATCH_BODY: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Anybody:
    """No credential is asked for."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant's key with this scope."""

    scope: str

    def __post_init__(self) -> None:
        assert self.scope in SCOPES, self.scope


@dataclass(frozen=True, slots=True)
class Member:
    """A member who signed in."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator's key with one of these roles."""

    roles: tuple[str, ...]

    def __post_init__(self) -> None:
        assert set(self.roles) <= set(ROLES), self.roles


Who = Anybody | Merchant | Member | Operator

MAKER: Final = Operator(("maker",))
APPROVER: Final = Operator(("approver",))
MAKER_OR_APPROVER: Final = Operator(("maker", "approver"))
ANY_OPERATOR: Final = Operator(ROLES)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    `function` answers with a value of type `answer`, with the outcome of a posting or with a Reply. `refusals` are the
    codes it may answer with beyond those of every operation like it. `keyed` says whether an Idempotency-Key is asked
    for; `largest_body` is in bytes.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    who: Who
    function: Function
    summary: str
    answer: Any
    request: Any = None
    # how the body is documented, where the door takes it apart itself
    shown_request: Any = None
    # instead of JSON the body is taken as it is, in one of these media types
    raw: tuple[str, ...] = ()
    query: Any = None
    refusals: tuple[str, ...] = ()
    keyed: Literal["required", "taken", "no"] = "no"
    largest_body: int = LARGEST_BODY
    # other media types of the answer
    also: tuple[str, ...] = ()
    # a stream of server-sent events instead: what the data of each is, by the event's name
    events: tuple[tuple[str, Any], ...] = ()
    headers: tuple[str, ...] = ()
    # answered even when the process takes no new work
    while_closing: bool = False
