"""Vouchers: points set aside for a member's telephone, spent at a till that can ask nobody, or given back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from deploy.simulate.asking import AtShop, Keys, Operation, Step
from deploy.simulate.plain import MOST_VOUCHERS, PEOPLE, SHOPS, Expected, Hold, Plain, accepted, refused
from deploy.simulate.real import Real
from deploy.simulate.till import a_shop, consents, half_minute, redemption, told_redemption
from ledger import Points
from merchants import trade


@dataclass(frozen=True)
class AskVoucher(Operation):
    shop: str
    member: str
    points: int
    code: int | None

    kind: ClassVar[str] = "voucher"

    @property
    def principal(self) -> str:
        return self.member

    def predict(self, plain: Plain) -> Expected:
        shop = plain.shops[self.shop]
        if shop.contract is None:
            return refused("state_conflict")
        if shop.state != "active":
            return refused("merchant_suspended")
        if plain.spend_locked[self.member] or plain.frozen[self.member]:
            return refused("spend_locked")
        # one that ended in this very batch counts still
        mine = [v for v in plain.vouchers.values() if v.member == self.member]
        there = sum(1 for v in mine if v.state == "open" or v.ended == plain.batch)
        if there >= MOST_VOUCHERS:
            plain.reached["too many vouchers"] += 1
            return refused("limit_exceeded", allowed=MOST_VOUCHERS, asked=there + 1)
        if (why := consents(plain, self.member, self.member, self.code)) is not None:
            return why
        plain.catch_up(self.member)
        usable = plain.usable(self.member, self.shop)
        slices = plain.choose(usable, self.points, None)
        if slices is None:
            return refused("insufficient_points", needed=self.points, available=sum(lot.wallet for lot in usable))
        amounts = {"redeem_points": self.points, "redeem_count": 1}
        # a member's own asking is under no shop's key
        if plain.beyond(self.member, self.shop, None, amounts) is not None:
            plain.reached["a voucher beyond a limit"] += 1
            return refused("limit_exceeded")
        plain.count(self.member, self.shop, None, amounts)
        plain.last_code[self.member] = half_minute(plain) + (self.code or 0)
        voucher = plain.promise(self.label, self.shop, self.member, slices)
        plain.reached["voucher"] += 1
        return accepted(
            points=voucher.points,
            value=voucher.value,
            deadline=voucher.deadline,
            available=plain.wallet(self.member),
        )

    def body(self, real: Real) -> trade.NewVoucher:
        return trade.NewVoucher(
            merchant_id=real.shop(self.shop),
            member_id=real.member(self.member),
            device_id=real.device(self.member),
            points=Points(self.points),
            spend_code=real.code(self.member, self.code),
            public_key={"crv": "Ed25519", "kty": "OKP", "x": "A" * 43},
            thumbprint=f"key of {self.member}",
        )

    def told(self, real: Real, value: trade.VoucherDone) -> dict[str, Any]:
        real.redemptions[self.label] = value.row.id
        row = value.row
        return {"points": row.points, "value": row.value_minor, "deadline": row.deadline, "available": value.available}


def draw_voucher(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    shop, member = a_shop(rng, plain), rng.choice(PEOPLE)
    there = sum(lot.wallet for lot in plain.usable(member, shop))
    points = max(1, rng.choice((there, there // 2, there // 3, 9, there + 1)))
    code = rng.choices((0, 1, None), (12, 6, 1))[0]
    if code is not None and half_minute(plain) + code <= plain.last_code[member]:
        if half_minute(plain) + 1 <= plain.last_code[member]:
            return None
        code = 1
    return AskVoucher(label, key(member), shop, member, points, code)


def _ended(plain: Plain, voucher: Hold) -> Expected | None:
    if voucher.state == "captured":
        return refused("code_already_used")
    if voucher.state == "voided":
        return refused("state_conflict")
    if voucher.state == "lapsed" or voucher.deadline <= plain.now:
        plain.reached["voucher too late"] += 1
        return refused("hold_expired")
    return None


@dataclass(frozen=True)
class SpendVoucher(AtShop):
    """What the member's telephone signed to spend; the rest goes back."""

    member: str
    voucher: str
    points: int
    reference: str

    kind: ClassVar[str] = "redemption"

    def predict(self, plain: Plain) -> Expected:
        if (self.shop, "redemption", self.reference) in plain.references:
            return refused("duplicate_reference")
        if plain.shops[self.shop].contract is None:
            return refused("state_conflict")
        voucher = plain.vouchers.get(self.voucher)
        if voucher is None or voucher.shop != self.shop:
            return refused("not_found")
        if voucher.member != self.member or self.points > sum(part for _, part in voucher.slices):
            plain.reached["a voucher that was not given"] += 1
            return refused("consent_required")
        if (why := _ended(plain, voucher)) is not None:
            return why
        plain.references.add((self.shop, "redemption", self.reference))
        plain.holds[self.voucher], voucher.step = voucher, plain.step
        whole = self.points == sum(part for _, part in voucher.slices)
        plain.reached[f"voucher spent {'whole' if whole else 'in part'}"] += 1
        if plain.frozen[self.member] or plain.spend_locked[self.member] or plain.shops[self.shop].state != "active":
            plain.reached["a promise kept"] += 1
        if not whole and len(voucher.slices) > 1:
            plain.reached["voucher of several lots spent in part"] += 1
        plain.capture(voucher, self.points)
        return redemption(plain, voucher)

    def body(self, real: Real) -> trade.Redemption:
        return trade.Redemption(
            merchant_id=real.shop(self.shop),
            branch_id=real.branch(self.shop),
            external_reference=self.reference,
            member=trade.MemberRef(id=real.member(self.member)),
            spend_code=None,
            capture=True,
            spend=trade.Spend(real.redemption(self.voucher), f"key of {self.member}", Points(self.points), "d" * 64),
        )

    def told(self, real: Real, value: trade.RedemptionDone) -> dict[str, Any]:
        return told_redemption(real, value)


