"""What a network forbids rules to do, where its law or its operator says so, and whether rules do it. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from merchants.programme import schema
from merchants.programme.faults import Fault, pointer
from merchants.programme.rules import OF_MONEY, Fixed, Multiplier, Rate, Rule

PPM: Final = 1_000_000


def forbidden(json: Mapping[str, Any], policy: Any, unit_value_minor: int, now: datetime) -> list[Fault]:
    """What a network's policy forbids in rules without faults, each with its reason.

    `policy.equal_persons`: nothing may depend on who the person is. `policy.largest_share_ppm`: no rule may give more than
    that share of the price back, of points at `unit_value_minor`; rules that stack are looked at one by one, a multiplier
    with the best rate. `policy.not_before`: no rule may be valid from before it is in force.
    """
    found = (
        _of_rules(json, policy, unit_value_minor, now) if "rules" in json else _of_rates(json, policy, unit_value_minor)
    )
    return list(found)


def _of_rates(json: Mapping[str, Any], policy: Any, unit: int) -> Iterator[Fault]:
    if policy.equal_persons and json.get("by_kind"):
        yield _unequal("/by_kind")
    if policy.largest_share_ppm is None:
        return
    parts = [("", json), *((f"/by_kind/{kind}", part) for kind, part in json.get("by_kind", {}).items())]
    for at, part in parts:
        named = part.get("categories", {}).items()
        rates = [(at, part), *((pointer(f"{at}/categories", name), rate) for name, rate in named)]
        for here, rate in rates:
            if rate["points"] * unit * PPM > policy.largest_share_ppm * rate["per_minor"]:
                yield _too_much(f"{here}/points", policy.largest_share_ppm)


def _of_rules(json: Mapping[str, Any], policy: Any, unit: int, now: datetime) -> Iterator[Fault]:
    rules = schema.rules(json)
    rates = [rule for rule in rules if isinstance(rule.effect, Rate) and rule.basis in OF_MONEY]
    best = max(
        ((rule.effect.points * PPM) // rule.effect.per for rule in rates if isinstance(rule.effect, Rate)), default=0
    )
    for i, rule in enumerate(rules):
        at = f"/rules/{i}"
        if policy.equal_persons:
            for name in ("kind", "tier", "segment", "occasion"):
                if getattr(rule.when, name) is not None:
                    yield _unequal(f"{at}/when/{name}")
        if policy.largest_share_ppm is not None:
            yield from _shared(rule, at, policy.largest_share_ppm, unit, best)
        if policy.not_before and rule.valid_from is not None and rule.valid_from < now:
            yield Fault(
                f"{at}/valid/from",
                "retroactive",
                "this network forbids rules for what was sold before they are in force",
            )


def _shared(rule: Rule, at: str, most_ppm: int, unit: int, best_ppm: int) -> Iterator[Fault]:
    """Whether a rule by itself may give back more than so much of the price."""
    effect, bounds = rule.effect, rule.when.basket
    if isinstance(effect, Multiplier):
        if best_ppm * unit * effect.percent > most_ppm * 100:
            yield _too_much(f"{at}/effect/multiplier/percent", most_ppm)
    elif isinstance(effect, Rate) and rule.basis in OF_MONEY:
        if effect.points * unit * PPM > most_ppm * effect.per:
            yield _too_much(f"{at}/effect/rate/points", most_ppm)
    else:
        points = effect.points if isinstance(effect, Fixed) else rule.cap_points
        if isinstance(effect, Fixed) and rule.cap_points is not None:
            points = min(effect.points, rule.cap_points)
        least = 0 if bounds is None else bounds.at_least or 0
        if points is None or points * unit * PPM > most_ppm * least:
            yield Fault(
                f"{at}/when/basket",
                "share_too_large",
                f"this network forbids to give more than {most_ppm} millionths of the price: needs a cap, and a basket of so much",
            )


def _unequal(at: str) -> Fault:
    return Fault(at, "unequal", "this network forbids what depends on who the person is")


def _too_much(at: str, most_ppm: int) -> Fault:
    return Fault(at, "share_too_large", f"this network forbids to give more than {most_ppm} millionths of the price")
