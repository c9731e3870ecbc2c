"""What sales earned of their shop, of sponsors and of offers, proved by the rules as they are written."""
# ruff: noqa: S608 - the statements are composed of this room's own constants

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import ledger
from ledger.audit import RECORDS, Checks, Row, Scope
from merchants.trade.audit.rules import Sale, gives
from merchants.trade.audit.written import written

check = Checks()

#: Reasons that are not the rules' own.
_BARRED: Final = ("merchant_suspended", "branch_frozen", "no_terms")
_LIMITED: Final = ("issuing_limit_reached", "velocity_limit")


@check(
    "earned_by_rules",
    "every sale earned, of the shop and of each sponsor, exactly what the rules in force give its lines and facts",
    over="sale",
)
def earned_by_rules(scope: Scope) -> Iterator[Row]:
    # rates without categories and kinds are a sum that the server does itself; the rest is asked rule by rule
    rows = scope.stream(
        f"""
        with terms as (
            select id, not rules ?| array['rules', 'by_kind', 'cap_points']
                and coalesce(rules -> 'categories', '{{}}') = '{{}}' as plain, (rules ->> 'points')::bigint as points,
                (rules ->> 'per_minor')::bigint as per, coalesce((rules ->> 'minimum_minor')::bigint, 0) as minimum
            from merchants.terms where book_id = any(%(books)s)
        ), given as (
            select r.*, (payload ->> 'money_minor')::bigint as money, (payload ->> 'terms')::uuid as terms_id,
                (payload ->> 'points')::bigint - coalesce((select sum((g ->> 'points')::bigint)
                    from jsonb_array_elements(payload -> 'bonuses') g), 0) as own
            from {RECORDS} r where kind = 'sale' and member_id is not null
        )
        select g.subject_id, g.id, g.own, g.payload, g.merchant_id, g.at, k.time_zone,
            s.lines, s.payments, s.total_minor, n.channel, m.kind, g.terms_id::text, c.earns_for
        from given g
        join ledger.book k on k.id = g.book_id
        join merchants.sale s on s.id = g.subject_id
        join merchants.branch n on n.id = s.branch_id
        join merchants.member m on m.id = g.member_id
        join merchants.contract c on c.id = s.contract_id
        left join terms t on t.id = g.terms_id
        where not (coalesce(t.plain, false) and not g.payload ?| array['bonuses', 'facts', 'rules']
            and g.payload ->> 'refused' is null and m.kind = any(c.earns_for) and g.own > 0
            and g.money >= t.minimum and g.own = g.money * t.points / t.per)
        """
    )
    # read once: a version may have thousands of rules, and decide as many sales
    in_force = {table: written(scope, table) for table in ("terms", "sponsorship")}
    launched = _variants(scope)
    for (
        subject,
        record,
        own,
        payload,
        merchant,
        at,
        zone,
        lines,
        payments,
        total,
        channel,
        kind,
        terms,
        earns_for,
    ) in rows:
        sale = _sale(payload, merchant, at, zone, lines, payments, total, channel, kind)
        why = _own(in_force["terms"].get(terms), sale, own, payload, earns_for)
        why = why or _bonuses(in_force["sponsorship"], launched, sale, payload)
        if why is not None:
            yield {"sale": subject, "record": record, "points": own, "refused": payload["refused"], "why": why}


