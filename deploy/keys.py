"""The server's own secrets, in files of this home: made once, readable by their owner only.

Those that sign windows are several: a new one is published a while before it signs, and an old one for ever after, since
what it signed is to be proved for ever. The time from which one signs is in its file's name.

A copy of the database without them opens no wallet and signs no token; lost, members enrol their devices anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deploy import config
from gateway.server import Keys, ProofKey

SECRET_BYTES: Final = 32
#: The first key of a home signs whatever is older than the next.
_FIRST: Final = "proof-19700101T000000Z.pem"
_STAMP: Final = "%Y%m%dT%H%M%SZ"


def directory(home: Path) -> Path:
    """Where the keys are: MANEX_KEYS_DIR, else `keys` in the home."""
    chosen = config.text("MANEX_KEYS_DIR")
    return Path(chosen).absolute() if chosen else home / "keys"


def load(home: Path) -> Keys:
    """The keys of a home, made where there are none yet. Two processes that make them at once get the same."""
    place = directory(home)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Keys(
        signing=_kept(place / "signing.pem", signing_key),
        spend=_kept(place / "spend.key", _random),
        codes=_kept(place / "codes.key", _random),
        cursors=_kept(place / "cursors.key", _random),
        salts=_kept(place / "salts.key", _random),
        proof=proof_keys(home),
    )


def proof_keys(home: Path) -> tuple[ProofKey, ...]:
    """The keys that sign windows, and those that did, the oldest first; one is made where there is none."""
    place = directory(home)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not any(place.glob("proof-*")):
        _kept(place / _FIRST, proof_key)
    found = []
    for file in sorted(place.glob("proof-*")):
        match = re.fullmatch(r"proof-([0-9]{8}T[0-9]{6}Z)\.(pem|pub)", file.name)
        if match is not None:
            found.append(ProofKey(datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC), file.read_bytes()))
    return tuple(found)


def new_proof_key(home: Path, signs_from: datetime) -> ProofKey:
    """Another key, published from now on, that signs from a time on."""
    file = directory(home) / f"proof-{signs_from.astimezone(UTC):{_STAMP}}.pem"
    return ProofKey(signs_from, _kept(file, proof_key))


def retire(home: Path, key: ProofKey) -> None:
    """Keep of a key what is published, and forget what signs."""
    file = directory(home) / f"proof-{key.signs_from:{_STAMP}}.pem"
    _kept(file.with_suffix(".pub"), lambda: public_part(key.pem))
    file.unlink(missing_ok=True)


def metrics_token(home: Path) -> str:
    """What `/metrics` is read with: MANEX_METRICS_TOKEN, else a file beside the keys, made where there is none."""
    place = directory(home)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return config.text("MANEX_METRICS_TOKEN") or _kept(place / "metrics.token", _token).decode()


def fresh() -> Keys:
    """Keys that are kept nowhere, for tests."""
    return Keys(
        signing=signing_key(),
        spend=_random(),
        codes=_random(),
        cursors=_random(),
        salts=_random(),
        proof=(ProofKey(datetime(1970, 1, 1, tzinfo=UTC), proof_key()),),
    )


def signing_key() -> bytes:
    """A new P-256 private key in PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def proof_key() -> bytes:
    """A new Ed25519 private key in PEM."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_part(pem: bytes) -> bytes:
    """The public half of a private key, in PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(pem, password=None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _token() -> bytes:
    return secrets.token_urlsafe(SECRET_BYTES).encode()


def _random() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds. It appears whole or not at all: written beside and linked, which fails if another was first."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, with its mode given
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)
    return path.read_bytes()
