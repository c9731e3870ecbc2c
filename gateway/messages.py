"""Short messages to telephones: a port, and the two ways behind it. Nothing here is logged but what went wrong.

Whoever sends returns at once and never raises: an answer takes as long whether a message goes out or not, so it tells
nothing of whom it goes to.
"""

import contextlib
import http.client
import logging
import queue
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

log = logging.getLogger("manex.messages")

#: Messages that wait for a provider; more are dropped, and their people ask again.
LARGEST_QUEUE: Final = 10_000
TIMEOUT_SECONDS: Final = 5.0
#: Waits before the second try and the third. A code that comes later than a minute is asked for again anyway.
PAUSES_SECONDS: Final = (2.0, 10.0)


@dataclass(frozen=True, slots=True)
class Message:
    """`to` is E.164. `text` is what the person reads."""

    id: UUID
    to: str = field(repr=False)
    text: str = field(repr=False)
    #: what it is for: sign_in, confirm, step_up, new_phone
    purpose: str
    language: str


class Sender(Protocol):
    def send(self, message: Message) -> None:
        """Have it sent. Returns at once, and never raises."""
        ...

    def close(self) -> None: ...


class Nobody:
    """There is no way out: what should be sent is dropped, which the log says once."""

    def __init__(self) -> None:
        self._said = False

    def send(self, message: Message) -> None:  # noqa: ARG002 - the port's
        if not self._said:
            self._said = True
            log.warning("nobody sends messages: set MANEX_SMS_URL")

    def close(self) -> None:
        """Nothing is open."""


class Aloud:
    """Says each message to whoever looks at the terminal: a test book has no telephones."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def send(self, message: Message) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._say(f"to {message.to}: {message.text}")

    def close(self) -> None:
        """Nothing is open."""


class OverHttp:
    """A provider, or what stands before one: the contract is in docs/wallet.md. One thread, in the order of asking."""

    def __init__(self, url: str, token: str | None, pauses: tuple[float, ...] = PAUSES_SECONDS) -> None:
        self._where = urlsplit(url)
        self._token = token
        self._pauses = pauses
        self._waiting: queue.Queue[Message | None] = queue.Queue(LARGEST_QUEUE)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="manex-messages", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            log.error("a message is dropped: %d wait", LARGEST_QUEUE)

    def close(self) -> None:
        """What waits is tried once more, and no more."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(TIMEOUT_SECONDS * 2)

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            for pause in (*self._pauses, None):
                if self._sent(message) or pause is None or self._closing.wait(pause):
                    break

    def _sent(self, message: Message) -> bool:
        """Whether it is done with: taken, or refused for good."""
        began = time.monotonic()
        try:
            status = self._post(message)
        except (OSError, http.client.HTTPException) as error:
            log.warning("a message was not taken: %s after %.1f s", type(error).__name__, time.monotonic() - began)
            return False
        if 200 <= status < 300:
            return True
        log.warning("a message was not taken: status %d", status)
        return status < 500 and status != 429

    def _post(self, message: Message) -> int:
        where = self._where
        connection: http.client.HTTPConnection
        if where.scheme == "https":
            connection = http.client.HTTPSConnection(
                where.hostname or "", where.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id.hex}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        body = {
            "id": message.id.hex,
            "to": message.to,
            "text": message.text,
            "purpose": message.purpose,
            "language": message.language,
        }
        with contextlib.closing(connection):
            connection.request("POST", where.path or "/", msgspec.json.encode(body), headers)
            answer = connection.getresponse()
            answer.read(64 * 1024)
            return answer.status


#: What a code comes with, by what it is for where that matters. The last line is what browsers fill codes in by, bound to
#: the site that asked.
_CODE: Final = {
    "en": "{code} is your code for {network}. It is good for five minutes. Tell it to nobody who calls you.",
    "fa": "کد ورود شما به {network}: {code}\nتا پنج دقیقه اعتبار دارد. این کد را به هیچ‌کس که با شما تماس می‌گیرد نگویید.",
}
#: For one thing that asks for it, by whoever is signed in; it signs nobody in.
_STEP_UP: Final = {
    "en": "{code} is your code to confirm what you asked for at {network}. It is good for five minutes. Tell it to nobody.",
    "fa": "کد تأیید درخواست شما در {network}: {code}\nتا پنج دقیقه اعتبار دارد. این کد را به هیچ‌کس نگویید.",
}
_TEXTS: Final = {"step_up": _STEP_UP, "new_phone": _STEP_UP}


def of_code(id: UUID, to: str, code: str, network: str, purpose: str, language: str) -> Message:
    """A one-time code, in words."""
    texts = _TEXTS.get(purpose, _CODE)
    return Message(id, to, texts.get(language, texts["fa"]).format(code=code, network=network), purpose, language)
