"""What sales earned, proved from raw rows and the rules as they are written, by another road than the one that decided.

Rules are read here from their JSON one after the other, in exact fractions, for each sale anew: no index, nothing compiled,
nothing of the programme's code.
"""
# ruff: noqa: S608 - the statements are composed of this module's own constants

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any, Final
from uuid import UUID

import ledger
from ledger.audit import Check, Checks, Row, Scope

check = Checks()

CHECKS: Final[list[Check]] = check

_RECORDS: Final = """
(select r.*, b.first_sequence + r.n as sequence
 from ledger.record r join ledger.batch b on b.id = r.batch_id where r.book_id = any(%(books)s))
"""

#: Reasons that are not the rules' own.
_BARRED: Final = ("merchant_suspended", "branch_frozen", "no_terms")
_LIMITED: Final = ("issuing_limit_reached", "velocity_limit")


# -- earning


@dataclass(frozen=True, slots=True)
class _Sale:
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
            from {_RECORDS} r where kind = 'sale' and member_id is not null
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
    in_force = {table: _written(scope, table) for table in ("terms", "sponsorship")}
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
            from {_RECORDS} l left join {_RECORDS} e on e.kind = 'offer_ended' and e.subject_id = l.subject_id
            where l.kind = 'offer_launched' and l.payload ? 'giving'
        ), activated as materialized (
            select subject_id, member_id, min(sequence) as sequence from {_RECORDS} r
            where kind = 'offer_activated' group by 1, 2
        )
        select r.subject_id, r.id, o.id, v -> 'rules', r.payload, r.merchant_id, r.at, k.time_zone, s.lines, s.payments,
            s.total_minor, n.channel, p.kind
        from launched o
        join {_RECORDS} r on r.kind = 'sale' and r.merchant_id = o.merchant_id and r.sequence > o.sequence
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
        points, _ = _gives(rules, _sale(*told))
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
) -> _Sale:
    facts = payload.get("facts")
    return _Sale(
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


def _written(scope: Scope, table: str) -> dict[str, Any]:
    """Rules as they are written, by the id of their terms or sponsorship."""
    query = f"select id::text, rules from merchants.{table} where book_id = any(%s)"
    return dict(scope.tx.execute(query, [scope.books]).fetchall())


def _own(rules: Any, sale: _Sale, own: int, payload: Mapping[str, Any], earns_for: list[str]) -> str | None:
    refused = payload["refused"]
    if refused is not None and own != 0:
        return "refused, and earned"
    if refused in _BARRED:
        return None
    if rules is None:
        return "no terms, and none are told of"
    if sale.kind not in earns_for:
        return None if refused == "terms_exclude" else "not earned for this kind of person"
    points, reason = _gives(rules, sale)
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
        f"select r.subject_id::text, v ->> 'name', v -> 'rules' from {_RECORDS} r"
        " cross join lateral jsonb_array_elements(r.payload -> 'variants') v where r.kind = 'offer_launched'",
        {"books": scope.books},
    )
    return {(offer, name): rules for offer, name, rules in rows}


def _bonuses(
    sponsored: Mapping[str, Any],
    launched: Mapping[tuple[str, str], Any],
    sale: _Sale,
    payload: Mapping[str, Any],
) -> str | None:
    for bonus in payload.get("bonuses", ()):
        if "offer" in bonus:
            whose, rules = "offer", launched.get((bonus["offer"], bonus["variant"]))
        else:
            whose, rules = "sponsor", sponsored.get(bonus["sponsorship"])
        if rules is None:
            return "a bonus by no rules that are known"
        points, _ = _gives(rules, sale)
        if not points:
            return "a bonus of rules that give nothing"
        if bonus["refused"] is None and bonus["points"] != points:
            return f"the {whose}'s rules give {points}"
    return None


def _gives(rules: Any, sale: _Sale) -> tuple[int, str | None]:
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


def _parts(sale: _Sale) -> list[dict[str, Any]]:
    """The lines, and what they leave of the total."""
    rest = sale.total - sum(line["amount"] for line in sale.lines)
    return [*sale.lines, *([{"category": None, "sku": None, "quantity": 0, "amount": rest}] if rest > 0 else [])]


