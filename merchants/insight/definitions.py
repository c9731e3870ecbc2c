"""What a segment is: conditions over a member's own behaviour, read from JSON with every fault named. Pure.

    {"all": [{"measure": "recency_days", "at_most": 30},
             {"any": [{"measure": "purchases", "within_days": 90, "at_least": 3},
                      {"measure": "category_share_ppm", "category": "COFFEE", "at_least": 500000}]},
             {"not": {"measure": "kind", "is": "legal"}}]}

reads: bought in the last thirty days, and either three times in ninety days or half of the money for coffee, and no company.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from ledger import LARGEST_AMOUNT

KINDS: Final = ("natural", "legal")
LARGEST_CONDITIONS: Final = 40
LARGEST_DEPTH: Final = 6
LONGEST_DAYS: Final = 3_660
LONGEST_CATEGORY: Final = 64
LARGEST_SCORE: Final = 5

#: Whether a qualifier of a measure has to be there, may be, or (left out of the table) may not.
_MUST, _MAY = True, False


class Measure(NamedTuple):
    """What a condition may say of one measure. `of` is whole numbers, dates, or one of KINDS."""

    of: str
    within_days: bool | None = None
    category: bool | None = None


MEASURES: Final[Mapping[str, Measure]] = {
    "recency_days": Measure("number", category=_MAY),
    "purchases": Measure("number", within_days=_MAY, category=_MAY),
    "visits": Measure("number", within_days=_MAY, category=_MAY),
    "spend_minor": Measure("number", within_days=_MAY, category=_MAY),
    "average_basket_minor": Measure("number", within_days=_MAY),
    "categories": Measure("number", within_days=_MAY),
    "category_share_ppm": Measure("number", within_days=_MAY, category=_MUST),
    "first_purchase": Measure("date"),
    "last_purchase": Measure("date"),
    "joined": Measure("date"),
    "kind": Measure("kind"),
    "recency_score": Measure("number", within_days=_MUST),
    "frequency_score": Measure("number", within_days=_MUST),
    "spend_score": Measure("number", within_days=_MUST),
}
SCORES: Final = ("recency_score", "frequency_score", "spend_score")

_BOUNDS: Final = {"number": ("at_least", "at_most"), "date": ("from", "until"), "kind": ("is",)}
_GROUPS: Final = ("all", "any", "not")


class Figure(NamedTuple):
    """One number (date, kind) of a member that conditions look at."""

    measure: str
    within_days: int | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A figure and between what it lies, ends included. Of a kind both bounds are the one asked for."""

    figure: Figure
    low: Any
    high: Any
    #: where it stands in the definition
    pointer: str = dataclasses.field(compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    how: str
    parts: "tuple[Node, ...]"


Node = Condition | Group


class Fault(NamedTuple):
    """What is wrong with a definition, and where: a JSON pointer into it, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class BadDefinition(ValueError):
    """The definition cannot be read; `faults` says all that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = faults


def read(definition: object) -> Node:
    """The definition as conditions and groups of them. Raises BadDefinition."""
    faults: list[Fault] = []
    node = _node(definition, "", 1, faults)
    if node is not None and (count := len(list(conditions(node)))) > LARGEST_CONDITIONS:
        faults.append(Fault("", "too_many", f"{count} conditions, at most {LARGEST_CONDITIONS}"))
    if faults or node is None:
        raise BadDefinition(faults)
    return node


def faults(definition: object) -> list[Fault]:
    """All that is wrong with a definition, in the order in which it stands."""
    try:
        read(definition)
    except BadDefinition as bad:
        return bad.faults
    return []


def conditions(node: Node) -> Iterator[Condition]:
    """Every condition, in the order in which they stand."""
    if isinstance(node, Condition):
        yield node
        return
    for part in node.parts:
        yield from conditions(part)


def figures(node: Node) -> list[Figure]:
    """The figures that have to be known, each once."""
    return list(dict.fromkeys(condition.figure for condition in conditions(node)))


def met(condition: Condition, value: Any) -> bool:
    """Whether a figure satisfies a condition. One that is not there (None) satisfies none."""
    if value is None:
        return False
    low, high = condition.low, condition.high
    return bool((low is None or value >= low) and (high is None or value <= high))


def holds(node: Node, found: Mapping[Figure, Any]) -> bool:
    """Whether a member with these figures is in."""
    if isinstance(node, Condition):
        return met(node, found[node.figure])
    inside = (holds(part, found) for part in node.parts)
    if node.how == "not":
        return not next(inside)
    return all(inside) if node.how == "all" else any(inside)


# -- reading


def _node(told: object, at: str, depth: int, faults: list[Fault]) -> Node | None:
    if not isinstance(told, Mapping):
        faults.append(Fault(at, "invalid", "must be an object"))
        return None
    heads = [key for key in _GROUPS if key in told]
    if "measure" in told:
        return _condition(told, at, faults)
    if len(told) != 1 or not heads:
        faults.append(Fault(at, "invalid", "must be a condition with a measure, or one of all, any and not"))
        return None
    if depth > LARGEST_DEPTH:
        faults.append(Fault(at, "too_deep", f"groups within groups, at most {LARGEST_DEPTH} deep"))
        return None
    how = heads[0]
    return _group(how, told[how], f"{at}/{how}", depth, faults)


def _group(how: str, told: object, at: str, depth: int, faults: list[Fault]) -> Group | None:
    if how == "not":
        part = _node(told, at, depth + 1, faults)
        return None if part is None else Group(how, (part,))
    if not isinstance(told, list) or not told:
        faults.append(Fault(at, "invalid", "must be a list of at least one condition"))
        return None
    if len(told) > LARGEST_CONDITIONS:
        faults.append(Fault(at, "too_many", f"at most {LARGEST_CONDITIONS} conditions"))
        return None
    read = [_node(part, f"{at}/{i}", depth + 1, faults) for i, part in enumerate(told)]
    parts = tuple(part for part in read if part is not None)
    return Group(how, parts) if len(parts) == len(read) else None


def _condition(told: Mapping[str, Any], at: str, faults: list[Fault]) -> Condition | None:
    name = told["measure"]
    if not isinstance(name, str) or name not in MEASURES:
        faults.append(Fault(f"{at}/measure", "invalid", f"must be one of {', '.join(MEASURES)}"))
        return None
    measure, before = MEASURES[name], len(faults)
    bounds = _BOUNDS[measure.of]
    qualifiers = [q for q in ("within_days", "category") if getattr(measure, q) is not None]
    for key in told:
        if key not in ("measure", *qualifiers, *bounds):
            faults.append(Fault(f"{at}/{_escaped(key)}", "unknown_field", f"{name} has no such field"))
    for qualifier in qualifiers:
        if getattr(measure, qualifier) is _MUST and told.get(qualifier) is None:
            faults.append(Fault(f"{at}/{qualifier}", "missing", f"{name} needs it"))
    within, category = told.get("within_days"), told.get("category")
    if "within_days" in qualifiers and within is not None and not _whole(within, 1, LONGEST_DAYS):
        faults.append(Fault(f"{at}/within_days", "invalid", f"must be a whole number from 1 to {LONGEST_DAYS}"))
    if "category" in qualifiers and category is not None and not _category(category):
        faults.append(Fault(f"{at}/category", "invalid", f"must be a text of 1 to {LONGEST_CATEGORY} characters"))
    ends = {bound: _bound(name, measure, told.get(bound), f"{at}/{bound}", faults) for bound in bounds}
    if all(told.get(bound) is None for bound in bounds):
        faults.append(Fault(at, "missing", f"must say {' or '.join(bounds)}"))
    low, high = ends[bounds[0]], ends[bounds[-1]]
    if low is not None and high is not None and low > high:
        faults.append(Fault(f"{at}/{bounds[-1]}", "invalid", f"must not be below {bounds[0]}"))
    return Condition(Figure(name, within, category), low, high, at) if len(faults) == before else None


def _bound(name: str, measure: Measure, told: object, at: str, faults: list[Fault]) -> Any:
    if told is None:
        return None
    if measure.of == "kind":
        if told in KINDS:
            return told
        faults.append(Fault(at, "invalid", f"must be one of {', '.join(KINDS)}"))
    elif measure.of == "date":
        if isinstance(told, str) and (day := _date(told)) is not None:
            return day
        faults.append(Fault(at, "invalid", "must be a day such as 2026-03-21"))
    else:
        least, most = (1, LARGEST_SCORE) if name in SCORES else (0, LARGEST_AMOUNT * 1_000)
        if _whole(told, least, most):
            return told
        faults.append(Fault(at, "invalid", f"must be a whole number from {least} to {most}"))
    return None


def _whole(told: object, least: int, most: int) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and least <= told <= most


def _category(told: object) -> bool:
    return isinstance(told, str) and 1 <= len(told) <= LONGEST_CATEGORY and min(told) >= " " and "\x7f" not in told


def _date(told: str) -> date | None:
    if len(told) != 10 or not told.isascii():
        return None
    try:
        return date.fromisoformat(told)
    except ValueError:
        return None


def _escaped(key: str) -> str:
    """A name as a part of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")
