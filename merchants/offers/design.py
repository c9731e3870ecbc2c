"""What an offer is: to whom, what, when, and how it will be measured. Changed freely before the launch, never after. Pure."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import ledger
from ledger.errors import Invalid
from merchants.offers import giving
from merchants.offers.assigning import HOLDOUT, PARTS, Arm
from merchants.offers.giving import Giving

#: What is compared between the arms: money paid at the shop, visits, and what the shop earns by the money.
METRICS: Final = ("spend", "visits", "margin")
AUDIENCES: Final = ("all", "shop", "list", "segment", "tier")
SMALLEST_HOLDOUT_PPM: Final = 10_000
LARGEST_HOLDOUT_PPM: Final = 900_000
LARGEST_VARIANTS: Final = 4
LARGEST_WINDOWS: Final = 12
LONGEST_WINDOW_DAYS: Final = 366
#: Members that one launch takes: it holds the book's lock while it writes them.
LARGEST_AUDIENCE: Final = 50_000
LARGEST_LIST: Final = 5_000
LARGEST_CATEGORIES: Final = 500
LARGEST_TIERS: Final = 20
#: Offers of a merchant that run at a time, and drafts that it keeps.
LARGEST_RUNNING: Final = 50
LARGEST_DRAFTS: Final = 100
#: Launches of a merchant in a day: while one writes its audience the book stands still.
LARGEST_DAY: Final = 20

_VARIANT: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")

#: What is wrong with rules: (pointer, code, detail) each. Their reader lives in another room and is handed in.
Faults = Callable[[Any], Sequence[tuple[str, str, str]]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of making the offer. Its rules are read by the programme and are only data here; `ends_at` is this
    variant's deadline, None: it has none."""

    name: str
    ppm: int
    rules: Mapping[str, Any]
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Margin:
    """What of a purchase is the shop's own, as the shop says: in parts per million of the price, by category where named."""

    ppm: int
    by_category: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an audience goes by: a segment of the shop's, in the version of the launch (None before it), or tiers."""

    segment: UUID | None = None
    version: int | None = None
    tiers: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        if self.segment is None:
            return {"tiers": list(self.tiers)}
        return {"segment": self.segment, "version": self.version}


@dataclass(frozen=True, slots=True)
class Design:
    """`members` of a list, `chosen` of a segment or tiers. `begins_at` None: at the launch. `ends_at` None: until it is ended. `windows_days` count from
    the beginning; the last is the one that decides. `pre_days` before the beginning are compared with, to measure
    closer; 0: they are not. `giving` None: it gives no points, whatever its rules say, and is measured only."""

    name: str
    audience: str
    holdout_ppm: int
    variants: tuple[Variant, ...]
    members: tuple[UUID, ...] = ()
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    windows_days: tuple[int, ...] = (7, 14, 28)
    pre_days: int = 28
    margin: Margin | None = None
    giving: Giving | None = None
    chosen: Chosen | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (Arm(HOLDOUT, self.holdout_ppm), *(Arm(v.name, v.ppm) for v in self.variants))

    @property
    def metrics(self) -> tuple[str, ...]:
        return METRICS if self.margin is not None else METRICS[:2]


def fault(design: Design, faults: Faults) -> Invalid | None:
    """The first thing wrong with a design, in the order of its fields."""
    if design.audience not in AUDIENCES:
        return Invalid("/audience/kind", f"must be one of {', '.join(AUDIENCES)}")
    if wrong := _members_fault(design):
        return wrong
    if not SMALLEST_HOLDOUT_PPM <= design.holdout_ppm <= LARGEST_HOLDOUT_PPM:
        return Invalid("/holdout_ppm", f"must be {SMALLEST_HOLDOUT_PPM} to {LARGEST_HOLDOUT_PPM}")
    if wrong := _variants_fault(design, faults):
        return wrong
    if design.begins_at is not None and design.ends_at is not None and design.ends_at <= design.begins_at:
        return Invalid("/ends_at", "must be later than its beginning")
    days = design.windows_days
    if not 1 <= len(days) <= LARGEST_WINDOWS or not days[0] >= 1 or days[-1] > LONGEST_WINDOW_DAYS:
        return Invalid("/windows_days", f"must be 1 to {LARGEST_WINDOWS} windows of 1 to {LONGEST_WINDOW_DAYS} days")
    if any(one >= other for one, other in pairwise(days)):
        return Invalid("/windows_days", "must grow")
    if not 0 <= design.pre_days <= LONGEST_WINDOW_DAYS:
        return Invalid("/pre_days", f"must be 0 to {LONGEST_WINDOW_DAYS}")
    if design.margin is not None:
        rates = {"/margin/ppm": design.margin.ppm}
        rates |= {f"/margin/by_category/{name}": ppm for name, ppm in design.margin.by_category.items()}
        if len(rates) > 1 + LARGEST_CATEGORIES:
            return Invalid("/margin/by_category", f"must be {LARGEST_CATEGORIES} at most")
        for at, ppm in rates.items():
            if not 0 <= ppm <= PARTS:
                return Invalid(at, f"must be 0 to {PARTS}")
    return None if design.giving is None else giving.fault(design.giving)


