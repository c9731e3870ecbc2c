"""The open window as it stands, for operators."""

from datetime import datetime

from gateway.api.shapes.operator_windows import DebtOut, TotalsOut
from gateway.api.shapes.values import Answer, Sum


class StandingOut(Answer, frozen=True, kw_only=True):
    """A party of the open window: position == receivable - payable - fee."""

    # mer_..., or opr_... of the operator itself
    party: str
    position: Sum
    receivable: Sum
    payable: Sum
    fee: Sum


class PartyForecast(Answer, frozen=True, kw_only=True):
    party: str
    position: Sum


class ForecastOut(Answer, frozen=True, kw_only=True):
    """What the window may come to: so far, plus the pace of the last `basis_windows` windows for the seconds left."""

    ends_at: datetime
    seconds_left: int
    basis_windows: int
    gross: Sum
    data: list[PartyForecast]


class OutlookOut(Answer, frozen=True, kw_only=True):
    """The open window as if it closed now. The positions sum to zero, and so do those of the forecast."""

    at: datetime
    # none: nothing has happened in the book yet
    window: str | None
    number: int | None
    opened_at: datetime | None
    # the last record that counts
    sequence: int
    totals: TotalsOut | None
    data: list[StandingOut]
    matrix: list[DebtOut]
    # none without a schedule, or before a window was closed
    forecast: ForecastOut | None
