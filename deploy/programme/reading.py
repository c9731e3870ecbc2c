"""New rules from a file: YAML or JSON, whole numbers only, nothing that is said twice, nothing that refers to itself.

"*": {points: 1, per: 20000}
cafe:
  rules:
    - id: base
      effect: {rate: {points: 1, per: 10000}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from deploy.errors import Refusal
from merchants import programme

LARGEST_FILE: Final = 1024 * 1024
#: Everybody who is not named.
ALL: Final = "*"


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Terms by merchant, in the programme's own words and without faults."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST_FILE:
        raise Refusal(f"{path} is larger than {LARGEST_FILE:,} bytes")
    try:
        text = raw.decode()
        found = _json(text) if path.suffix.lower() == ".json" else _yaml(text)
    except RecursionError:
        raise Refusal(f"{path} cannot be read: it is too deep") from None
    except (ValueError, yaml.YAMLError) as error:
        raise Refusal(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not found:
        raise Refusal(f"{path} must map merchants (an id, a name, or {ALL} for all others) to terms")
    return {str(name): _terms(str(name), terms) for name, terms in found.items()}


def _terms(name: str, terms: Any) -> dict[str, Any]:
    rules = _in_words(terms) if isinstance(terms, dict) and "rules" not in terms else terms
    if faults := programme.faults(rules):
        first = faults[0]
        raise Refusal(f"{name}: {first.pointer.replace('_minor', '') or '/'} {first.detail} ({first.code})")
    return dict(rules)


def _in_words(rates: Mapping[str, Any]) -> dict[str, Any]:
    """The short form as the API takes it (`per`, `minimum`), in the words of the programme."""
    renamed = {"per": "per_minor", "minimum": "minimum_minor"}
    told = {renamed.get(name, name): value for name, value in rates.items()}
    for name in ("categories", "by_kind"):
        if isinstance(parts := told.get(name), dict):
            told[name] = {key: _in_words(part) if isinstance(part, dict) else part for key, part in parts.items()}
    return told


# -- JSON


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for n, (name, _) in enumerate(pairs) if name in dict(pairs[:n]))
        raise ValueError(f"{twice} is there twice")
    return found


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no whole number")


# -- YAML


class _Plain(yaml.SafeLoader):  # type: ignore[misc]  # it comes without types
    """Texts, whole numbers, true, false and null, in maps and lists. What YAML 1.1 also reads (18:30 as a number of
    minutes, 1_000, yes, dates) stays the text it is; no node stands in two places, and none says what it is made to."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the class above has it

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"*{event.anchor} stands for something said elsewhere: say it again")
        if event.tag is not None:
            raise yaml.YAMLError(f"{event.tag} is nothing that rules are made of")
        return super().compose_node(parent, index)


def _map(loader: _Plain, node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.YAMLError(f"{key!r} must be a name; if it is one, quote it")
        if key in found:
            raise yaml.YAMLError(f"{key} is there twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _float(_loader: _Plain, node: Any) -> NoReturn:
    _no_float(node.value)


for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(0|[1-9][0-9]{0,18})", list("-+0123456789")),
    # what is no whole number, and what is too long for one
    (
        "float",
        r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Plain.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
_Plain.add_constructor("tag:yaml.org,2002:map", _map)
_Plain.add_constructor("tag:yaml.org,2002:float", _float)


def _yaml(text: str) -> Any:
    return yaml.load(text, _Plain)  # noqa: S506 - a loader that makes less than the safe one
