"""From the stream of records to obligations, windows, positions and payments."""

from collections.abc import Mapping

import ledger
from settlement import funding, proof, rails, reconciliation, schedule, windows
from settlement import handlers as _handlers
from settlement.adjusting import (
    AdjustmentDone,
    DecideAdjustment,
    Dispute,
    DisputeDone,
    ProposeAdjustment,
    ProposeForBreak,
)
from settlement.booking import PaymentDone
from settlement.covers import overdue
from settlement.covers.covering import Cover, CoverDone, Deposit, DepositDone, GiveBack, PaymentReturned, ReturnPayment
from settlement.covers.drill import Bearer, Drill, drill
from settlement.covers.exposure import Exposure, exposures, with_charge_backs
from settlement.covers.exposure import level as exposure_level
from settlement.covers.overdue_store import Grace
from settlement.facts import FACTS
from settlement.funding import Purchase, PurchaseDone, SellBack, Topup, TopupDone
from settlement.handlers import NotYet, Pay, PaymentsDone, Settle, Settled
from settlement.live import Live, live
from settlement.netting import Bilateral, Position, saving_ppm
from settlement.obligations import Item
from settlement.outlook import Forecast, Outlook, outlook
from settlement.papers import page, paper, statements, workbook
from settlement.papers.statements import Counterparty, Statement
from settlement.rails import paying, sending
from settlement.sealed import sealing
from settlement.sealed.sealing import Sealing
from settlement.sealed.store import Seal, book_of_statement, seal
from settlement.steps import SelfApproval, Step, Window, WindowStepped, window_id
from settlement.store import (
    ItemRow,
    Payment,
    PositionRow,
    Summary,
    all_items,
    bilateral,
    charged_back,
    items,
    lags,
    newest_window,
    offset,
    payments,
    place_of_position,
    position_of,
    positions,
    positions_of,
    summary,
    window,
    window_by_id,
)
from settlement.store import windows as list_windows
from settlement.stream.consumer import drain
from settlement.stream.rebuild import Rebuilt, check, rebuild, snapshot
from settlement.stream.subscriber import Subscriber
from settlement.stream.topics import told_by
from settlement.windows import CLOCK, Asker


def handlers() -> Mapping[str, ledger.Handler]:
    """The kinds of request settlement decides, for the committer."""
    return {**_handlers.HANDLERS, **funding.HANDLERS, **rails.HANDLERS}


__all__ = [
    "CLOCK",
    "FACTS",
    "AdjustmentDone",
    "Asker",
    "Bearer",
    "Bilateral",
    "Counterparty",
    "Cover",
    "CoverDone",
    "DecideAdjustment",
    "Deposit",
    "DepositDone",
    "Dispute",
    "DisputeDone",
    "Drill",
    "Exposure",
    "Forecast",
    "GiveBack",
    "Grace",
    "Item",
    "ItemRow",
    "Live",
    "NotYet",
    "Outlook",
    "Pay",
    "Payment",
    "PaymentDone",
    "PaymentReturned",
    "PaymentsDone",
    "Position",
    "PositionRow",
    "ProposeAdjustment",
    "ProposeForBreak",
    "Purchase",
    "PurchaseDone",
    "Rebuilt",
    "ReturnPayment",
    "Seal",
    "Sealing",
    "SelfApproval",
    "SellBack",
    "Settle",
    "Settled",
    "Statement",
    "Step",
    "Subscriber",
    "Summary",
    "Topup",
    "TopupDone",
    "Window",
    "WindowStepped",
    "all_items",
    "bilateral",
    "book_of_statement",
    "charged_back",
    "check",
    "drain",
    "drill",
    "exposure_level",
    "exposures",
    "handlers",
    "items",
    "lags",
    "list_windows",
    "live",
    "newest_window",
    "offset",
    "outlook",
    "overdue",
    "page",
    "paper",
    "paying",
    "payments",
    "place_of_position",
    "position_of",
    "positions",
    "positions_of",
    "proof",
    "rails",
    "rebuild",
    "reconciliation",
    "saving_ppm",
    "schedule",
    "seal",
    "sealing",
    "sending",
    "snapshot",
    "statements",
    "summary",
    "told_by",
    "window",
    "window_by_id",
    "window_id",
    "windows",
    "with_charge_backs",
    "workbook",
]
