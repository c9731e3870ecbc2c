"""Rules and offers: what a sale earns and why."""

from merchants.programme.basket import Basket, Facts, Line, Past
from merchants.programme.engine import Earned, Explained, Fired, Programme, Skipped, earned, explained
from merchants.programme.faults import BadRules, Fault
from merchants.programme.rules import Fixed, Multiplier, Rate, Rule, When
from merchants.programme.schema import AWAITED
from merchants.programme.terms import faults, parse, rules_of

__all__ = [
    "AWAITED",
    "BadRules",
    "Basket",
    "Earned",
    "Explained",
    "Facts",
    "Fault",
    "Fired",
    "Fixed",
    "Line",
    "Multiplier",
    "Past",
    "Programme",
    "Rate",
    "Rule",
    "Skipped",
    "When",
    "earned",
    "explained",
    "faults",
    "parse",
    "rules_of",
]
