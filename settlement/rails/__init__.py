"""How merchants pay in and are paid out: instructions, the port that rails stand behind, and the rails."""

from settlement.rails import banks, by_stripe, charge_back_store, instructions, port, store
from settlement.rails.charge_back_store import ChargeBack
from settlement.rails.charge_backs import ChargeBackDone, DecideChargeBack, Dispute, ProposeChargeBack, ProposeReversal
from settlement.rails.instructions import Instruction
from settlement.rails.posting import (
    HANDLERS,
    AskTopup,
    Event,
    EventTaken,
    Heard,
    Instruct,
    Instructed,
    Say,
    Taken,
    TakeReport,
    TakeStatements,
    Word,
)

__all__ = [
    "HANDLERS",
    "AskTopup",
    "ChargeBack",
    "ChargeBackDone",
    "DecideChargeBack",
    "Dispute",
    "Event",
    "EventTaken",
    "Heard",
    "Instruct",
    "Instructed",
    "Instruction",
    "ProposeChargeBack",
    "ProposeReversal",
    "Say",
    "TakeReport",
    "TakeStatements",
    "Taken",
    "Word",
    "banks",
    "by_stripe",
    "charge_back_store",
    "instructions",
    "port",
    "store",
]
