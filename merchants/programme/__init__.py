"""Rules and offers: what a sale earns and why."""

from merchants.programme.basket import Basket, Facts, Line, Past
from merchants.programme.engine import Earned, Explained, Fired, Programme, Skipped, earned, explained
from merchants.programme.faults import BadRules, Fault
from merchants.programme.naming import Named, named, with_versions
from merchants.programme.rules import OCCASIONS, Fixed, Multiplier, Rate, Rule, When
from merchants.programme.terms import faults, parse, rules_of

__all__ = [
    "OCCASIONS",
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
    "Named",
    "Past",
    "Programme",
    "Rate",
    "Rule",
    "Skipped",
    "When",
    "earned",
    "explained",
    "faults",
    "named",
    "parse",
    "rules_of",
    "with_versions",
]
