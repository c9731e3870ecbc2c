"""Safety: the operator's brakes, limits on how much passes in how long, and flags for what an operator should see."""

from merchants.safety import velocity
from merchants.safety.brakes import MOVES, Act, BrakeRound, Brakes, Done, braking
from merchants.safety.facts import FACTS
from merchants.safety.flags import VELOCITY, WRONG_CODES, Flag
from merchants.safety.limits import LimitsCache, LimitsHandler, LimitsInForce, NewLimits, in_force
from merchants.safety.store import Brake, list_brakes, list_flags, lock_counts, put_counts, put_flags
from merchants.safety.velocity import Counts, Limit

__all__ = [
    "FACTS",
    "MOVES",
    "VELOCITY",
    "WRONG_CODES",
    "Act",
    "Brake",
    "BrakeRound",
    "Brakes",
    "Counts",
    "Done",
    "Flag",
    "Limit",
    "LimitsCache",
    "LimitsHandler",
    "LimitsInForce",
    "NewLimits",
    "braking",
    "in_force",
    "list_brakes",
    "list_flags",
    "lock_counts",
    "put_counts",
    "put_flags",
    "velocity",
]