@dataclass(frozen=True)
class ReturnVoucher(AtShop):
    voucher: str

    kind: ClassVar[str] = "voucher_return"

    def predict(self, plain: Plain) -> Expected:
        voucher = plain.vouchers.get(self.voucher)
        if voucher is None or voucher.shop != self.shop:
            return refused("not_found")
        if (why := _ended(plain, voucher)) is not None:
            return why
        plain.release(voucher, "voided")
        return accepted(available=plain.wallet(voucher.member))

    def body(self, real: Real) -> trade.VoucherReturn:
        return trade.VoucherReturn(real.shop(self.shop), real.redemption(self.voucher))

    def told(self, real: Real, value: trade.VoucherDone) -> dict[str, Any]:  # noqa: ARG002 - names nothing
        return {"available": value.available}


def draw_end(rng: random.Random, plain: Plain, label: str, key: Keys) -> Step | None:
    """Spend or give back a voucher, mostly one that is open."""
    known = [v for v in plain.vouchers.values() if v.step < plain.step]
    if not known:
        return None
    open_ones = [v for v in known if v.state == "open"]
    voucher = rng.choice(open_ones if open_ones and rng.random() < 0.9 else known)
    there = sum(part for _, part in voucher.slices)
    shop = voucher.shop if rng.random() < 0.96 else rng.choice(SHOPS)
    if rng.random() < 0.2:
        return ReturnVoucher(label, key(shop), shop, voucher.name)
    points = max(1, rng.choice((there, there // 2, there - 1, there + (rng.random() < 0.2))))
    member = voucher.member if rng.random() < 0.97 else rng.choice(PEOPLE)
    return SpendVoucher(label, key(shop), shop, member, voucher.name, points, f"R{label}")
