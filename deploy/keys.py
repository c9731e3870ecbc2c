"""The server's own secrets, in files of this home: made once, readable by their owner only.

A copy of the database without them opens no wallet and signs no token; lost, members enrol their devices anew.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy import config
from gateway.server import Keys

SECRET_BYTES: Final = 32


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
    )


def metrics_token(home: Path) -> str:
    """What `/metrics` is read with: MANEX_METRICS_TOKEN, else a file beside the keys, made where there is none."""
    place = directory(home)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return config.text("MANEX_METRICS_TOKEN") or _kept(place / "metrics.token", _token).decode()


def fresh() -> Keys:
    """Keys that are kept nowhere, for tests."""
    return Keys(signing=signing_key(), spend=_random(), codes=_random(), cursors=_random())


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
