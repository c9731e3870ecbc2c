"""Operations at the till: sales, redemptions, what ends holds, refunds."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from deploy.simulate.asking import AtShop, Keys, Step, either
from deploy.simulate.plain import (
    HALF_MINUTE,
    LOCK_TIME,
    MOST_WRONG,
    PEOPLE,
    SHOPS,
    Expected,
    Hold,
    Plain,
    Sale,
    accepted,
    refused,
)
from deploy.simulate.real import Real
from deploy.simulate.sponsoring import given
from ledger import Minor, Points
from merchants import trade


@dataclass(frozen=True)
class MakeSale(AtShop):
    member: str | None
    total: int
    reference: str
    # the redemption that pays for a part, and which part
    paid_by: str | None = None
    part: int = 0
    at: str | None = None

    kind: ClassVar[str] = "sale"

    def predict(self, plain: Plain) -> Expected:
        if self.at is not None:
            return refused("not_found")
        if (self.shop, "sale", self.reference) in plain.references:
            return refused("duplicate_reference")
        if plain.shops[self.shop].contract is None or plain.shops[self.shop].state == "exited":
            return refused("state_conflict")
        if self.paid_by is not None:
            hold = plain.holds.get(self.paid_by)
            if hold is None or hold.shop != self.shop or hold.member != self.member:
                return refused("not_found")
            if hold.state != "captured" or hold.paid_a_sale:
                return refused("state_conflict")
            if hold.refunded:
                plain.reached["a refunded redemption paid for nothing"] += 1
                return refused("state_conflict")
            if self.part != hold.value:
                return refused("validation_failed")
            hold.paid_a_sale = True
            plain.reached["sale paid in part by a redemption"] += 1
        plain.references.add((self.shop, "sale", self.reference))
        sale = plain.sell(self.label, self.shop, self.member, self.total, self.part)
        return accepted(
            points=sale.points,
            refused=sale.refused,
            money=sale.money,
            expires=sale.lot.expires if sale.lot else None,
            available=plain.wallet(self.member) if self.member else None,
            bonuses=[
                (
                    bonus.sponsorship.name,
                    bonus.lot.points if bonus.lot else 0,
                    bonus.refused,
                    bonus.lot.expires if bonus.lot else None,
                )
                for bonus in sale.bonuses
            ],
        )

    def body(self, real: Real) -> trade.Sale:
        payments = []
        if self.paid_by is not None:
            payments = [trade.Payment("points", Minor(self.part), real.redemption(self.paid_by))]
            if self.total > self.part:
                payments.append(trade.Payment("cash", Minor(self.total - self.part)))
        return trade.Sale(
            merchant_id=real.shop(self.shop),
            branch_id=real.branch(self.at or self.shop),
            external_reference=self.reference,
            total=Minor(self.total),
            member=trade.MemberRef(id=real.member(self.member)) if self.member else None,
            payments=tuple(payments),
        )

    def told(self, real: Real, value: trade.SaleDone) -> dict[str, Any]:
        real.sold(self.label, value.id, value.lot_id)
        return {
            "points": value.points,
            "refused": value.refused,
            "money": value.money,
            "expires": value.expires_at,
            "available": value.available,
            "bonuses": given(real, self.label, value.bonuses),
        }


def a_shop(rng: random.Random, plain: Plain) -> str:
    """Any shop, one without contract seldom."""
    shop = rng.choice(SHOPS)
    return shop if plain.shops[shop].contract or rng.random() < 0.15 else rng.choice(SHOPS)


def draw_sale(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step:
    shop = a_shop(rng, plain)
    member = None if rng.random() < 0.06 else rng.choice(PEOPLE)
    total = rng.choice((0, 40, 99, 333, 700, 1_000, 1_500, 2_500, 4_000, 9_999, rng.randrange(1, 6_000)))
    room = plain.room(shop) if plain.shops[shop].contract else None
    terms = plain.shops[shop].terms
    if room and room > 0 and terms and terms.points == 1 and rng.random() < 0.2:
        # to the last point that the shop may issue, or one more
        total = (room + rng.choice((0, 0, 1))) * terms.per
    asked = MakeSale(label, key(shop), shop, member, total, f"R{label}")
    if rng.random() < 0.04:
        mine = [reference for where, kind, reference in plain.references if (where, kind) == (shop, "sale")]
        if mine:
            return replace(asked, reference=min(mine))
    if rng.random() < 0.02:
        return replace(asked, at=rng.choice([other for other in SHOPS if other != shop]))
    known = [h for h in plain.holds.values() if h.step < plain.step]
    if known and rng.random() < 0.15:
        fresh = [h for h in known if h.state == "captured" and not h.paid_a_sale and not h.refunded]
        hold = rng.choice(fresh if fresh and rng.random() < 0.8 else known)
        part = hold.value + (1 if rng.random() < 0.1 else 0)
        total = part + rng.choice((0, 150, 1_000))
        shop = hold.shop if rng.random() < 0.9 else shop
        return replace(asked, shop=shop, key=key(shop), member=hold.member, total=total, part=part, paid_by=hold.name)
    return asked


@dataclass(frozen=True)
class Redeem(AtShop):
    member: str
    points: int | None
    value: int | None
    capture: bool
    # half minutes from the present one, or None: a wrong code
    code: int | None
    reference: str
    # another of the household, whose code it is
    by: str | None = None

    kind: ClassVar[str] = "redemption"

    def predict(self, plain: Plain) -> Expected:
        shop = plain.shops[self.shop]
        if plain.branch_frozen[self.shop]:
            plain.reached["no hold at a frozen branch"] += 1
            return refused("state_conflict")
        if (self.shop, "redemption", self.reference) in plain.references:
            return refused("duplicate_reference")
        if shop.contract is None:
            return refused("state_conflict")
        if shop.state != "active":
            return refused("merchant_suspended")
        if plain.spend_locked[self.member] or plain.frozen[self.member]:
            return refused("spend_locked")
        if (why := consents(plain, self.shop, self.member, self.code, self.by)) is not None:
            return why
        plain.catch_up(self.member)
        usable = plain.usable(self.member, self.shop)
        slices = plain.choose(usable, self.points, self.value)
        if slices is None:
            needed = self.points if self.points is not None else -(-(self.value or 0) // plain.rules.face_value)
            return refused("insufficient_points", needed=needed, available=sum(lot.wallet for lot in usable))
        if self.by is not None:
            left, points = plain.month_left(self.member, self.by), sum(part for _, part in slices)
            assert left is not None
            if points > left:
                plain.reached["more than may be spent for another in a month"] += 1
                return refused("limit_exceeded", allowed=max(0, left), asked=points)
            plain.reached["spent for another"] += 1
        amounts = {"redeem_points": sum(part for _, part in slices), "redeem_count": 1}
        if (over := plain.beyond(self.member, self.shop, self.shop, amounts)) is not None:
            plain.reached["a redemption beyond a limit"] += 1
            return refused("limit_exceeded", allowed=over[0], asked=over[1])
        plain.count(self.member, self.shop, self.shop, amounts)
        plain.last_code[self.by or self.member] = half_minute(plain) + (self.code or 0)
        plain.references.add((self.shop, "redemption", self.reference))
        hold = plain.hold(self.label, self.shop, self.member, slices, self.by)
        if len({lot.issuer for lot, _ in slices}) > 1:
            plain.reached["redemption from several issuers"] += 1
        if self.value is not None:
            plain.reached["redemption of a value"] += 1
        if self.capture:
            plain.capture(hold)
        return redemption(plain, hold)

    def body(self, real: Real) -> trade.Redemption:
        return trade.Redemption(
            merchant_id=real.shop(self.shop),
            branch_id=real.branch(self.shop),
            external_reference=self.reference,
            member=trade.MemberRef(id=real.member(self.member)),
            spend_code=real.code(self.by or self.member, self.code),
            points=None if self.points is None else Points(self.points),
            value=None if self.value is None else Minor(self.value),
            capture=self.capture,
        )

    def told(self, real: Real, value: trade.RedemptionDone) -> dict[str, Any]:
        real.redemptions[self.label] = value.id
        return told_redemption(real, value)


def consents(plain: Plain, shown_by: str, member: str, code: int | None, by: str | None = None) -> Expected | None:
    """Why a spend code does not count, or None. Wrong ones are counted against the shop or member that shows them.

    A code of another than the member is wrong, unless that one may spend for the member.
    """
    pair = (shown_by, member)
    times, since = plain.wrong_codes.get(pair, (0, plain.now))
    if since <= plain.now - LOCK_TIME:
        times, since = 0, plain.now
    if times >= MOST_WRONG:
        return refused("otp_locked")
    if code is None or abs(code) > 1 or (by is not None and not plain.may_spend_for(member, by)):
        plain.reached["a code of somebody who may not spend for another"] += by is not None
        plain.wrong_codes[pair] = (times + 1, since)
        return refused("consent_required")
    if half_minute(plain) + code <= plain.last_code[by or member]:
        return refused("code_already_used")
    return None


def half_minute(plain: Plain) -> int:
    return int(plain.now.timestamp()) // int(HALF_MINUTE.total_seconds())


def redemption(plain: Plain, hold: Hold) -> Expected:
    return accepted(
        state="held" if hold.state == "open" else hold.state,
        points=hold.points,
        value=hold.value,
        deadline=hold.deadline,
        slices=[(lot.name, part) for lot, part in hold.used],
        available=plain.wallet(hold.member),
        by=hold.by,
    )


def told_redemption(real: Real, value: trade.RedemptionDone) -> dict[str, Any]:
    return {
        "state": value.state,
        "points": value.points,
        "value": value.value,
        "deadline": value.deadline,
        "slices": [(real.lot(s.lot_id), s.points) for s in value.slices],
        "available": value.available,
        "by": real.names()[str(value.consented_by)] if value.consented_by else None,
    }


def draw_redemption(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    shop, member = a_shop(rng, plain), rng.choice(PEOPLE)
    able = [(s, m) for s in SHOPS for m in PEOPLE if plain.shops[s].contract and plain.usable(m, s)]
    own = [(s, m) for s, m in able if any(lot.issuer == s for lot in plain.usable(m, s))]
    if able and rng.random() < 0.93:
        shop, member = rng.choice(own if own and rng.random() < 0.4 else able)
    there = sum(lot.wallet for lot in plain.usable(member, shop))
    points: int | None = rng.choice((1, 7, max(1, there // 2), max(1, there), rng.randrange(1, 80)))
    value = None
    if rng.random() < 0.2:
        value = (points or 1) * plain.rules.face_value + rng.choice((0, 0, 3))
        points = None
    elif rng.random() < 0.06:
        points = there + rng.randrange(1, 5)
    code = rng.choices((0, 1, -1, -4, None), (12, 6, 2, 1, 1))[0]
    if code is not None and half_minute(plain) + code <= plain.last_code[member] and rng.random() < 0.7:
        if half_minute(plain) + 1 <= plain.last_code[member]:
            return None
        code = 1
    reference = f"R{label}"
    mine = [r for where, kind, r in plain.references if (where, kind) == (shop, "redemption")]
    if mine and rng.random() < 0.04:
        reference = min(mine)
    return Redeem(label, key(shop), shop, member, points, value, rng.random() < 0.5, code, reference)


@dataclass(frozen=True)
class EndHold(AtShop):
    """Capture or void."""

    hold: str

    def predict(self, plain: Plain) -> Expected:
        hold = plain.holds.get(self.hold)
        if hold is None or hold.shop != self.shop:
            return refused("not_found")
        if hold.state != "open":
            return refused("state_conflict")
        return self._end(plain, hold)

    @abstractmethod
    def _end(self, plain: Plain, hold: Hold) -> Expected:
        """End an open hold of the shop's own."""

    def told(self, real: Real, value: trade.RedemptionDone) -> dict[str, Any]:
        return told_redemption(real, value)


