"""What rules name that has to be there: tiers and segments; and rules with the versions of segments written in. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from ledger import ids


class Named(NamedTuple):
    """`version` of a segment None: whichever is the latest. `at`: a JSON pointer to the name."""

    at: str
    what: str
    name: str
    segment: UUID | None = None
    version: int | None = None


def named(json: Mapping[str, Any]) -> list[Named]:
    """Every tier and segment that rules without faults name, in their order. The short form names none."""
    return list(_named(json))


def _named(json: Mapping[str, Any]) -> Iterator[Named]:
    for i, rule in enumerate(json.get("rules", ())):
        when = rule.get("when", {})
        for n, tier in enumerate(when.get("tier", ())):
            yield Named(f"/rules/{i}/when/tier/{n}", "tier", tier)
        for n, name in enumerate(when.get("segment", ())):
            id, _, version = name.partition("@")
            segment = ids.read("segment", id)
            yield Named(f"/rules/{i}/when/segment/{n}", "segment", name, segment, int(version) if version else None)


def with_versions(json: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
    """The rules with segments by the names in `versions`; nothing else is changed."""
    rules = []
    for rule in json["rules"]:
        when = rule.get("when", {})
        if "segment" in when:
            pinned = list(dict.fromkeys(versions[name] for name in when["segment"]))
            rule = {**rule, "when": {**when, "segment": pinned}}
        rules.append(rule)
    return {**json, "rules": rules}