def _by_rates(rates: Any, sale: _Sale) -> Fraction:
    parts = _parts(sale)
    exact = Fraction(0)
    for part in parts:
        rate = rates.get("categories", {}).get(part["category"] or "", rates)
        exact += Fraction(part["amount"] * rate["points"], rate["per_minor"])
    return exact * sale.money / max(1, sum(int(part["amount"]) for part in parts))


def _by_rules(rules: list[Any], sale: _Sale) -> Fraction:
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


def _given(rule: Any, parts: list[Any], sale: _Sale) -> Fraction:
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


def _of_basis(basis: str, parts: list[Any], sale: _Sale) -> Fraction:
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


def _holds(rule: Any, sale: _Sale, named: Mapping[str, Collection[Any]], every: list[Any]) -> list[Any] | None:
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


def _in_time(valid: Any, hours: Any, sale: _Sale) -> bool:
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


def _before(when: Any, past: Any, sale: _Sale) -> bool:
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


# -- the past


@dataclass(slots=True)
class _Bought:
    """What a member bought at one merchant so far: by sale its day, what was paid, what of that was not refunded."""

    sales: dict[UUID, tuple[date, int, int]] = field(default_factory=dict)

    def told(self, today: date, windows: Iterable[int], looked: int) -> dict[str, Any]:
        told: dict[str, Any] = {"visits": {}, "spent": {}, "paid": {}, "first": not self.sales, "days": looked}
        for days in windows:
            within = [s for s in self.sales.values() if s[0] > today - timedelta(days=days)]
            told["visits"][str(days)] = sum(left > 0 for _, _, left in within)
            told["spent"][str(days)] = sum(left for _, _, left in within)
            told["paid"][str(days)] = sum(paid for _, paid, _ in within)
        seen = [day for day, _, left in self.sales.values() if left > 0 and day > today - timedelta(days=looked)]
        told["days_since_last"] = max(0, (today - max(seen)).days) if seen else None
        return told


@check(
    "past_as_it_was",
    "what a sale was decided on of its member's purchases before is what the records before it, refunds among them, tell",
    over="sale",
)
def past_as_it_was(scope: Scope) -> Iterator[Row]:
    rows = scope.stream(
        f"""
        with asked as (
            select distinct member_id, merchant_id from {_RECORDS} r
            where kind = 'sale' and payload -> 'facts' ? 'past'
        )
        select r.member_id, r.merchant_id, r.kind, r.subject_id, r.id, (r.at at time zone k.time_zone)::date,
            coalesce(r.payload ->> 'money_minor', r.payload ->> 'amount_minor')::bigint, r.payload -> 'facts' -> 'past'
        from {_RECORDS} r join asked a on a.member_id = r.member_id and a.merchant_id = r.merchant_id
        join ledger.book k on k.id = r.book_id
        where r.kind in ('sale', 'refund') order by r.member_id, r.merchant_id, r.sequence
        """
    )
    of: dict[tuple[UUID, UUID], _Bought] = defaultdict(_Bought)
    for member, merchant, kind, sale, record, today, amount, told in rows:
        bought = of[member, merchant]
        if len(of) > 1:
            # one member's purchases at one merchant lie together
            of.clear()
            of[member, merchant] = bought
        if kind == "refund":
            if (before := bought.sales.get(sale)) is not None:
                bought.sales[sale] = (before[0], before[1], before[2] - amount)
            continue
        if told is not None:
            derived = bought.told(today, [int(days) for days in told["visits"]], told["days"])
            if told["first"] is None:
                # no rule asked: one that does would find no answer
                derived["first"] = None
            if derived != told:
                yield {"sale": sale, "record": record, "told": told, "derived": derived}
        if amount:
            bought.sales[sale] = (today, amount, amount)


# -- who the member was