@dataclass(frozen=True)
class CaptureHold(EndHold):
    kind: ClassVar[str] = "capture"

    def _end(self, plain: Plain, hold: Hold) -> Expected:
        if hold.deadline <= plain.now:
            plain.reached["capture too late"] += 1
            return refused("hold_expired")
        if plain.shops[hold.shop].state != "active":
            plain.reached["capture of a suspended shop"] += 1
        plain.reached["capture at a frozen branch"] += plain.branch_frozen[hold.shop]
        plain.capture(hold)
        return redemption(plain, hold)

    def body(self, real: Real) -> trade.Capture:
        return trade.Capture(real.shop(self.shop), real.redemption(self.hold))


@dataclass(frozen=True)
class VoidHold(EndHold):
    kind: ClassVar[str] = "void"

    def _end(self, plain: Plain, hold: Hold) -> Expected:
        plain.release(hold, "voided")
        return redemption(plain, hold)

    def body(self, real: Real) -> trade.Void:
        return trade.Void(real.shop(self.shop), real.redemption(self.hold))


def draw_end(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    known = [h for h in plain.holds.values() if h.step < plain.step]
    if not known:
        return None
    open_ones = [h for h in known if h.state == "open"]
    dead = [h for h in open_ones if not all(plain.alive(lot) for lot, _ in h.slices)]
    hold = rng.choice(either(rng, dead, dead, open_ones) if open_ones and rng.random() < 0.95 else known)
    shop = hold.shop if rng.random() < 0.97 else rng.choice(SHOPS)
    made = CaptureHold if rng.random() < 0.5 else VoidHold
    return made(label, key(shop), shop, hold.name)


@dataclass(frozen=True)
class RefundSale(AtShop):
    sale: str
    amount: int
    reference: str

    kind: ClassVar[str] = "sale_refund"

    def predict(self, plain: Plain) -> Expected:
        sale = plain.sales.get(self.sale)
        if sale is None or sale.shop != self.shop:
            return refused("not_found")
        if (self.shop, "refund", self.reference) in plain.references:
            return refused("duplicate_reference")
        left = sale.money - sale.refunded
        if self.amount > left:
            return refused("refund_exceeds_original", asked=self.amount, left=left)
        plain.references.add((self.shop, "refund", self.reference))
        if plain.shops[self.shop].state != "active":
            plain.reached["refund of a suspended shop"] += 1
        parts = plain.refund(sale, self.amount)
        return accepted(
            points=sum(back for _, back, _, _ in parts),
            returned=sum(returned for _, _, returned, _ in parts),
            owed=sum(owed for _, _, _, owed in parts),
            parts=[(lot.name, *taken) for lot, *taken in parts],
            left=left - self.amount,
            available=plain.wallet(sale.member) if sale.member else None,
        )

    def body(self, real: Real) -> trade.SaleRefund:
        return trade.SaleRefund(real.shop(self.shop), real.sale(self.sale), self.reference, Minor(self.amount))

    def told(self, real: Real, value: trade.SaleRefundDone) -> dict[str, Any]:
        return {
            "points": value.points,
            "returned": value.returned,
            "owed": value.owed,
            "parts": [(real.lot(part.lot_id), part.points, part.returned, part.owed) for part in value.parts],
            "left": value.left,
            "available": value.available,
        }


def draw_refund(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    known = [s for s in plain.sales.values() if s.step < plain.step]
    if not known:
        return None
    # of sales whose points are gone something is owed, and what is held comes back and repays
    left_over = [s for s in known if s.refunded < s.money]
    gone = [s for s in left_over if any(part.lot.wallet < part.lot.points for part in s.earned)]
    held = [s for s in gone if any(part.lot.held for part in s.earned)]
    partly = [s for s in left_over if s.refunded]
    sale: Sale = rng.choice(either(rng, held, held, gone, gone, partly, left_over, known))
    left = sale.money - sale.refunded
    amount = max(1, rng.choice((left, left, left // 2, left // 2, left // 3, min(37, left), left + 1)))
    shop = sale.shop if rng.random() < 0.97 else rng.choice(SHOPS)
    return RefundSale(label, key(shop), shop, sale.name, amount, _refund_reference(rng, plain, shop, label))


def _refund_reference(rng: random.Random, plain: Plain, shop: str, label: str) -> str:
    mine = [r for where, kind, r in plain.references if (where, kind) == (shop, "refund")]
    return min(mine) if mine and rng.random() < 0.04 else f"R{label}"


@dataclass(frozen=True)
class RefundRedemption(AtShop):
    redemption: str
    points: int | None
    reference: str

    kind: ClassVar[str] = "redemption_refund"

    def predict(self, plain: Plain) -> Expected:
        hold = plain.holds.get(self.redemption)
        if hold is None or hold.shop != self.shop:
            return refused("not_found")
        if (self.shop, "refund", self.reference) in plain.references:
            return refused("duplicate_reference")
        if hold.state != "captured":
            return refused("state_conflict")
        left = hold.points - hold.refunded
        points = left if self.points is None else self.points
        if points > left or not points:
            return refused("refund_exceeds_original", left=left)
        plain.references.add((self.shop, "refund", self.reference))
        slices = plain.give_back(hold, points)
        return accepted(
            points=points,
            left=left - points,
            value=sum(lot.unit * part for lot, part in slices),
            slices=[(lot.name, part) for lot, part in slices],
            available=plain.wallet(hold.member),
        )

    def body(self, real: Real) -> trade.RedemptionRefund:
        points = None if self.points is None else Points(self.points)
        return trade.RedemptionRefund(real.shop(self.shop), real.redemption(self.redemption), self.reference, points)

    def told(self, real: Real, value: trade.RedemptionRefundDone) -> dict[str, Any]:
        return {
            "points": value.points,
            "left": value.left,
            "value": value.value,
            "slices": [(real.lot(s.lot_id), s.points) for s in value.slices],
            "available": value.available,
        }


def draw_redemption_refund(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    known = [h for h in plain.holds.values() if h.step < plain.step]
    if not known:
        return None
    captured = [h for h in known if h.state == "captured" and h.refunded < h.points]
    dead = [h for h in captured if not all(plain.alive(lot) for lot, _ in h.slices)]
    again = [h for h in dead if any(lot.graced and not plain.alive(lot) for lot, _ in h.slices)]
    posted = [h for h in captured if plain.windows[h.window - 1].state in ("paying", "settled")]
    own = [h for h in posted if any(lot.issuer == h.shop and lot.funding == "prefunded" for lot, _ in h.slices)]
    hold: Hold = rng.choice(either(rng, again, dead, own, posted, captured, captured, known))
    left = hold.points - hold.refunded
    points = rng.choice((None, None, 1, max(1, left // 2), max(1, left - 1), left + 1))
    shop = hold.shop if rng.random() < 0.97 else rng.choice(SHOPS)
    return RefundRedemption(label, key(shop), shop, hold.name, points, _refund_reference(rng, plain, shop, label))
