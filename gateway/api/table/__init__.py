"""Every operation of the API. The routes and the OpenAPI document are made from this table and from nothing else."""

from typing import Final

from gateway.api.table import (
    benefits,
    everybody,
    household,
    insight,
    member,
    merchant,
    offers,
    operator_books,
    operator_merchants,
    operator_rails,
    operator_safety,
    operator_windows,
    reconciling,
    till,
)

__all__ = ["OPERATIONS"]

#: In the order the document tells them.
OPERATIONS: Final = (
    *till.OPERATIONS,
    *merchant.OPERATIONS,
    *insight.OPERATIONS,
    *offers.OPERATIONS,
    *member.OPERATIONS,
    *household.OPERATIONS,
    *benefits.OPERATIONS,
    *operator_books.OPERATIONS,
    *operator_merchants.OPERATIONS,
    *operator_books.RULES,
    *insight.NETWORK,
    *operator_windows.OPERATIONS,
    *reconciling.OPERATIONS,
    *operator_rails.OPERATIONS,
    *operator_safety.OPERATIONS,
    *everybody.OPERATIONS,
)
