"""What `manex verify` does with files: reads them, proves them, and says what is proved and what rests on something else.

Stands on the standard library and `cryptography` alone: this room can be taken to any machine and run there,
`python -m proof statement.json --key keys.json`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import keys, statement, supply, window
from .reading import LARGEST_FILE, Fault, Malformed, read

#: A key file is a few lines.
LARGEST_KEYS: Final = 1024 * 1024

PROVED, NOT_PROVED, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The exit code, the file at fault, what is proved and what it rests on."""

    code: int
    why: str | None
    proved: tuple[str, ...] = ()
    rests: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """As a terminal is told; nothing that a file holds does anything to it."""
        if self.code == PROVED:
            proved = [f"  proved: {line}" for line in self.proved]
            told = ["HOLDS", *proved, *(f"  rests on: {line}" for line in self.rests)]
        else:
            told = [f"{'DOES NOT HOLD' if self.code == NOT_PROVED else 'CANNOT BE READ'}: {self.why}"]
        return ["".join(letter if letter.isprintable() else "�" for letter in line) for line in told]


def verdict(
    file: Path,
    *,
    key: Path | None = None,
    receipt: Path | None = None,
    before: Path | None = None,
    largest: int = LARGEST_FILE,
) -> Verdict:
    """What a statement or a supply proves; never raises, whatever the files hold."""
    at = file
    try:
        trusted = None
        if key is not None:
            at = key
            trusted = keys.published(_read(key, LARGEST_KEYS))
        at = file
        document = _read(file, largest)
        kind = document.get("schema") if isinstance(document, dict) else None
        if kind == statement.SCHEMA:
            statement.verify(document, trusted)
            proved = _of_statement(document)
        elif kind == supply.SCHEMA:
            supply.verify(document, trusted)
            proved = _of_supply(document)
        elif kind == supply.RECEIPT_SCHEMA:
            raise Malformed("a receipt is proved against a supply: manex verify supply.json --receipt FILE")
        else:
            raise Malformed(f"no {statement.SCHEMA} and no {supply.SCHEMA}", "/schema")
        if receipt is not None:
            if kind != supply.SCHEMA:
                raise Malformed("a receipt is proved against a supply")
            at = receipt
            told = _read(receipt, LARGEST_KEYS)
            supply.verify_receipt(told, document)
            proved += _of_receipt(told)
        rests = []
        if before is not None:
            at = before
            proved += _linked(document, _read(before, largest), trusted)
        else:
            rests.append("the windows before: give --before the file of the window before to prove the link to it")
        rests += _rests(document, trusted)
    except Fault as fault:
        return Verdict(NOT_PROVED, f"{at}: {fault}")
    except Malformed as malformed:
        return Verdict(UNREADABLE, f"{at}: {malformed}")
    except OSError as error:
        return Verdict(UNREADABLE, f"{at}: {error.strerror or type(error).__name__}")
    except (MemoryError, RecursionError):
        return Verdict(UNREADABLE, f"{at}: too large for this machine")
    return Verdict(PROVED, None, tuple(proved), tuple(rests))


def _read(file: Path, largest: int) -> Any:
    with file.open("rb") as opened:
        return read(opened.read(largest + 1), largest)


def _of_statement(document: Any) -> list[str]:
    return [
        *statement.shown(document),
        "each item is in the merchant's tree, that tree in the window's, and the window's root in the signed head",
        "no item that the signed leaf counts is left out, none comes twice, none is from outside the window",
        "every item's worth and fee, every sum with each counterparty, the fee with its carry and rounding, the position",
        f"the head, whose hash is {window.digest(document['head'])}, names the ledger's hash at the close:"
        f" {document['head']['ledger_hash']}",
    ]


def _of_supply(document: Any) -> list[str]:
    return [
        *supply.shown(document),
        f"the head's hash is {window.digest(document['head'])}",
        "the total is what members hold and what shops accepted and is not settled yet",
    ]


def _of_receipt(receipt: Any) -> list[str]:
    told = receipt["holding"]["sums"]
    points = sum(int(told[name]) for name in told if name.endswith("_points"))
    return [
        f"{points} points of {receipt['holding']['member']} are inside the total that members hold",
        "no sum on the way to the root is below zero, so nothing hides behind them",
    ]


def _linked(document: Any, before: Any, trusted: set[bytes] | None) -> list[str]:
    """The link to the window before, itself proved first: by its own key, which may have been another."""
    kind = before.get("schema") if isinstance(before, dict) else None
    if kind == statement.SCHEMA:
        statement.verify(before, trusted)
    else:
        supply.verify(before, trusted)
    window.check_link(document["head"], before["head"])
    proved = [f"it follows window {before['head']['number']}, whose head has the hash {document['head']['previous']}"]
    if kind == statement.SCHEMA and document["schema"] == statement.SCHEMA:
        statement.check_carry(document, before)
        proved.append("the fee's carry came in as it went out of the window before")
    return proved


def _rests(document: Any, trusted: set[bytes] | None) -> list[str]:
    kid = document["signature"]["kid"]
    rests = [
        f"the key {kid} being the network's, as the key file you gave says"
        if trusted is not None
        else f"the key in the file itself: compare {kid} with what the network publishes, or give --key FILE"
    ]
    if document["schema"] == statement.SCHEMA:
        rests.append("the network having put every item into the position it signed: compare with your own tills")
        rests.append("its ledger being what the hash was made of: the network's audit proves that, no file can")
    else:
        rests.append("every member having looked for theirs: one who is not in the tree is found only by looking")
    return rests


def main(arguments: Sequence[str]) -> int:
    """`FILE [--key FILE] [--receipt FILE] [--before FILE]`, where there is nothing but Python and `cryptography`."""
    files: dict[str, Path] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name = word.removeprefix("--") if word in ("--key", "--receipt", "--before") else "file"
        if name in files or (name != "file" and not rest):
            rest = []
            files = {}
            break
        files[name] = Path(rest.pop(0) if name != "file" else word)
    if "file" not in files:
        print("FILE [--key FILE] [--receipt FILE] [--before FILE]", file=sys.stderr)
        return UNREADABLE
    found = verdict(files["file"], key=files.get("key"), receipt=files.get("receipt"), before=files.get("before"))
    print("\n".join(found.lines()))
    return found.code
