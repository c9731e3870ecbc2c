"""Who stood in for whom, by the plain model: what each may be paid, what is made good, and who owes anything.

It counts with fractions and one thing after the other; docs/settlement.md says what it should come to.
"""

from fractions import Fraction

from deploy.simulate import settling
from deploy.simulate.plain import Covered, Owed, Plain, Window


def covered(plain: Plain, number: int, shop: str) -> Covered | None:
    return plain.covers.get((number, shop))


def outstanding(plain: Plain, number: int, shop: str) -> int:
    cover = covered(plain, number, shop)
    return 0 if cover is None else cover.outstanding


# -- what may be paid


def balances(plain: Plain, window: Window) -> dict[str, int]:
    shops = sorted(shop for shop in window.positions if shop != settling.OPERATOR)
    return {shop: plain.accounts[f"position:{shop}::{window.number}"] for shop in shops}


def left_open(plain: Plain, window: Window) -> dict[str, int]:
    """What each has to pay or to get: what others paid for it is still its to pay."""
    return {shop: left - outstanding(plain, window.number, shop) for shop, left in balances(plain, window).items()}


def payable(window: Window, shop: str, there: dict[str, int]) -> int:
    """What may go out to a shop: all that is there for it, and of what is too little the part that is its."""
    if not any(left < 0 for left in there.values()):
        return max(0, there[shop])
    full = {k: max(p.account, there[k]) for k, p in window.positions.items() if k in there and p.account > 0}
    if shop not in full:
        return 0
    paid = {k: full[k] - there[k] for k in full}
    money = max(0, min(sum(full.values()), sum(there.values()) + sum(paid.values())))
    part = Fraction(full[shop], sum(full.values())) * money
    return max(0, min(there[shop], int(part) - paid[shop]))


def waits(plain: Plain, window: Window) -> bool:
    """Whether somebody has to pay for whom nobody stands in."""
    return any(left < 0 and covered(plain, window.number, k) is None for k, left in balances(plain, window).items())


def make_good(plain: Plain, number: int, shop: str, amount: int, cash: str = "bank") -> int:
    """A covered shop pays after all; the points that frees."""
    cover = plain.covers[number, shop]
    position = f"position:{shop}::{number}"
    released = settling.release(plain, number, shop, amount, beside=cover.outstanding)
    plain.reached["made good" if amount == -plain.accounts[position] + cover.outstanding else "made good in part"] += 1
    plain.reached["made good released points"] += bool(released)
    left = amount
    for target, owed in (
        (position, -plain.accounts[position]),
        ("shares", cover.shares),
        ("loss", cover.loss),
        (f"collateral:{shop}", cover.collateral),
    ):
        part = min(left, owed)
        plain.move(cash, target, part)
        left -= part
        if target == "shares":
            cover.shares -= part
        elif target == "loss":
            cover.loss -= part
        elif target != position:
            cover.collateral -= part
    assert not left, (shop, amount)
    borne = sum(cover.borne.values())
    needed = min(borne, cover.shares - plain.accounts[position])
    for k, share in cover.borne.items():
        back = int(Fraction(share * (borne - needed), borne)) - cover.returned[k]
        if back > 0:
            plain.reached["a share given back"] += 1
            cover.returned[k] += back
            plain.owed.append(Owed(plain.window.number, k, settling.OPERATOR, -back, "share"))
    return released


def owes(plain: Plain, shop: str) -> bool:
    """Of any window that is closed, or of what was taken back of its top-ups."""
    for window in plain.windows:
        position = f"position:{shop}::{window.number}"
        if plain.accounts[position] < 0 or plain.accounts[f"due:{shop}::{window.number}"]:
            return True
        if outstanding(plain, window.number, shop):
            return True
        closed = window.state not in ("open", "paying", "settled") and shop in window.positions
        if closed and window.positions[shop].account < 0:
            return True
    return charged(plain, shop) > 0


def charged(plain: Plain, shop: str) -> int:
    """What was charged for top-ups that were taken back, and is not paid."""
    whole = 0
    for window in plain.windows:
        here = sum(
            o.amount for o in plain.owed if (o.window, o.debtor, o.reason) == (window.number, shop, "charge_back")
        )
        if window.state == "paying":
            whole += min(here, max(0, -plain.accounts[f"position:{shop}::{window.number}"]))
        elif window.state != "settled":
            whole += here
    return whole