def _members_fault(design: Design) -> Invalid | None:
    if (design.audience == "list") != bool(design.members):
        return Invalid("/audience/members", "a list has members, and nothing else has")
    chosen = design.chosen or Chosen()
    if (design.audience == "segment") != (chosen.segment is not None):
        return Invalid("/audience/segment", "an audience by segment names it, and nothing else does")
    if (design.audience == "tier") != bool(chosen.tiers):
        return Invalid("/audience/tiers", "an audience by tier names them, and nothing else does")
    if len(set(chosen.tiers)) < len(chosen.tiers) or len(chosen.tiers) > LARGEST_TIERS:
        return Invalid("/audience/tiers", f"must be {LARGEST_TIERS} at most, each once")
    if len(design.members) > LARGEST_LIST:
        return Invalid("/audience/members", f"must be {LARGEST_LIST} at most")
    if len(set(design.members)) < len(design.members):
        return Invalid("/audience/members", "a member is named twice")
    return None


def _variants_fault(design: Design, faults: Faults) -> Invalid | None:
    if not 1 <= len(design.variants) <= LARGEST_VARIANTS:
        return Invalid("/variants", f"must be 1 to {LARGEST_VARIANTS}")
    seen = {HOLDOUT}
    for i, variant in enumerate(design.variants):
        if not _VARIANT.fullmatch(variant.name):
            return Invalid(f"/variants/{i}/name", "must be small letters, digits and underscores, 32 at most")
        if variant.name in seen:
            return Invalid(f"/variants/{i}/name", "is there already")
        seen.add(variant.name)
        if variant.ppm < 1:
            return Invalid(f"/variants/{i}/share_ppm", "must be at least 1")
        if found := faults(variant.rules):
            pointer, _, detail = found[0]
            return Invalid(f"/variants/{i}/rules{pointer}", detail)
    if (total := sum(arm.ppm for arm in design.arms)) != PARTS:
        return Invalid("/variants", f"hold-out and variants must come to {PARTS}, and come to {total}")
    return None


def late(design: Design, now: datetime) -> Invalid | None:
    """Why a design can no longer be launched as it is."""
    begins = max(now, design.begins_at or now)
    if design.ends_at is not None and design.ends_at <= begins:
        return Invalid("/ends_at", "must be later than its beginning, and than now")
    for i, variant in enumerate(design.variants):
        if variant.ends_at is not None and variant.ends_at <= begins:
            return Invalid(f"/variants/{i}/ends_at", "must be later than its beginning, and than now")
    return None


def told(design: Design) -> dict[str, Any]:
    """A design as its record tells it: all but its name, which is the shop's own word, and the list, which its hash stands
    for."""
    return {
        "audience": design.audience,
        "holdout_ppm": design.holdout_ppm,
        "variants": [
            {"name": v.name, "ppm": v.ppm, "rules": dict(v.rules), "ends_at": v.ends_at} for v in design.variants
        ],
        "windows_days": list(design.windows_days),
        "pre_days": design.pre_days,
        "margin": None
        if design.margin is None
        else {"ppm": design.margin.ppm, "by_category": dict(design.margin.by_category)},
        **({} if design.chosen is None else {"chosen": design.chosen.told}),
        **({} if design.giving is None else {"giving": giving.told(design.giving)}),
    }


def agreed(design: Design) -> bytes:
    """What a funder agrees to: SHA-256 of the whole draft as it stands. It fits no other, so that a change asks anew."""
    if design.chosen is not None:
        # of a segment its funder agrees to the version of the launch
        design = replace(design, chosen=replace(design.chosen, version=None))
    whole = {**told(design), "members": design.members, "begins_at": design.begins_at, "ends_at": design.ends_at}
    return hashlib.sha256(ledger.canonical(whole)).digest()
