"""Approvals: a shop asks, somebody at the wallet says yes or no, or the shop takes it back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from deploy.simulate.asking import AtShop, Keys, Operation, Step
from deploy.simulate.plain import ANSWERED, MEMBERS, PEOPLE, SHOPS, Asked, Expected, Plain, accepted, refused
from deploy.simulate.real import Real
from deploy.simulate.till import CaptureHold, VoidHold, a_shop, redemption, told_redemption
from ledger import Minor, Points
from merchants import trade


@dataclass(frozen=True)
class Ask(AtShop):
    member: str
    points: int | None
    value: int | None
    capture: bool
    reference: str

    kind: ClassVar[str] = "redemption"

    def predict(self, plain: Plain) -> Expected:
        shop = plain.shops[self.shop]
        if plain.branch_frozen[self.shop]:
            return refused("state_conflict")
        if (self.shop, "redemption", self.reference) in plain.references:
            return refused("duplicate_reference")
        if shop.contract is None:
            return refused("state_conflict")
        if shop.state != "active":
            return refused("merchant_suspended")
        if plain.spend_locked[self.member] or plain.frozen[self.member]:
            plain.reached["a locked member is asked nothing"] += 1
            return refused("spend_locked")
        if (over := plain.too_many_asked(self.shop, self.member)) is not None:
            plain.reached["a shop asked too often"] += 1
            return refused("limit_exceeded", allowed=over[0], asked=over[1])
        plain.references.add((self.shop, "redemption", self.reference))
        asked = plain.asked[self.label] = Asked(
            self.label,
            self.shop,
            self.member,
            self.points,
            self.value,
            self.capture,
            self.reference,
            plain.now,
            plain.now + ANSWERED,
            plain.step,
            batch=plain.batch,
        )
        plain.reached["asked to approve"] += 1
        return _told_of(asked)

    def body(self, real: Real) -> trade.Redemption:
        return trade.Redemption(
            merchant_id=real.shop(self.shop),
            branch_id=real.branch(self.shop),
            external_reference=self.reference,
            member=trade.MemberRef(id=real.member(self.member)),
            points=None if self.points is None else Points(self.points),
            value=None if self.value is None else Minor(self.value),
            capture=self.capture,
        )

    def told(self, real: Real, value: trade.ApprovalDone) -> dict[str, Any]:
        real.redemptions[self.label] = value.row.id
        return _told(value)


def _told_of(asked: Asked) -> Expected:
    return accepted(state=asked.state, points=asked.points, value=asked.value, deadline=asked.deadline)


def _told(value: trade.ApprovalDone) -> dict[str, Any]:
    row = value.row
    return {"state": row.state, "points": row.points, "value": row.value_minor, "deadline": row.deadline}


@dataclass(frozen=True)
class Answer(Operation):
    """Of the owner of the wallet, or of another who may spend from it."""

    by: str
    asked: str
    approves: bool

    kind: ClassVar[str] = "approval"

    @property
    def principal(self) -> str:
        return self.by

    def predict(self, plain: Plain) -> Expected:
        asked = plain.asked.get(self.asked)
        if asked is None:
            return refused("not_found")
        another = self.by != asked.member
        if another and not plain.may_spend_for(asked.member, self.by):
            plain.reached["answered by somebody who may not"] += 1
            return refused("not_found")
        if asked.state != "awaiting":
            plain.reached["answered twice"] += 1
            return refused("state_conflict")
        if asked.deadline <= plain.now:
            plain.reached["answered too late"] += 1
            return refused("hold_expired")
        if not self.approves:
            plain.end_asked(asked, "declined")
            plain.reached["declined for another"] += another
            return _told_of(asked)
        return self._approve(plain, asked)

    def _approve(self, plain: Plain, asked: Asked) -> Expected:
        shop, member = asked.shop, asked.member
        if plain.branch_frozen[shop]:
            return refused("state_conflict")
        if plain.shops[shop].state != "active":
            plain.reached["approved at a suspended shop"] += 1
            return refused("merchant_suspended")
        if plain.spend_locked[member] or plain.frozen[member]:
            plain.reached["approved by a locked member"] += 1
            return refused("spend_locked")
        plain.catch_up(member)
        usable = plain.usable(member, shop)
        slices = plain.choose(usable, asked.points, asked.value)
        if slices is None:
            needed = asked.points if asked.points is not None else -(-(asked.value or 0) // plain.rules.face_value)
            plain.reached["approved and not there"] += 1
            # another's wallet does not tell what is in it
            there = {} if self.by != member else {"available": sum(lot.wallet for lot in usable)}
            return refused("insufficient_points", needed=needed, **there)
        by = self.by if self.by != member else None
        points = sum(part for _, part in slices)
        if by is not None:
            left = plain.month_left(member, by)
            assert left is not None
            if points > left:
                return refused("limit_exceeded", allowed=max(0, left), asked=points)
            plain.reached["approved for another"] += 1
        amounts = {"redeem_points": points, "redeem_count": 1}
        if plain.beyond(member, shop, shop, amounts) is not None:
            plain.reached["approved beyond a limit"] += 1
            return refused("limit_exceeded")
        plain.count(member, shop, shop, amounts)
        plain.end_asked(asked, "approved")
        hold = plain.hold(asked.name, shop, member, slices, by)
        if asked.capture:
            plain.capture(hold)
        return redemption(plain, hold)

    def body(self, real: Real) -> trade.AnswerApproval:
        return trade.AnswerApproval(real.member(self.by), real.redemption(self.asked), self.approves)

    def told(self, real: Real, value: trade.ApprovalDone) -> dict[str, Any]:
        return _told(value) if value.redemption is None else told_redemption(real, value.redemption)


@dataclass(frozen=True)
class Withdraw(AtShop):
    """A void of what may have been approved meanwhile."""

    asked: str

    kind: ClassVar[str] = "void"

    def predict(self, plain: Plain) -> Expected:
        asked = plain.asked.get(self.asked)
        if asked is None or asked.shop != self.shop:
            return refused("not_found")
        if asked.state == "approved":
            plain.reached["withdrawn after a yes"] += 1
            return VoidHold(self.label, self.key, self.shop, self.asked).predict(plain)
        if asked.state != "awaiting":
            return refused("state_conflict")
        plain.end_asked(asked, "withdrawn")
        return _told_of(asked)

    def body(self, real: Real) -> trade.Void:
        return trade.Void(real.shop(self.shop), real.redemption(self.asked))

    def told(self, real: Real, value: trade.ApprovalDone | trade.RedemptionDone) -> dict[str, Any]:
        return _told(value) if isinstance(value, trade.ApprovalDone) else told_redemption(real, value)


def draw_ask(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop, member = a_shop(rng, plain), rng.choice(PEOPLE)
    able = [(s, m) for s in SHOPS for m in PEOPLE if plain.shops[s].contract and plain.usable(m, s)]
    if able and rng.random() < 0.9:
        shop, member = rng.choice(able)
    there = sum(lot.wallet for lot in plain.usable(member, shop))
    points: int | None = max(1, rng.choice((1, there // 2, there, there + 1)))
    value = None
    if rng.random() < 0.25:
        points, value = None, there * plain.rules.face_value // 2 + rng.choice((1, 3))
    return Ask(label, key(shop), shop, member, points, value, rng.random() < 0.6, f"R{label}")


def draw_answer(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    """Answer, or end at the till, what was asked: mostly what awaits."""
    known = [asked for asked in plain.asked.values() if asked.step < plain.step]
    if not known:
        return None
    waiting = [asked for asked in known if asked.state == "awaiting"]
    asked = rng.choice(waiting if waiting and rng.random() < 0.9 else known)
    chance = rng.random()
    shop = asked.shop if rng.random() < 0.95 else rng.choice(SHOPS)
    if chance < 0.1:
        return Withdraw(label, key(shop), shop, asked.name)
    if chance < 0.14 and asked.state != "approved":
        return CaptureAsked(label, key(shop), shop, asked.name)
    household = plain.household_of(asked.member)
    sharers = [m for m in MEMBERS if household is not None and household.month(asked.member, m) is not None]
    by = asked.member
    if sharers and rng.random() < 0.4:
        by = rng.choice(sharers)
    elif rng.random() < 0.05:
        by = rng.choice(MEMBERS)
    return Answer(label, key(by), by, asked.name, rng.random() < 0.75)


@dataclass(frozen=True)
class CaptureAsked(AtShop):
    """There is nothing to capture before a yes."""

    asked: str

    kind: ClassVar[str] = "capture"

    def predict(self, plain: Plain) -> Expected:
        asked = plain.asked.get(self.asked)
        if asked is None or asked.shop != self.shop:
            return refused("not_found")
        if asked.state == "approved":
            return CaptureHold(self.label, self.key, self.shop, self.asked).predict(plain)
        plain.reached["captured before a yes"] += 1
        return refused("state_conflict")

    def body(self, real: Real) -> trade.Capture:
        return trade.Capture(real.shop(self.shop), real.redemption(self.asked))

    def told(self, real: Real, value: trade.RedemptionDone) -> dict[str, Any]:
        return told_redemption(real, value)
