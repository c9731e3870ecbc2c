"""Every way of altering a proof, one field at a time; and what makes seals in a test."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ledger
import settlement
from deploy.keys import proof_key

SEALING = settlement.Sealing(settlement.proof.Signer(proof_key()), bytes(range(32)))


def seal(world: Any, sealing: settlement.Sealing = SEALING) -> int:
    return settlement.sealing.catch_up(world.db, world.book_id, sealing)


def signed(world: Any, shop: str, number: int = 1) -> Any:
    """A shop's signed statement as its file has it."""
    with world.db.tx("door") as tx:
        found = settlement.statements.statement(tx, ledger.read_book(tx, world.book_id), number, world.shops[shop].id)
        assert found is not None
        sealed = settlement.sealing.sealed(tx, found)
        assert sealed is not None
        items = settlement.statements.items(tx, found)
        raw = b"".join(settlement.sealing.document(sealed, found.merchant_id, items))
    return settlement.proof.read(raw)


def supply(world: Any, number: int | None = None) -> Any:
    seal = world.read(settlement.seal, world.book_id, number)
    assert seal is not None
    return settlement.sealing.supply(seal)


def receipt(world: Any, member: str) -> Any:
    with world.db.tx("door") as tx:
        return settlement.sealing.receipt(tx, ledger.read_book(tx, world.book_id), world.members[member])


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def altered(document: Any) -> Iterator[tuple[str, Any]]:
    """(what was done, the document after it) for every field: another value, another type, gone, one too many."""
    for path in list(_places(document, ())):
        for how, value in _others(_at(document, path)):
            changed = copy.deepcopy(document)
            _at(changed, path[:-1])[path[-1]] = value
            yield f"{'/'.join(map(str, path))} {how}", changed
        if isinstance(_at(document, path[:-1]), dict):
            changed = copy.deepcopy(document)
            del _at(changed, path[:-1])[path[-1]]
            yield f"{'/'.join(map(str, path))} gone", changed
    for path in [(), *_places(document, ())]:
        if isinstance(_at(document, path), dict):
            changed = copy.deepcopy(document)
            _at(changed, path)["more"] = 1
            yield f"{'/'.join(map(str, path))} with a field more", changed
        elif isinstance(_at(document, path), list):
            yield from _lists(document, path)


def _lists(document: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    name = "/".join(map(str, path))
    for n in range(len(_at(document, path))):
        changed = copy.deepcopy(document)
        del _at(changed, path)[n]
        yield f"{name} without {n}", changed
        changed = copy.deepcopy(document)
        _at(changed, path).insert(n, copy.deepcopy(_at(document, path)[n]))
        yield f"{name} with {n} twice", changed
    if len(_at(document, path)) > 1:
        changed = copy.deepcopy(document)
        _at(changed, path).reverse()
        if changed != document:
            yield f"{name} reversed", changed


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from _places(part, (*path, name))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def _others(value: Any) -> Iterator[tuple[str, Any]]:
    """Values near this one, and of other types."""
    yield "null", "x" if value is None else None
    yield "a list", [value]
    yield "true", True
    if isinstance(value, int):
        yield "one more", value + 1
        yield "one less", value - 1
        yield "turned", -value if value else 2**53 - 1
        yield "as text", str(value)
    if isinstance(value, str):
        yield "empty", ""
        yield "longer", value + "0"
        for n in {0, len(value) // 2, len(value) - 1} if value else ():
            yield f"at {n}", value[:n] + ("1" if value[n] != "1" else "2") + value[n + 1 :]
        if value.lstrip("-").isdigit():
            yield "one more", str(int(value) + 1)
            yield "turned", str(-int(value)) if int(value) else "-1"
            yield "as a number", int(value)
