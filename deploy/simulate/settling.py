"""What windows do to the plain model: netting and posting by the book, with fractions instead of the house's arithmetic."""

from collections import Counter
from fractions import Fraction

from deploy.simulate.plain import Item, Owed, Plain, Position, Window

OPERATOR = "operator"
MILLION = 1_000_000


def close(plain: Plain) -> None:
    window = plain.window
    window.state = "advised"
    window.positions = net(plain, window)
    plain.windows.append(Window(window.number + 1))
    plain.end_of_window()


def net(plain: Plain, window: Window) -> dict[str, Position]:
    """Who is owed what and owes what, and the fees, each party's exact and rounded half to even."""
    items = [item for item in plain.items if item.window == window.number]
    receivable: Counter[str] = Counter()
    payable: Counter[str] = Counter()
    backing: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    parties = set()
    for item in items:
        parties |= {item.shop, item.lot.issuer}
        receivable[item.shop] += item.value
        payable[item.lot.issuer] += item.value
        exact[item.shop] += item.fee
        if item.funding == "prefunded":
            backing[item.lot.issuer] += item.value
    for (number, shop), millionths in plain.charges.items():
        if number == window.number:
            parties.add(shop)
            exact[shop] += millionths
    beside = [owed for owed in plain.owed if owed.window == window.number]
    for owed in beside:
        parties |= {owed.debtor, owed.creditor} - {OPERATOR}
        receivable[owed.creditor] += owed.amount
        payable[owed.debtor] += owed.amount
    before = plain.windows[window.number - 2].positions if window.number > 1 else {}
    carries = {shop: position.carry_out for shop, position in before.items() if position.carry_out}
    positions = {}
    for shop in sorted(parties | carries.keys()):
        whole = exact[shop] + carries.get(shop, 0)
        fee = round(Fraction(whole, MILLION))
        positions[shop] = Position(
            receivable[shop],
            payable[shop],
            backing[shop],
            exact[shop],
            carries.get(shop, 0),
            fee,
            whole - fee * MILLION,
        )
    fees = [position.fee for position in positions.values()]
    got = receivable[OPERATOR] + sum(f for f in fees if f > 0)
    gave = payable[OPERATOR] - sum(f for f in fees if f < 0)
    positions[OPERATOR] = Position(got, gave, 0, 0, 0, 0, 0)
    plain.reached["carry"] += sum(1 for p in positions.values() if p.carry_in)
    plain.reached["fee below zero"] += sum(1 for f in fees if f < 0)
    return positions


def post_approved(plain: Plain) -> None:
    """Post every approved window whose predecessor is posted, in order."""
    for window in plain.windows:
        before = plain.windows[window.number - 2].state if window.number > 1 else "settled"
        if window.state == "funding" and before in ("paying", "settled"):
            post(plain, window)
        elif window.state == "funding":
            plain.reached["approved before its predecessor is posted"] += 1


def post(plain: Plain, window: Window) -> None:
    w = window.number
    items = [item for item in plain.items if item.window == w]
    own: Counter[tuple[str, str, int]] = Counter()
    for item in items:
        if item.lot.issuer == item.shop:
            own[item.shop, item.funding, item.lot.unit] += item.points
    # what comes home pays for what goes out again
    for (shop, funding, unit), points in sorted(own.items(), key=lambda flow: flow[1] < 0):
        if points:
            plain.reached[f"own {funding} settled{' below zero' if points < 0 else ''}"] += 1
        _own(plain, w, shop, funding, unit, points)
    _others(plain, window, [item for item in items if item.lot.issuer != item.shop])
    shops = [shop for shop in window.positions if shop != OPERATOR]
    for owed in plain.owed:
        if owed.window == w:
            plain.move(_place(owed, owed.debtor), _place(owed, owed.creditor), owed.amount)
    for shop in shops:
        plain.move(f"position:{shop}::{w}", "fees", window.positions[shop].fee)
    for shop in shops:
        owes = -plain.accounts[f"position:{shop}::{w}"]
        paid = min(owes, plain.accounts[f"prefund:{shop}"])
        if paid > 0:
            plain.reached["prefund paid"] += 1
            if paid < owes:
                plain.reached["prefund paid a part"] += 1
            if release(plain, w, shop, paid):
                plain.reached["prefund released points"] += 1
            plain.move(f"prefund:{shop}", f"position:{shop}::{w}", paid)
    window.state, window.posted_at = "paying", plain.now
    settled(plain, window)


