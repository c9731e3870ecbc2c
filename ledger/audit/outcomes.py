"""Outcomes: one per idempotency key, and each something a caller can be told again."""

from collections.abc import Iterable, Iterator

import msgspec

from ledger.audit.proving import Checks, Row, Scope

check = Checks()


@check("keys_used_once", "no principal has two outcomes under one idempotency key", over="outcome")
def keys_used_once(scope: Scope) -> Iterable[Row]:
    # grouped from the rows, so that an index that was dropped or spoiled does not answer for them
    return scope.rows(
        """
        select principal_id as principal, key, count(*) as outcomes from ledger.outcome
        where book_id = any(%(books)s) group by book_id, principal_id, key having count(*) > 1
        """
    )


@check(
    "outcomes_told_again",
    "every stored outcome is a final status and a JSON body, under a whole fingerprint",
    over="outcome",
)
def outcomes_told_again(scope: Scope) -> Iterator[Row]:
    for principal, key, status, size, body in scope.stream(
        "select principal_id, key, status, length(fingerprint), body from ledger.outcome where book_id = any(%(books)s)"
    ):
        why = None
        if not 200 <= status < 500:
            why = "an answer that is never stored"
        elif size != 32:
            why = "not a SHA-256 fingerprint"
        else:
            try:
                msgspec.json.decode(body)
            except msgspec.DecodeError:
                why = "not JSON"
        if why:
            yield {"principal": principal, "key": key, "status": status, "why": why}
