"""Lists that go by the ids of what they show: where the asked page begins, and the page of the rows found there."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from gateway.api.shapes import PageIn
from gateway.calls import Call
from gateway.pages import page
from ledger import ids

R = TypeVar("R")
A = TypeVar("A")


class ById(Generic[R]):
    """The list that `call` asks for a page of: its cursors name ids of `what`, and are good for `caller` alone."""

    def __init__(self, call: Call[Any], caller: str, what: str, id: Callable[[R], UUID]) -> None:
        asked: PageIn = call.query
        self._cursors, self._of = call.server.cursors, f"{call.path} {caller}"
        self._what, self._id, self._shown = what, id, asked.limit
        after = self._cursors.read(self._of, asked.cursor, (str,))
        #: The page begins behind this one; None: at the beginning.
        self.start: Final = ids.read(what, after[0]) if after else None
        #: One row more than is shown tells whether there are more.
        self.limit: Final = asked.limit + 1

    def page(self, rows: Sequence[R], show: Callable[[R], A]) -> tuple[list[A], bool, str | None]:
        """(data, has_more, next_cursor)"""
        return page(rows, self._shown, self._cursor_behind, show)

    def _cursor_behind(self, row: R) -> str:
        return self._cursors.made(self._of, (ids.show(self._what, self._id(row)),))