def _place(owed: Owed, party: str) -> str:
    """Where a side of it stands: the operator's by what it is for."""
    if party != OPERATOR:
        return f"position:{party}::{owed.window}"
    return {"share": "shares", "adjustment": "fees", "charge_back": "charge_backs"}[owed.reason]


def _own(plain: Plain, w: int, shop: str, funding: str, unit: int, points: int) -> None:
    accepted = f"accepted:{shop}"
    if funding == "deferred":
        plain.move(accepted, f"credit:{shop}", points)
    elif funding == "closed_loop":
        plain.move(accepted, f"own:{shop}", points)
    elif points > 0:
        # a shop that prefunds no more sends them to mint with their money
        if plain.pools(shop, unit):
            plain.move(accepted, f"pool:{shop}", points)
        else:
            plain.reached["own prefunded settled and retired"] += 1
            plain.move(accepted, f"mint:{shop}", points)
            plain.move(f"backing:{shop}", f"prefund:{shop}", points * unit)
    else:
        pooled = min(-points, plain.accounts[f"pool:{shop}"]) if plain.pools(shop, unit) else 0
        bought = -points - pooled
        plain.move(f"pool:{shop}", accepted, pooled)
        plain.move(f"mint:{shop}", accepted, bought)
        covered = min(bought * unit, plain.accounts[f"prefund:{shop}"])
        plain.move(f"prefund:{shop}", f"backing:{shop}", covered)
        plain.move(f"position:{shop}::{w}", f"backing:{shop}", bought * unit - covered)
        if pooled:
            plain.reached["restored own points from the pool"] += 1
        if bought:
            plain.reached["restored own points bought"] += 1
        if covered:
            plain.reached["restored own points paid by prefund"] += 1
        if bought * unit > covered:
            plain.reached["restored own points charged to the position"] += 1


def _others(plain: Plain, window: Window, items: list[Item]) -> None:
    w = window.number
    of_issuer: Counter[str] = Counter()
    of_pair: Counter[tuple[str, str, str, int]] = Counter()
    for item in items:
        of_pair[item.lot.issuer, item.shop, item.funding, item.lot.unit] += item.points
        if item.funding == "deferred":
            of_issuer[item.lot.issuer] += item.points
    for (issuer, shop, funding, unit), points in of_pair.items():
        if not points:
            continue
        plain.reached[f"{funding} settled{' below zero' if points < 0 else ''}"] += 1
        if funding == "prefunded":
            plain.move(f"accepted:{shop}", f"mint:{issuer}", points)
            plain.move(f"backing:{issuer}", f"position:{shop}::{w}", points * unit)
            continue
        assert funding == "deferred", funding
        waits = of_issuer[issuer] > 0 and window.positions[issuer].account < 0
        plain.reached["deferred waits for its issuer" if waits else "deferred home at once"] += 1
        if waits and points < 0:
            plain.reached["deferred settled below zero while others wait"] += 1
        plain.move(f"accepted:{shop}", f"due:{issuer}::{w}" if waits else f"credit:{issuer}", points)
        plain.move(f"position:{issuer}::{w}", f"position:{shop}::{w}", points * unit)


def release(plain: Plain, w: int, shop: str, amount: int, *, beside: int = 0) -> int:
    """The share of what waits that a payment is of what is owed, `beside` what others paid, rounded down."""
    waiting = plain.accounts[f"due:{shop}::{w}"]
    owes = beside - plain.accounts[f"position:{shop}::{w}"]
    points = waiting * amount // owes if waiting else 0
    if 0 < points < waiting:
        plain.reached["a part payment released its share"] += 1
    plain.move(f"due:{shop}::{w}", f"credit:{shop}", points)
    return points


def settled(plain: Plain, window: Window) -> None:
    if not any(plain.accounts[f"position:{shop}::{window.number}"] for shop in window.positions if shop != OPERATOR):
        window.state = "settled"
