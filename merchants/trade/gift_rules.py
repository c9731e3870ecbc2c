"""What a network lets its members give: decided by its operator, in force from the record on."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import ledger
from ledger import Accepted, Book, Decision, Needs, Request, Tx, Working
from merchants import sales


@dataclass(frozen=True, slots=True)
class GiftRulesInForce:
    record_id: UUID
    rules: sales.GiftRules


class GiftRulesHandler:
    """Decides requests of kind `gift_rules`, body `sales.GiftRules`: alone under the book's lock, so that every gift was
    decided by the rules in force."""

    exclusive = True

    def prepare(self, tx: Tx, book: Book, requests: Sequence[Request]) -> "_Round":  # noqa: ARG002 - the protocol's
        return _Round(Needs())


@dataclass(slots=True)
class _Round:
    needs: Needs
    rules: sales.GiftRules | None = None

    def decide(self, request: Request, working: Working) -> Decision:
        self.rules = request.body
        draft = working.record("gift_rules", request.actor, payload=dataclasses.asdict(request.body))
        return Accepted(GiftRulesInForce(draft.id, request.body))

    def write(self, tx: Tx, working: Working) -> None:
        if self.rules is not None:
            sales.put_gift_rules(tx, working.book.id, self.rules)


def handlers() -> dict[str, ledger.Handler]:
    return {"gift_rules": GiftRulesHandler()}