@check(
    "tier_as_told",
    "the tier that a sale was decided on is what was told of its member until then, or until two minutes before: on the shop's"
    " own ladder if it had one, else on the network's",
    over="sale",
)
def tier_as_told(scope: Scope) -> Iterable[Row]:
    # a change of tier takes no lock of the wallet, so that a sale posted at the same moment may have seen the one before
    return scope.rows(
        f"""
        with own as (
            select merchant_id, min(sequence) as begins from {_RECORDS} r
            where kind = 'ladder' and merchant_id is not null group by 1
        ), changed as (
            select r.book_id, r.member_id, coalesce(r.merchant_id, k.public_id) as owner_id, r.sequence, r.at,
                r.payload ->> 'tier' as tier
            from {_RECORDS} r join ledger.book k on k.id = r.book_id where r.kind = 'tier_changed'
        ), told as (
            select book_id, member_id, owner_id, tier, sequence, lead(sequence) over following as over_sequence,
                lead(at) over following as over_at
            from changed window following as (partition by book_id, member_id, owner_id order by sequence)
            union all
            -- and none before the first
            (select distinct on (book_id, member_id, owner_id) book_id, member_id, owner_id, null, 0, sequence, at
            from changed order by book_id, member_id, owner_id, sequence)
        ), sold as (
            select r.id, r.subject_id, r.book_id, r.member_id, r.sequence, r.at, r.payload -> 'facts' ->> 'tier' as tier,
                case when o.begins < r.sequence then r.merchant_id else k.public_id end as owner_id
            from {_RECORDS} r join ledger.book k on k.id = r.book_id left join own o on o.merchant_id = r.merchant_id
            where r.kind = 'sale' and r.payload -> 'facts' ? 'tier'
        )
        select s.subject_id as sale, s.id as record, s.tier
        from sold s
        where not exists (
            select from told t where t.book_id = s.book_id and t.member_id = s.member_id and t.owner_id = s.owner_id
                and t.sequence < s.sequence and t.tier is not distinct from s.tier
                and (t.over_sequence is null or t.over_sequence > s.sequence or t.over_at >= s.at - interval '2 minutes'))
            and (s.tier is not null or exists (
                select from told t where t.book_id = s.book_id and t.member_id = s.member_id and t.owner_id = s.owner_id))
        """
    )


@dataclass(frozen=True, slots=True)
class _Asks:
    """What rules as they are written ask of a member: by the name of the fact, the names that they have for it."""

    tier: frozenset[str]
    segments: frozenset[str]
    occasions: frozenset[str]

    @classmethod
    def of(cls, rules: Any) -> "_Asks":
        whens = [rule.get("when", {}) for rule in rules.get("rules", ())]
        named = {
            of: frozenset(name for when in whens for name in when.get(of, ())) for of in ("tier", "segment", "occasion")
        }
        return cls(named["tier"], named["segment"], named["occasion"])

    def of_fact(self, fact: str) -> frozenset[str]:
        return {"tier": self.tier, "segments": self.segments, "occasions": self.occasions}[fact]


_ASKED: Final = ("tier", "segments", "occasions")


