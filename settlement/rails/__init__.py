"""How merchants pay in and are paid out: instructions, the port that rails stand behind, and the rails."""

from settlement.rails import banks, by_stripe, instructions, port, store
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
    "Event",
    "EventTaken",
    "Heard",
    "Instruct",
    "Instructed",
    "Instruction",
    "Say",
    "TakeReport",
    "TakeStatements",
    "Taken",
    "Word",
    "banks",
    "by_stripe",
    "instructions",
    "port",
    "store",
]
