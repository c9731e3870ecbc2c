"""What a network forbids its merchants' rules: decided by its operator, in force for terms and sponsorships from then on.

What is in force already stays in force: nothing is changed behind anybody's back.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import ledger
from ledger.errors import Invalid


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """Without one a network forbids nothing.

    `equal_persons`: rules may not depend on the kind, tier, segment or occasion of a person. `largest_share_ppm`: no rule gives back
    more of the price. `not_before`: none is valid from before it is in force.
    """

    equal_persons: bool = False
    largest_share_ppm: int | None = None
    not_before: bool = False


@dataclass(frozen=True, slots=True)
class RulePolicyInForce:
    record_id: UUID
    version: int
    policy: RulePolicy


#: What a policy forbids in rules: (pointer, code, detail) each. The reader of rules lives above this room and is handed in.
Forbidden = Callable[[Mapping[str, Any], RulePolicy, int, datetime], Sequence[tuple[str, str, str]]]


def nothing(
    _rules: Mapping[str, Any], _policy: RulePolicy, _unit_value_minor: int, _now: datetime
) -> Sequence[tuple[str, str, str]]:
    """Where nobody reads rules."""
    return ()


def refused(
    forbidden: Forbidden,
    rules: Mapping[str, Any],
    policy: RulePolicy,
    unit_value_minor: int,
    now: datetime,
    under: str = "",
) -> Invalid | None:
    """The first thing that the network forbids, with the reason. `under`: where in the body the rules stand."""
    if policy == RulePolicy():
        return None
    found = forbidden(rules, policy, unit_value_minor, now)
    return Invalid(under + found[0][0], found[0][2]) if found else None


def policy_of(tx: ledger.Tx, book_id: int) -> tuple[int, RulePolicy]:
    """The version in force and what it says; 0 where there never was one."""
    row = tx.execute(
        "select version, equal_persons, largest_share_ppm, not_before from merchants.rule_policy where book_id = %s"
        " order by version desc limit 1",
        [book_id],
    ).fetchone()
    return (0, RulePolicy()) if row is None else (row[0], RulePolicy(*row[1:]))


class RulePolicyHandler:
    """Decides requests of kind `rule_policy`, body `RulePolicy`: alone under the book's lock, as terms are."""

    exclusive = True

    def prepare(self, tx: ledger.Tx, book: ledger.Book, requests: Sequence[ledger.Request]) -> "_Round":  # noqa: ARG002 - the protocol's
        return _Round(ledger.Needs(), policy_of(tx, book.id)[0])


@dataclass(slots=True)
class _Round:
    needs: ledger.Needs
    version: int
    born: list[tuple[int, RulePolicy]] = dataclasses.field(default_factory=list)

    def decide(self, request: ledger.Request, working: ledger.Working) -> ledger.Decision:
        policy: RulePolicy = request.body
        self.version += 1
        draft = working.record(
            "rule_policy", request.actor, payload={"version": self.version, **dataclasses.asdict(policy)}
        )
        self.born.append((self.version, policy))
        return ledger.Accepted(RulePolicyInForce(draft.id, self.version, policy))

    def write(self, tx: ledger.Tx, working: ledger.Working) -> None:
        for version, policy in self.born:
            tx.execute(
                "insert into merchants.rule_policy (book_id, version, equal_persons, largest_share_ppm, not_before)"
                " values (%s, %s, %s, %s, %s)",
                [working.book.id, version, policy.equal_persons, policy.largest_share_ppm, policy.not_before],
            )
