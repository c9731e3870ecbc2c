"""What a sale earns: a merchant's terms, as rates or as rules."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.api.shapes.values import Amount, Answer, Body, Category, PersonKind, PointsAsked, Sum, Time
from ledger import LARGEST_AMOUNT


class Rate(Body, frozen=True, kw_only=True):
    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]


class Rates(Body, frozen=True, kw_only=True):
    """`points` for every `per` minor units of the money part, by category where one is named; one floor per basket."""

    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)]
    categories: dict[Category, Rate] = {}
    minimum: Amount = 0
    cap_points: PointsAsked | None = None


# -- the long form: as it is written here it is kept

RuleId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$(?!\n)")]
Names = Annotated[list[Category], Meta(min_length=1, max_length=500)]
WindowDays = Annotated[int, Meta(ge=1, le=366)]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]


class Multiplier(Body, frozen=True, kw_only=True):
    """What the rates give becomes so many percent of it."""

    percent: Annotated[int, Meta(ge=101, le=10_000)]


class Effect(Body, frozen=True, kw_only=True, omit_defaults=True):
    """One of them."""

    rate: Rate | None = None
    points: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    multiplier: Multiplier | None = None


class Hours(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Days of the week, and hours of the day from `from` to before `until`, where the network is."""

    weekdays: (
        Annotated[
            list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]],
            Meta(min_length=1, max_length=7),
        ]
        | None
    ) = None
    from_: Clock | None = field(name="from", default=None)
    until: Clock | None = None


class Bounds(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Minor units paid in money; both included."""

    at_least: Amount | None = None
    at_most: Amount | None = None


class Visits(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Of the member's visits here in so many days, this one included."""

    days: WindowDays
    at_least: Amount | None = None
    at_most: Amount | None = None
    every: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)] | None = None


class Spent(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Of what the member spent here in so many days, this sale included; `reaches` holds for the sale that reaches it."""

    days: WindowDays
    at_least: Amount | None = None
    at_most: Amount | None = None
    reaches: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)] | None = None


class LastPurchase(Body, frozen=True, kw_only=True):
    within_days: Annotated[int, Meta(ge=0, le=366)]


class When(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions, all of which must hold. A segment is one of the merchant's own or the network's, by its id; in force it is
    one version of it, `seg_...@3`."""

    merchant: Names | None = None
    branch: Names | None = None
    channel: Annotated[list[Literal["physical", "online"]], Meta(min_length=1, max_length=2)] | None = None
    kind: Annotated[list[PersonKind], Meta(min_length=1, max_length=2)] | None = None
    tier: Names | None = None
    segment: Names | None = None
    occasion: (
        Annotated[
            list[
                Literal[
                    "birthday",
                    "birthday_week",
                    "wedding_anniversary",
                    "wedding_anniversary_week",
                    "company_anniversary",
                    "company_anniversary_week",
                ]
            ],
            Meta(min_length=1, max_length=6),
        ]
        | None
    ) = None
    payment: (
        Annotated[
            list[Literal["cash", "card", "transfer", "credit", "voucher", "points", "other"]],
            Meta(min_length=1, max_length=7),
        ]
        | None
    ) = None
    time: Hours | None = None
    basket: Bounds | None = None
    product: Names | None = None
    category: Names | None = None
    not_category: Names | None = None
    amount: Bounds | None = None
    first_purchase: bool | None = None
    last_purchase: LastPurchase | None = None
    visits: Visits | None = None
    spent: Spent | None = None


class Valid(Body, frozen=True, kw_only=True, omit_defaults=True):
    from_: Time | None = field(name="from", default=None)
    until: Time | None = None


class BestOf(Body, frozen=True, kw_only=True):
    """Of the rules of this group that hold, the one that gives most counts."""

    best_of: RuleId


class Rule(Body, frozen=True, kw_only=True, omit_defaults=True):
    """`basis` of a rate: money, net (of discounts), margin, visits, units, or measure: and the name of a measure."""

    id: RuleId
    effect: Effect
    name: Category | None = None
    basis: Annotated[
        str, Meta(max_length=64, pattern=r"^(money|net|margin|visits|units|measure:[a-z][a-z0-9_]{0,31})$(?!\n)")
    ] = "money"
    when: When | None = None
    cap_points: Amount | None = None
    valid: Valid | None = None
    priority: Annotated[int, Meta(ge=-1_000, le=1_000)] = 0
    stacking: Literal["stack", "exclusive"] | BestOf = "stack"


class TermsIn(Body, frozen=True, kw_only=True):
    """Rates for everybody, `points` for every `per`, where those of a kind of person take their place for that kind, whole;
    or `rules`, with `minimum` and `cap_points` beside them."""

    points: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    per: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)] | None = None
    categories: dict[Category, Rate] = {}
    minimum: Amount = 0
    cap_points: PointsAsked | None = None
    by_kind: dict[PersonKind, Rates] = {}
    rules: Annotated[list[Rule], Meta(min_length=1, max_length=2_000)] | None = None