@check(
    "facts_asked",
    "a sale keeps of its member the tier, the segments and the occasions that rules in force there asked for, and no others",
    over="sale",
)
def facts_asked(scope: Scope) -> Iterator[Row]:
    terms = {id: _Asks.of(rules) for id, rules in _written(scope, "terms").items()}
    asking = [id for id, asks in terms.items() if any(map(asks.of_fact, _ASKED))]
    sponsored = [
        (
            book,
            sponsor,
            shops,
            begins,
            min((at for at in (ends, ended) if at is not None), default=None),
            _Asks.of(rules),
        )
        for book, sponsor, shops, begins, ends, ended, rules in scope.tx.execute(
            "select book_id, merchant_id, shops, greatest(begins_at, opened_at), ends_at, ended_at, rules"
            " from merchants.sponsorship where book_id = any(%s)",
            [scope.books],
        )
    ]
    offered = [
        (shop, begins, min((at for at in (ends, ended) if at is not None), default=None), _Asks.of(rules))
        for shop, begins, ends, ended, rules in scope.tx.execute(
            "select o.merchant_id, greatest(o.begins_at, o.launched_at), o.ends_at, o.ended_at, v -> 'rules'"
            " from merchants.offer o, jsonb_array_elements(o.variants) v"
            " where o.book_id = any(%s) and o.state <> 'draft' and o.giving is not null",
            [scope.books],
        )
    ]
    rows = scope.stream(
        f"""
        select r.book_id, r.subject_id, r.id, r.merchant_id, r.at, r.payload ->> 'terms', coalesce(r.payload -> 'facts', '{{}}')
        from {_RECORDS} r where r.kind = 'sale' and r.member_id is not null
            and (r.payload -> 'facts' ?| %(asked)s or r.payload ->> 'terms' = any(%(asking)s))
        """,
        asked=list(_ASKED),
        asking=asking,
    )
    for book, sale, record, shop, at, of_terms, told in rows:
        # whatever may have been asked there: the shop's rules, sponsors', and those of its offers
        own = terms.get(of_terms)
        there = [own] if own is not None else []
        there += [
            asks
            for of_book, sponsor, shops, begins, ends, asks in sponsored
            if of_book == book
            and sponsor != shop
            and (shops is None or shop in shops)
            and begins <= at
            and (ends is None or at <= ends)
        ]
        there += [
            asks
            for of_shop, begins, ends, asks in offered
            if of_shop == shop and begins <= at and (ends is None or at <= ends)
        ]
        for fact in _ASKED:
            asked = {name for asks in there for name in asks.of_fact(fact)}
            if fact in told and not asked:
                yield {"sale": sale, "record": record, "told": told, "why": f"nobody asked for {fact}"}
            elif fact != "tier" and not asked.issuperset(told.get(fact, ())):
                yield {"sale": sale, "record": record, "told": told, "why": f"nobody asked for these {fact}"}
            elif fact not in told and own is not None and own.of_fact(fact):
                yield {"sale": sale, "record": record, "told": told, "why": f"the shop's rules asked for {fact}"}


@check(
    "segments_in_force",
    "rules in force ask for versions of segments of their merchant's own or the network's, and the members of those are kept",
    over="segment_version",
)
def segments_in_force(scope: Scope) -> Iterator[Row]:
    kept = {
        (ledger.ids.show("segment", id), version): merchant
        for id, version, merchant in scope.tx.execute(
            "select k.segment_id, k.version, s.merchant_id from merchants.segment_kept k"
            " join merchants.segment s on s.id = k.segment_id and s.book_id = k.book_id where k.book_id = any(%s)",
            [scope.books],
        )
    }
    rows = scope.stream(
        """
        select id, merchant_id, rules from merchants.terms
            where book_id = any(%(books)s) and rules::text like '%%"segment"%%'
        union all select id, merchant_id, rules from merchants.sponsorship
            where book_id = any(%(books)s) and rules::text like '%%"segment"%%'
        union all select o.id, o.merchant_id, v -> 'rules' from merchants.offer o, jsonb_array_elements(o.variants) v
            where o.book_id = any(%(books)s) and o.state <> 'draft' and o.variants::text like '%%"segment"%%'
        """
    )
    for id, merchant, rules in rows:
        for name in sorted(_Asks.of(rules).segments):
            segment, _, version = name.partition("@")
            owner = kept.get((segment, int(version or 0)), id)
            if owner not in (merchant, None):
                yield {"rules": id, "merchant": merchant, "segment": name}


@check(
    "occasions_remembered",
    "of every anniversary that a member tells, and of no other, it is known from when it counts; of one that was taken back"
    " no day is kept",
    over="occasion_memory",
)
def occasions_remembered(scope: Scope) -> Iterable[Row]:
    return scope.rows(
        """
        select coalesce(o.member_id, m.member_id) as member, coalesce(o.kind, m.kind) as kind
        from (select * from merchants.occasion where book_id = any(%(books)s) and kind <> 'own') o
        full join (select * from merchants.occasion_memory where book_id = any(%(books)s)) m
            on m.member_id = o.member_id and m.kind = o.kind
        where m.member_id is null or (o.member_id is null) <> (m.removed_at is not null) or o.book_id <> m.book_id
        """
    )
