"""Spend codes: six digits that a member's device shows, and with which the member consents to a redemption. Pure.

RFC 6238 (SHA-1, six digits, 30-second steps by the book's clock), so that a phone shows them without network.
"""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from merchants.people.digits import only

STEP_SECONDS: Final = 30
DIGITS: Final = 6
NONCE_BYTES: Final = 16
#: How many steps a device's clock may be ahead of or behind the book's.
SKEW_STEPS: Final = 1

#: Wrong codes a shop may show of one member, and of all its members together, before it has to wait. Three codes in a
#: million are right at any moment: a shop that guesses at full speed opens some wallet once a month, one member's once in
#: two years, and is seen at it long before.
MOST_WRONG: Final = 5
MOST_WRONG_TOGETHER: Final = 100
LOCK_TIME: Final = timedelta(minutes=15)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(seconds=STEP_SECONDS)


@dataclass(frozen=True, slots=True)
class Used:
    """The code is a true one of the device, of a step that was used already or lies before one that was."""

    device_id: UUID
    step: int


def key(spend_key: bytes, device_id: UUID, nonce: bytes) -> bytes:
    """What a device and the house make codes from: the first 20 bytes of HMAC-SHA256(spend key, device id | nonce)."""
    return hmac.digest(spend_key, device_id.bytes + nonce, "sha256")[:20]


def secret(spend_key: bytes, device_id: UUID, nonce: bytes) -> str:
    """The device's key in base32, as it is told once to the device. Never stored."""
    return base64.b32encode(key(spend_key, device_id, nonce)).decode()


def step(at: datetime) -> int:
    """The 30-second step that `at`, a time of the book's clock, lies in."""
    return (at - _EPOCH) // _STEP


def code(device_secret: str, of_step: int) -> str:
    """The six digits that a device with this secret shows during a step."""
    return digits(base64.b32decode(device_secret), of_step)


def digits(device_key: bytes, of_step: int) -> str:
    """The six digits of a step: the dynamic truncation of its HMAC (RFC 4226, 5.3). Every redemption asks three times."""
    mac = hmac.digest(device_key, of_step.to_bytes(8, "big"), "sha1")
    offset = mac[19] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(
    text: str, keys_by_device: Iterable[tuple[UUID, bytes, int]], at: datetime
) -> tuple[UUID, int] | Used | None:
    """Which device showed the code `text`, and in which step.

    `keys_by_device` holds (device id, key, last step used). The step is the current one or one either side, and
    after the last one used: `Used` when the code is right but its step is not, None when no device shows such a code.
    Every device and step is compared, whatever matched before, so that the time taken tells nothing.
    """
    shown = only(text, DIGITS)
    if shown is None:
        return None
    now = step(at)
    fresh: tuple[UUID, int] | None = None
    used: Used | None = None
    for device_id, device_key, last_step in keys_by_device:
        for candidate in range(now - SKEW_STEPS, now + SKEW_STEPS + 1):
            if hmac.compare_digest(digits(device_key, candidate), shown):
                if candidate <= last_step:
                    used = Used(device_id, candidate)
                elif fresh is None:
                    fresh = (device_id, candidate)
    return fresh or used