class TermsOut(Answer, frozen=True, kw_only=True):
    """`points`, `per`, `categories` and `by_kind` are of rates; `rules` are null then."""

    id: str
    merchant: str
    version: int
    points: int | None
    per: int | None
    categories: dict[str, Rate]
    minimum: int
    cap_points: int | None
    by_kind: dict[PersonKind, Rates]
    rules: list[Rule] | None
    in_force_at: datetime


class TermsPreviewIn(Body, frozen=True, kw_only=True):
    """Terms as they would be put in force, and the days of sales to try them on: today and those before."""

    rules: TermsIn
    days: Annotated[int, Meta(ge=1, le=92)] = 30


class RuleGave(Answer, frozen=True, kw_only=True):
    """What a rule gave in all, and at how many sales."""

    rule: str
    points: int
    sales: int


class TermsSide(Answer, frozen=True, kw_only=True):
    """What the sales earned under one set of rules; `cost` is the points at their unit value in force now."""

    sales_earning: int
    points: int
    cost: Sum
    # rounded down; money is what was paid in it and not refunded
    points_per_million_minor: int
    # the ten that gave most
    rules: list[RuleGave]


class TermsChange(Answer, frozen=True, kw_only=True):
    """`median_points`: of all sales, of an even number the lower of the middle two. The largest ones are without a sign."""

    sales_gaining: int
    sales_losing: int
    median_points: int
    largest_gain_points: int
    largest_loss_points: int


class NotKnown(Answer, frozen=True, kw_only=True):
    """A condition that nobody can decide any more of so many sales, and that did not hold there."""

    condition: str
    sales: int


class StoppedSales(Answer, frozen=True, kw_only=True):
    """Sales that a brake or a limit let earn nothing; here they earn nothing before and after."""

    reason: str
    sales: int


class TermsPreviewOut(Answer, frozen=True, kw_only=True):
    """The shop's own points only: what sponsors gave is not among them."""

    merchant: str
    days: int
    since: datetime
    as_of: datetime
    sales: int
    # there were more sales than are looked at: these are the newest
    cut: bool
    money: Sum
    before: TermsSide
    after: TermsSide
    change: TermsChange
    not_known: list[NotKnown]
    stopped: list[StoppedSales]


class RulePolicyIn(Body, frozen=True, kw_only=True):
    """What the network forbids its merchants' rules: to depend on who a person is, to give back more than so many millionths
    of a price, to be valid from before they are in force."""

    equal_persons: bool = False
    largest_share_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    not_before: bool = False


class RulePolicyOut(Answer, frozen=True, kw_only=True):
    """`version` 0: nothing was ever forbidden."""

    version: int
    equal_persons: bool
    largest_share_ppm: int | None
    not_before: bool