@check(
    "offers_passed_over_nobody",
    "whoever an offer was for, and its rules gave something, was given it or told why not",
    over="sale",
)
def offers_passed_over_nobody(scope: Scope) -> Iterator[Row]:
    rows = scope.stream(
        f"""
        with launched as materialized (
            select l.subject_id as id, l.merchant_id, l.sequence, e.sequence as until, l.payload -> 'variants' as variants,
                (l.payload ->> 'begins_at')::timestamptz as begins_at, (l.payload ->> 'ends_at')::timestamptz as ends_at,
                l.payload -> 'giving' ->> 'activation' as activation
            from {RECORDS} l left join {RECORDS} e on e.kind = 'offer_ended' and e.subject_id = l.subject_id
            where l.kind = 'offer_launched' and l.payload ? 'giving'
        ), activated as materialized (
            select subject_id, member_id, min(sequence) as sequence from {RECORDS} r
            where kind = 'offer_activated' group by 1, 2
        )
        select r.subject_id, r.id, o.id, v -> 'rules', r.payload, r.merchant_id, r.at, k.time_zone, s.lines, s.payments,
            s.total_minor, n.channel, p.kind
        from launched o
        join {RECORDS} r on r.kind = 'sale' and r.merchant_id = o.merchant_id and r.sequence > o.sequence
            and (o.until is null or r.sequence < o.until) and r.at >= o.begins_at and (o.ends_at is null or r.at < o.ends_at)
        join merchants.offer_member m on m.offer_id = o.id and m.member_id = r.member_id
        join lateral jsonb_array_elements(o.variants) v on v ->> 'name' = m.arm
        join ledger.book k on k.id = r.book_id
        join merchants.sale s on s.id = r.subject_id
        join merchants.branch n on n.id = s.branch_id
        join merchants.member p on p.id = r.member_id
        left join activated a on a.subject_id = o.id and a.member_id = r.member_id
        where (v ->> 'ends_at' is null or r.at < (v ->> 'ends_at')::timestamptz)
            and (o.activation = 'auto' or a.sequence < r.sequence)
            and coalesce(r.payload ->> 'refused', '') not in ('merchant_suspended', 'branch_frozen')
            and not coalesce(r.payload -> 'bonuses' @> jsonb_build_array(jsonb_build_object('offer', o.id)), false)
        """
    )
    for subject, record, offer, rules, *told in rows:
        points, _ = gives(rules, _sale(*told))
        if points:
            yield {"sale": subject, "record": record, "offer": offer, "points": points}


def _sale(
    payload: Mapping[str, Any],
    merchant: UUID,
    at: datetime,
    zone: str,
    lines: list[dict[str, Any]],
    payments: list[dict[str, Any]],
    total: int,
    channel: str,
    kind: str,
) -> Sale:
    facts = payload.get("facts")
    return Sale(
        lines,
        {payment["type"] for payment in payments},
        payload["money_minor"],
        total,
        ledger.ids.show("merchant", merchant),
        ledger.ids.show("branch", UUID(payload["branch"])),
        channel,
        facts["kind"] if facts is not None else kind,
        ledger.days.local(at, zone),
        facts or {},
    )


def _own(rules: Any, sale: Sale, own: int, payload: Mapping[str, Any], earns_for: list[str]) -> str | None:
    refused = payload["refused"]
    if refused is not None and own != 0:
        return "refused, and earned"
    if refused in _BARRED:
        return None
    if rules is None:
        return "no terms, and none are told of"
    if sale.kind not in earns_for:
        return None if refused == "terms_exclude" else "not earned for this kind of person"
    points, reason = gives(rules, sale)
    if refused in _LIMITED:
        # a velocity limit stops what sponsors give as well, where the shop gives nothing
        return None if points or refused == "velocity_limit" else "limited, and there was nothing to earn"
    if (own, refused) != (points, reason):
        return f"the rules give {points}{'' if reason is None else ', ' + reason}"
    told = payload.get("rules")
    if told is not None and len(told) < 20 and sum(fired["points"] for fired in told) != points:
        return "the rules told of do not come to what was earned"
    return None


def _variants(scope: Scope) -> dict[tuple[str, str], Any]:
    """The rules of each variant of each offer, as its launch tells them."""
    rows = scope.tx.execute(
        f"select r.subject_id::text, v ->> 'name', v -> 'rules' from {RECORDS} r"
        " cross join lateral jsonb_array_elements(r.payload -> 'variants') v where r.kind = 'offer_launched'",
        {"books": scope.books},
    )
    return {(offer, name): rules for offer, name, rules in rows}


def _bonuses(
    sponsored: Mapping[str, Any],
    launched: Mapping[tuple[str, str], Any],
    sale: Sale,
    payload: Mapping[str, Any],
) -> str | None:
    for bonus in payload.get("bonuses", ()):
        if "offer" in bonus:
            whose, rules = "offer", launched.get((bonus["offer"], bonus["variant"]))
        else:
            whose, rules = "sponsor", sponsored.get(bonus["sponsorship"])
        if rules is None:
            return "a bonus by no rules that are known"
        points, _ = gives(rules, sale)
        if not points:
            return "a bonus of rules that give nothing"
        if bonus["refused"] is None and bonus["points"] != points:
            return f"the {whose}'s rules give {points}"
    return None
