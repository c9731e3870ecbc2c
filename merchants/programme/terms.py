"""Rules from JSON: the short form, which terms began with and which is read for ever, and the long one."""

from typing import Any
from uuid import UUID

from merchants.programme import engine, schema, short
from merchants.programme.engine import Programme
from merchants.programme.faults import BadRules, Fault


def faults(json: Any) -> list[Fault]:
    """Everything that is wrong with `json` as rules, in the order of its fields; empty when nothing is.

    Whether there is what they name, a tier or a segment, is asked when they come into force.
    """
    if isinstance(json, dict) and "rules" in json:
        return list(schema.faults(json))
    return list(short.faults(json))


def parse(json: Any) -> Programme:
    """Read rules. Raises BadRules with everything that is wrong."""
    if found := faults(json):
        raise BadRules(found)
    if "rules" in json:
        every = (schema.rules(json), json.get("minimum", 0), json.get("cap_points"))
        return engine.ready(every, {}, names_rules=True)
    parts = {
        kind: (short.rules(part), part.get("minimum_minor", 0), part.get("cap_points"))
        for kind, part in (("", json), *json.get("by_kind", {}).items())
    }
    return engine.ready(parts.pop(""), parts, names_rules=False)


#: Rules as they were read, by the id of their version or their sponsorship, whose rules never change.
_read: dict[UUID, Programme] = {}


def rules_of(id: UUID, json: Any) -> Programme:
    """The rules of a version of terms or of a sponsorship, read once."""
    rules = _read.get(id)
    if rules is None:
        if len(_read) > 10_000:
            _read.clear()
        rules = _read[id] = parse(json)
    return rules
