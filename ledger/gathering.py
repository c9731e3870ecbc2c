"""Reads that gather: questions are answered together by a few statements while others gather for the next. No timer."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import psycopg

from ledger import db
from ledger.errors import Unavailable
from ledger.waiting import Waiter, wake

log = logging.getLogger(__name__)

LARGEST_GATHERING: Final = 256
LARGEST_QUEUE: Final = 20_000

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gathered(Generic[Question, Answer]):
    """Answers questions of one kind, many at a time, on a thread and a connection of its own.

    `answer` is asked within a transaction, for up to `LARGEST_GATHERING` questions, and gives their answers in their order.
    """

    def __init__(
        self,
        url: str,
        role: str,
        answer: Callable[[db.Tx, Sequence[Question]], Sequence[Answer]],
        *,
        statement_timeout_ms: int = db.STATEMENT_TIMEOUT_MS,
    ) -> None:
        self._url = url
        self._role = role
        self._answer = answer
        self._timeout_ms = statement_timeout_ms
        self._queue: deque[tuple[Question, Waiter]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._conn: db.Tx | None = None
        self._thread = threading.Thread(target=self._run, name=f"manex-reads-{role}", daemon=True)
        self._thread.start()

    async def ask(self, question: Question) -> Answer:
        """The answer as last committed when the question was taken up. Raises Unavailable when the database does not answer."""
        waiter = Waiter.here()
        with self._wake:
            if self._closing:
                raise Unavailable("closing")
            if len(self._queue) >= LARGEST_QUEUE:
                raise Unavailable("too many reads are waiting")
            self._queue.append((question, waiter))
            self._wake.notify()
        answer: Answer = await waiter.future
        return answer

    def close(self) -> None:
        """Take nothing new, answer what was asked."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    break
                taken = [self._queue.popleft() for _ in range(min(len(self._queue), LARGEST_GATHERING))]
            answers = self._answers([question for question, _ in taken])
            wake(zip((waiter for _, waiter in taken), answers, strict=True))
        if self._conn is not None:
            self._conn.close()

    def _answers(self, questions: list[Question]) -> list[Answer | Exception]:
        """All at once; and where that fails, each alone, so that a question that has no answer spoils no other."""
        try:
            return list(self._attempt(questions))
        except Exception as error:
            if len(questions) == 1 or isinstance(error, Unavailable):
                if not isinstance(error, Unavailable):
                    log.exception("a read failed")
                return [error] * len(questions)
            log.warning("%d reads are answered singly: %s", len(questions), type(error).__name__)
        return [answer for question in questions for answer in self._answers([question])]

    def _attempt(self, questions: list[Question]) -> Sequence[Answer]:
        for last in (False, True):
            try:
                if self._conn is None or self._conn.closed:
                    self._conn = db.connect(self._url, self._role, self._timeout_ms)
                with self._conn.transaction():
                    return self._answer(self._conn, questions)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                # a connection that went away since the last time is made anew, once: a read may be repeated
                if self._conn is not None:
                    self._conn.close()
                self._conn = None
                if last:
                    raise Unavailable("the database does not answer") from error
        raise AssertionError("unreachable")
