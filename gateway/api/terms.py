"""What sales earn: a merchant's terms, and the rules of a sponsorship, between the API's words and the programme's."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from gateway import problems
from gateway.api.operator_scope import book_in_path, merchant_in_path
from gateway.api.shapes import Rate, Rates, Rule, RulePolicyIn, RulePolicyOut, TermsIn, TermsOut
from gateway.calls import Call
from ledger import Outcome, ids
from merchants import contracts, programme


async def post_terms(call: Call[TermsIn]) -> Outcome:
    book, merchant = await merchant_in_path(call)
    return await call.post("terms", contracts.NewTerms(merchant, asked(call.body)), _in_force, book_id=book.id)


def _in_force(done: contracts.TermsInForce) -> TermsOut:
    rules = told(done.terms.rules)
    return TermsOut(
        id=ids.show("terms", done.terms.id),
        merchant=ids.show("merchant", done.terms.merchant_id),
        version=done.terms.version,
        points=rules.points,
        per=rules.per,
        categories=dict(rules.categories),
        minimum=rules.minimum,
        cap_points=rules.cap_points,
        by_kind=rules.by_kind,
        rules=rules.rules,
        in_force_at=done.at,
    )


def asked(body: TermsIn, under: str = "") -> dict[str, Any]:
    """The body in the words of the programme's rules, which find no fault in it; `under` points to where it stands."""
    rules = _rates(body) if body.rules is None else _rules(body, under)
    if body.by_kind:
        rules["by_kind"] = {kind: _rates(rates) for kind, rates in body.by_kind.items()}
    if faults := programme.faults(rules):
        pointer = under + faults[0].pointer.replace("_minor", "")
        raise problems.invalid(pointer, faults[0].detail, faults[0].code)
    return rules


def _rules(body: TermsIn, under: str) -> dict[str, Any]:
    for name in ("points", "per", "categories", "by_kind"):
        if getattr(body, name):
            raise problems.invalid(f"{under}/{name}", "belongs to rates, and these are rules", "not_with_rules")
    rules: dict[str, Any] = {"rules": msgspec.to_builtins(body.rules), "minimum": body.minimum}
    return rules if body.cap_points is None else {**rules, "cap_points": body.cap_points}


def _rates(body: Rates | TermsIn) -> dict[str, Any]:
    rates: dict[str, Any] = {
        "minimum_minor": body.minimum,
        "categories": {name: {"points": rate.points, "per_minor": rate.per} for name, rate in body.categories.items()},
    }
    # what is left out is missed by the programme
    given = {"points": body.points, "per_minor": body.per, "cap_points": body.cap_points}
    return {**{name: value for name, value in given.items() if value is not None}, **rates}


def told(rules: Mapping[str, Any]) -> TermsIn:
    """The programme's rules in the words of the body they came in."""
    if "rules" in rules:
        return TermsIn(
            rules=msgspec.convert(rules["rules"], list[Rule], strict=False),
            minimum=rules.get("minimum", 0),
            cap_points=rules.get("cap_points"),
        )
    by_kind = {kind: Rates(**_rates_told(rates)) for kind, rates in rules.get("by_kind", {}).items()}
    return TermsIn(**_rates_told(rules), by_kind=cast(Any, by_kind))


def _rates_told(rates: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "points": rates["points"],
        "per": rates["per_minor"],
        "categories": {
            name: Rate(points=rate["points"], per=rate["per_minor"])
            for name, rate in rates.get("categories", {}).items()
        },
        "minimum": rates.get("minimum_minor", 0),
        "cap_points": rates.get("cap_points"),
    }


async def get_rule_policy(call: Call[None]) -> RulePolicyOut:
    book = await book_in_path(call)
    version, policy = await call.work(contracts.policy_of, book.id)
    return _policy(version, policy)


async def put_rule_policy(call: Call[RulePolicyIn]) -> Outcome:
    book, body = await book_in_path(call), call.body
    policy = contracts.RulePolicy(body.equal_persons, body.largest_share_ppm, body.not_before)
    return await call.post("rule_policy", policy, lambda done: _policy(done.version, done.policy), book_id=book.id)


def _policy(version: int, policy: contracts.RulePolicy) -> RulePolicyOut:
    return RulePolicyOut(
        version=version,
        equal_persons=policy.equal_persons,
        largest_share_ppm=policy.largest_share_ppm,
        not_before=policy.not_before,
    )
