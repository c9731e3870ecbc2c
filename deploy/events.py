"""The stream as documents: a JSON Schema for every kind of event, and an AsyncAPI 3 document that holds them all.

Made from the declarations beside the code that posts the records; what stands in `docs/events/` is compared in a test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

import ledger
import settlement
from gateway.metrics import VERSION
from ledger import wire
from merchants import benefits, contracts, offers, safety, standing, trade

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

#: Every kind of record and what its payload holds, from the ground floor up.
FACTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    **ledger.facts.FACTS,
    **contracts.FACTS,
    **safety.FACTS,
    **standing.FACTS,
    **benefits.FACTS,
    **trade.FACTS,
    **offers.FACTS,
    **settlement.FACTS,
}

_HEADERS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "sequence"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "The record's id."},
        "ce_source": {"type": "string", "description": "The book: /books/bok_..."},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, by the book's clock."},
        "content-type": {"const": "application/json"},
        "sequence": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The record's place in the book, without gaps. A message whose sequence is not above the last"
            " one of its partition is a duplicate.",
        },
    },
}


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of the body of an event of this kind."""
    body = _told(ledger.wire.Data)
    payload = _told(FACTS[kind])
    definitions = payload.pop("$defs", {})
    body["properties"]["payload"] = payload
    body |= {"$schema": DIALECT, "$id": f"{wire.type_of(kind)}.json", "title": wire.type_of(kind)}
    body["description"] = (FACTS[kind].__doc__ or "").strip()
    return body | ({"$defs": definitions} if definitions else {})


def watermark_schema() -> dict[str, Any]:
    told = _told(wire.Watermark)
    return told | {
        "$schema": DIALECT,
        "$id": f"{wire.type_of(wire.WATERMARK)}.json",
        "title": wire.type_of(wire.WATERMARK),
    }


def _told(declared: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of one type, its own definition unfolded; others stay definitions."""
    _, found = msgspec.json.schema_components([declared], ref_template="#/$defs/{name}")
    own: dict[str, Any] = found.pop(declared.__name__)
    own.pop("title", None)
    own.pop("description", None)
    # a reader has to bear fields that come later; those that go, or mean something else, raise the version
    found, own = _open(found), _open(own)
    return own | ({"$defs": found} if found else {})


def _open(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _open(value) for name, value in told.items() if name != "additionalProperties"}
    return [_open(value) for value in told] if isinstance(told, list) else told


def schemas() -> dict[str, dict[str, Any]]:
    """By file name, every schema there is."""
    return {f"{wire.type_of(kind)}.json": schema(kind) for kind in sorted(FACTS)} | {
        f"{wire.type_of(wire.WATERMARK)}.json": watermark_schema()
    }


def document() -> dict[str, Any]:
    """The AsyncAPI document: one channel for each book, and a message for each kind of event."""
    messages = {name.removesuffix(".json"): body for name, body in schemas().items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Manex events",
            "version": VERSION,
            "description": "Every record of a book, in its sequence, as CloudEvents 1.0 in binary mode over Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "book": {
                "address": "manex.{book}",
                "description": "All events of one book. The key is the member, else the merchant, else the book.",
                "parameters": {"book": {"description": "The book's public id, bok_..."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "publish": {
                "action": "send",
                "channel": {"$ref": "#/channels/book"},
                "summary": "The relay publishes in sequence; within a partition nothing is ever out of order, and what is"
                " sent twice has the sequence it had.",
            }
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "headers": {"$ref": "#/components/schemas/headers"},
                    "payload": {"schemaFormat": f"application/schema+json;version={DIALECT}", "schema": body},
                }
                for name, body in messages.items()
            },
            "schemas": {"headers": _HEADERS},
        },
    }


def as_text(told: Any) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"
