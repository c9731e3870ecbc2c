"""Rules and offers: what a sale earns and why."""

from merchants.programme.terms import BadRules, Earned, Fault, Rate, Rates, Rules, faults, parse, points_for, rules_of

__all__ = ["BadRules", "Earned", "Fault", "Rate", "Rates", "Rules", "faults", "parse", "points_for", "rules_of"]
