"""Rules read anew from their JSON, one after the other, in exact fractions: no index, nothing compiled. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import floor
from typing import Any

import ledger


@dataclass(frozen=True, slots=True)
class Sale:
    lines: list[dict[str, Any]]
    payments: set[str]
    money: int
    total: int
    merchant: str
    branch: str
    channel: str
    kind: str
    now: datetime
    facts: Mapping[str, Any]

    @property
    def named(self) -> dict[str, Collection[Any]]:
        """What conditions name of a sale: one of theirs must be here."""
        parts = _parts(self)
        return {
            "merchant": (self.merchant,),
            "branch": (self.branch,),
            "channel": (self.channel,),
            "kind": (self.kind,),
            "tier": (self.facts.get("tier"),),
            "segment": self.facts.get("segments", ()),
            "occasion": self.facts.get("occasions", ()),
            "payment": self.payments,
            "category": {part["category"] for part in parts},
            "product": {part["sku"] for part in parts},
        }


def gives(rules: Any, sale: Sale) -> tuple[int, str | None]:
    """What rules as they are written give a sale, or the reason why nothing."""
    if "rules" not in rules:
        rules = rules.get("by_kind", {}).get(sale.kind, rules)
    if sale.money == 0:
        return 0, "nothing_paid"
    if sale.money < rules.get("minimum", rules.get("minimum_minor", 0)):
        return 0, "below_minimum"
    exact = _by_rules(rules["rules"], sale) if "rules" in rules else _by_rates(rules, sale)
    cap = rules.get("cap_points")
    if exact == 0 or cap == 0:
        return 0, "terms_exclude"
    if exact < 1:
        return 0, "below_one_point"
    largest = max(ledger.LARGEST_AMOUNT, sale.money)
    return min(floor(exact), largest if cap is None else min(cap, largest)), None


def _parts(sale: Sale) -> list[dict[str, Any]]:
    """The lines, and what they leave of the total."""
    rest = sale.total - sum(line["amount"] for line in sale.lines)
    return [*sale.lines, *([{"category": None, "sku": None, "quantity": 0, "amount": rest}] if rest > 0 else [])]


def _by_rates(rates: Any, sale: Sale) -> Fraction:
    parts = _parts(sale)
    exact = Fraction(0)
    for part in parts:
        rate = rates.get("categories", {}).get(part["category"] or "", rates)
        exact += Fraction(part["amount"] * rate["points"], rate["per_minor"])
    return exact * sale.money / max(1, sum(int(part["amount"]) for part in parts))


def _by_rules(rules: list[Any], sale: Sale) -> Fraction:
    ordered = sorted(rules, key=lambda rule: -rule.get("priority", 0))
    # the same parts for all rules: a multiplier counts on those that a rate is about as well
    named, every = sale.named, _parts(sale)
    holding = [(rule, parts) for rule in ordered if (parts := _holds(rule, sale, named, every)) is not None]
    for rule, parts in holding:
        if rule.get("stacking") == "exclusive":
            return _given(rule, parts, sale)
    best: dict[str, tuple[Fraction, Any]] = {}
    for rule, parts in holding:
        if isinstance(stacking := rule.get("stacking"), dict):
            effect = rule["effect"]
            worth = Fraction(effect["multiplier"]["percent"]) if "multiplier" in effect else _given(rule, parts, sale)
            if stacking["best_of"] not in best or worth > best[stacking["best_of"]][0]:
                best[stacking["best_of"]] = worth, rule
    counting = [
        (rule, parts)
        for rule, parts in holding
        if not isinstance(rule.get("stacking"), dict) or best[rule["stacking"]["best_of"]][1] is rule
    ]
    exact = sum((_given(rule, parts, sale) for rule, parts in counting), Fraction(0))
    rates = [(rule, parts) for rule, parts in counting if "rate" in rule["effect"]]
    for rule, parts in counting:
        if "multiplier" in rule["effect"]:
            shared = [
                (rate, [part for part in theirs if any(part is each for each in parts)]) for rate, theirs in rates
            ]
            gained = sum((_given(rate, both, sale) for rate, both in shared), Fraction(0))
            gained = gained * (rule["effect"]["multiplier"]["percent"] - 100) / 100
            cap = rule.get("cap_points")
            exact += gained if cap is None else min(gained, Fraction(cap))
    return exact


def _given(rule: Any, parts: list[Any], sale: Sale) -> Fraction:
    """What a rate or fixed points give these parts of a sale."""
    effect = rule["effect"]
    if "multiplier" in effect:
        return Fraction(0)
    if "points" in effect:
        given = Fraction(effect["points"])
    else:
        given = _of_basis(rule.get("basis", "money"), parts, sale) * effect["rate"]["points"] / effect["rate"]["per"]
    cap = rule.get("cap_points")
    return given if cap is None else min(given, Fraction(cap))


def _of_basis(basis: str, parts: list[Any], sale: Sale) -> Fraction:
    if basis == "visits":
        return Fraction(1)
    if basis == "units":
        return Fraction(sum(part["quantity"] for part in parts) * sale.money, sale.total)
    if basis.startswith("measure:"):
        name = basis.split(":", 1)[1]
        return Fraction(sum(part.get("measures", {}).get(name, 0) for part in parts) * sale.money, sale.total)
    whole = max(sale.total, sum(line["amount"] for line in sale.lines))
    if basis == "money":
        amount = sum(part["amount"] for part in parts)
    elif basis == "net":
        amount = sum(max(0, part["amount"] - part.get("discount", 0)) for part in parts)
    else:
        known = [part for part in parts if part.get("cost") is not None]
        amount = sum(max(0, part["amount"] - part.get("discount", 0) - part["cost"]) for part in known)
    return Fraction(amount * sale.money, whole)


def _holds(rule: Any, sale: Sale, named: Mapping[str, Collection[Any]], every: list[Any]) -> list[Any] | None:
    """The parts of a sale that a rule is about, when its conditions hold."""
    when, facts = rule.get("when", {}), sale.facts
    for name, wanted in when.items():
        if name in named and not any(value in named[name] for value in wanted):
            return None
    if not _in_time(rule.get("valid", {}), when.get("time"), sale):
        return None
    parts = [
        part
        for part in every
        if ("product" not in when or part["sku"] in when["product"])
        and ("category" not in when or part["category"] in when["category"])
        and ("not_category" not in when or part["category"] not in when["not_category"])
    ]
    if not parts and {"product", "category", "not_category"} & when.keys():
        return None
    whole = max(sale.total, sum(line["amount"] for line in sale.lines))
    amounts = {"basket": Fraction(sale.money)}
    amounts["amount"] = Fraction(sum(part["amount"] for part in parts) * sale.money, whole)
    if any(name in when and not _within(when[name], amount) for name, amount in amounts.items()):
        return None
    return parts if _before(when, facts.get("past"), sale) else None


def _in_time(valid: Any, hours: Any, sale: Sale) -> bool:
    for name, after in (("from", True), ("until", False)):
        if valid.get(name) is not None:
            bound = datetime.fromisoformat(valid[name])
            moment = sale.now.astimezone(bound.tzinfo)
            if (moment >= bound) is not after:
                return False
    if hours is None:
        return True
    weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    clock = sale.now.strftime("%H:%M")
    return (
        weekdays[sale.now.weekday()] in hours.get("weekdays", weekdays)
        and hours.get("from", "00:00") <= clock
        and ("until" not in hours or clock < hours["until"])
    )


def _before(when: Any, past: Any, sale: Sale) -> bool:
    if "first_purchase" in when and past["first"] is not when["first_purchase"]:
        return False
    if "last_purchase" in when:
        last = past["days_since_last"]
        if last is None or last > when["last_purchase"]["within_days"]:
            return False
    if (asked := when.get("visits")) is not None:
        count = past["visits"][str(asked["days"])] + 1
        if not _within(asked, Fraction(count)) or count % asked.get("every", 1):
            return False
    if (asked := when.get("spent")) is not None:
        spent = past["spent"][str(asked["days"])] + sale.money
        if not _within(asked, Fraction(spent)):
            return False
        reached = asked.get("reaches")
        if reached is not None and not past["paid"][str(asked["days"])] < reached <= spent:
            return False
    return True


def _within(bounds: Any, amount: Fraction) -> bool:
    least, most = bounds.get("at_least"), bounds.get("at_most")
    return (least is None or amount >= least) and (most is None or amount <= most)
