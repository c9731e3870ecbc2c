"""What shops do with members: sales, redemptions, and their refunds; what sponsors give."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from deploy.simulate.plain.members import Members
from deploy.simulate.plain.things import Bonus, Debt, Earned, Hold, Lot, Sale, Slices, Sponsorship
from deploy.simulate.plain.words import (
    DAY,
    GRACE,
    HOMES,
    VOUCHER,
)


class Trade(Members):
    """What passes at tills."""

    def sell(self, name: str, shop: str, member: str | None, total: int, points_part: int) -> Sale:
        """Record a sale; what it earns becomes a lot, or there is a reason why not; beside it what sponsors give."""
        contract = self.shops[shop].contract
        assert contract is not None
        money = total - points_part
        fee = contract.purchase_fee if member else 0
        own, why = self.earns(shop, money) if member else (0, None)
        if own and (room := self.room(shop)) is not None and own > room:
            own, why = 0, "issuing_limit_reached"
        given = self._given_at(shop, money) if member else []
        together = own + sum(points for _, points, refused in given if refused is None)
        if together and member:
            amounts = {"earn_points": together, "sale_count": 1}
            if self.beyond(member, shop, shop, amounts):
                own, why = 0, "velocity_limit"
                given = [(each, points, refused or why) for each, points, refused in given]
            else:
                self.count(member, shop, shop, amounts)
        sale = self.sales[name] = Sale(name, shop, member, money, 0, fee, self.step, refused=why)
        if member and money * fee:
            self._charge(shop, money * fee)
        self.reached[f"sale: {why or ('earned' if own else 'without member')}"] += 1
        if not member:
            return sale
        self.active(member)
        available = self.now + contract.maturity_days * DAY
        if own:
            sale.lot = self._earn(sale, name, shop, own, available, f"{HOMES[contract.mode]}:{shop}")
        for sponsorship, points, refused in given:
            self._give_bonus(sale, sponsorship, points, refused, available)
        self.reached["sponsors gave where a shop had run dry"] += (
            why == "issuing_limit_reached" and len(sale.earned) > 0
        )
        # together, for of all that arrived the soonest to expire repays first
        self.repay(member, [(part.lot, part.lot.points) for part in sale.earned], "a sale")
        return sale

    def _earn(self, sale: Sale, name: str, issuer: str, points: int, available: datetime, source: str) -> Lot:
        """A lot of a sale, its points out of the issuer's home or a budget."""
        assert sale.member is not None
        lot = self.lot(name, sale, issuer, points, available)
        place = "wallet" if lot.available <= self.now else "pending"
        self.reached[f"earned {lot.funding}{' pending' if place == 'pending' else ''}"] += 1
        setattr(lot, place, points)
        self.move(source, f"{place}:{sale.member}", points)
        sale.points += points
        sale.earned.append(Earned(lot))
        return lot

    def lot(self, name: str, sale: Sale, issuer: str, points: int, available: datetime) -> Lot:
        """Under its issuer's contract; a sponsor's that confirms late is there for a day at least."""
        contract = self.shops[issuer].contract
        assert contract is not None
        assert sale.member is not None
        expires = self.now + timedelta(days=max(self.rules.life_days, contract.life_days or 0))
        if (until := self.active_until) is not None and until > expires:
            self.reached["born to live on"] += 1
            expires = until
        if issuer != sale.shop and expires < available + DAY:
            self.reached["a sponsor's points lived a day after they confirmed"] += 1
            expires = available + DAY
        born = Lot(
            name,
            sale.name,
            sale.member,
            issuer,
            contract.mode,
            contract.unit,
            points,
            self.now,
            available,
            expires,
            len(self.lots),
        )
        self.lots.append(born)
        return born

    def earns(self, shop: str, money: int) -> tuple[int, str | None]:
        """What the terms give for money, or why nothing; the issuing limit apart."""
        terms = self.shops[shop].terms
        if self.shops[shop].state != "active":
            return 0, "merchant_suspended"
        if self.branch_frozen[shop]:
            return 0, "branch_frozen"
        if terms is None:
            return 0, "no_terms"
        if money == 0:
            return 0, "nothing_paid"
        if money < terms.least:
            return 0, "below_minimum"
        if terms.points == 0 or terms.most == 0:
            return 0, "terms_exclude"
        points = terms.give(money)
        return points, None if points else "below_one_point"

    def _given_at(self, shop: str, money: int) -> list[tuple[Sponsorship, int, str | None]]:
        """What the sponsorships at a shop give for money, or why they do not; those that give nothing left out."""
        found = []
        for each in self.sponsorships.values():
            if each.ended or not each.at(shop) or each.begins > self.now:
                continue
            if (points := each.rules.give(money)) == 0:
                continue
            if each.over(self.now):
                self.reached["a sponsorship was over and not ended yet"] += 1
            elif self.shops[shop].state != "active":
                self.reached["no sponsor gave at a suspended shop"] += 1
            elif self.branch_frozen[shop]:
                self.reached["no sponsor gave at a frozen branch"] += 1
            else:
                found.append((each, points, self._refused(each, points)))
        return found

    def _refused(self, sponsorship: Sponsorship, points: int) -> str | None:
        if self.shops[sponsorship.sponsor].state != "active":
            return "merchant_suspended"
        return "budget_too_small" if points > self.accounts[sponsorship.budget] else None

    def _give_bonus(
        self, sale: Sale, sponsorship: Sponsorship, points: int, refused: str | None, available: datetime
    ) -> None:
        """Whole or not at all, out of its budget."""
        lot = None
        if refused is None:
            name = f"{sale.name}+{sponsorship.name}"
            lot = self._earn(sale, name, sponsorship.sponsor, points, available, sponsorship.budget)
        self.reached[f"bonus: {refused or 'given'}"] += 1
        sale.bonuses.append(Bonus(sponsorship, lot, refused))

    def usable(self, member: str, shop: str) -> list[Lot]:
        """The lots a shop may take from a wallet, in the order they go."""
        found = [
            lot
            for lot in self.lots_of(member)
            if lot.wallet and self.alive(lot) and (lot.funding != "closed_loop" or lot.issuer == shop)
        ]
        return sorted(found, key=lambda lot: lot.order)

    def choose(self, lots: Sequence[Lot], points: int | None, value: int | None) -> Slices | None:
        """The slices of a redemption of points, or worth at most a value; None: there is too little."""
        slices: Slices = []
        if points is not None:
            for lot in lots:
                if part := min(points, lot.wallet):
                    slices.append((lot, part))
                    points -= part
            return None if points else slices
        assert value is not None
        if sum(lot.wallet * lot.unit for lot in lots) < value:
            return None
        for lot in lots:
            if part := min(value // lot.unit, lot.wallet):
                slices.append((lot, part))
                value -= part * lot.unit
        return slices or None

    def hold(self, name: str, shop: str, member: str, slices: Slices, by: str | None = None) -> Hold:
        contract = self.shops[shop].contract
        assert contract is not None
        deadline = self.now + timedelta(minutes=contract.hold_minutes)
        held = self.holds[name] = Hold(
            name, shop, member, slices, deadline, self.step, by=by, at=self.now, batch=self.batch
        )
        self._set_aside(held)
        return held

    def promise(self, name: str, shop: str, member: str, slices: Slices) -> Hold:
        """A voucher: a hold of the shop's for the member's telephone to spend."""
        held = self.vouchers[name] = Hold(name, shop, member, slices, self.now + VOUCHER, self.step)
        self._set_aside(held)
        return held

    def _set_aside(self, held: Hold) -> None:
        self.active(held.member)
        for lot, part in held.slices:
            lot.wallet -= part
            lot.held += part
        self.move(f"wallet:{held.member}", f"held:{held.member}", held.points)

    def capture(self, hold: Hold, points: int | None = None) -> None:
        """All of it, or of a voucher what was spent: the rest goes back like a void, right behind."""
        contract = self.shops[hold.shop].contract
        assert contract is not None
        hold.state, hold.fee, hold.window = "captured", contract.redemption_fee, self.window.number
        hold.spent, hold.ended = points, self.batch
        for lot, part in hold.used:
            if not self.alive(lot):
                self.reached["captured what expired while held"] += 1
            lot.held -= part
            self.accept(lot, hold.shop, part, hold.fee)
        self.move(f"held:{hold.member}", f"accepted:{hold.shop}", hold.points)
        rest = Counter(dict(hold.slices)) - Counter(dict(hold.used))
        if rest:
            self.reached["rest of a voucher came back"] += 1
            self._let_go(hold.member, list(rest.items()), "the rest of a voucher")

    def release(self, hold: Hold, state: str) -> None:
        """A void or a lapse: back into the wallet, without grace; it repays."""
        hold.state, hold.ended = state, self.batch
        if hold.name in self.vouchers:
            self.reached[f"voucher {state}"] += 1
        for lot, _ in hold.slices:
            self.reached[f"{state} {'alive' if self.alive(lot) else 'expired while held'}"] += 1
        self._let_go(hold.member, hold.slices, "a void" if state == "voided" else "a lapse")

    def _let_go(self, member: str, slices: Slices, by: str) -> None:
        for lot, part in slices:
            lot.held -= part
            lot.wallet += part
        self.move(f"held:{member}", f"wallet:{member}", sum(part for _, part in slices))
        self.prolong([lot for lot, _ in slices], "by coming back")
        self.repay(member, slices, by)

    def refund(self, sale: Sale, amount: int) -> list[tuple[Lot, int, int, int]]:
        """Of each lot of a sale (points taken back, returned, owed) by a refund, each rounded down by itself."""
        if sale.earned and sale.member:
            self.catch_up(sale.member)
            lots = [part.lot for part in sale.earned]
            self.reached["refund of a sale whose points were given"] += any(lot.parent in lots for lot in self.lots)
        self.reached["refund of a slice" if sale.refunded or amount < sale.money else "refund whole"] += 1
        sale.refunded += amount
        if sale.member and amount * sale.fee:
            self._charge(sale.shop, -amount * sale.fee)
        self.reached["refund of a sale at which sponsors gave"] += len(sale.earned) > bool(sale.lot)
        owed: dict[str, Debt] = {}
        return [(part.lot, *self._take_back(sale, part, owed)) for part in sale.earned]

    def _take_back(self, sale: Sale, part: Earned, debts: dict[str, Debt]) -> tuple[int, int, int]:
        lot = part.lot
        back = lot.points * sale.refunded // sale.money - part.taken
        part.taken += back
        if not back:
            return 0, 0, 0
        pending = min(back, lot.pending)
        wallet = min(back - pending, lot.wallet)
        expired = min(back - pending - wallet, lot.home - part.returned)
        owed = back - pending - wallet - expired
        if pending:
            self.reached[f"refund of pending points went home {lot.funding}"] += 1
            self.go_home(lot, "pending", pending)
        if wallet:
            self.reached[f"refund went home {lot.funding}"] += 1
            self.go_home(lot, "wallet", wallet)
        if expired:
            self.reached["refund counted what expired"] += 1
        if min(back - pending - wallet, lot.home) > expired:
            self.reached["refund counted no expired point twice"] += 1
        if owed:
            self.reached["refund left a debt" if not lot.home else "refund left a debt after an expiry"] += 1
            self.reached[f"debt {lot.funding}"] += 1
            self._owe(sale, lot, owed, debts)
        part.returned += pending + wallet + expired
        return back, pending + wallet + expired, owed

    def _owe(self, sale: Sale, lot: Lot, points: int, debts: dict[str, Debt]) -> None:
        """One debt for each issuer that a refund leaves with something owed."""
        if lot.issuer != sale.shop:
            self.reached["a sponsor is owed"] += 1
        self.move(f"debt:{lot.member}:{lot.issuer}", f"claim:{lot.issuer}", points)
        if (there := debts.get(lot.issuer)) is not None:
            self.reached["lots of one sponsor are one debt"] += 1
            there.points, there.left = there.points + points, there.left + points
            return
        made = Debt(lot.member, lot.issuer, sale.name, lot.funding == "closed_loop", points, points)
        debts[lot.issuer] = made
        self.debts.append(made)

    def restored(self, hold: Hold, points: int) -> Slices:
        """The slices of a redemption that come back next: the last consumed first."""
        consumed = [lot for lot, part in hold.used for _ in range(part)]
        coming = consumed[::-1][hold.refunded : hold.refunded + points]
        return list(Counter(coming).items())

    def give_back(self, hold: Hold, points: int) -> Slices:
        """A refund of a redemption: to the very lots; what expired lives on once."""
        self.catch_up(hold.member)
        slices = self.restored(hold, points)
        if self.windows[hold.window - 1].state in ("paying", "settled"):
            self.reached["refund of a settled redemption"] += 1
        hold.refunded += points
        hold.refunds.append((self.batch, points))
        for lot, part in slices:
            if lot.funding == "prefunded" and any(
                item.lot is lot and item.funding != "prefunded" for item in self.items
            ):
                self.reached["bought out and given back"] += 1
            if lot.bought_spent:
                self.reached["bought out when all spent and given back"] += 1
            if not self.alive(lot):
                self.reached["grace refused" if lot.graced else "grace"] += 1
            if not self.alive(lot) and not lot.graced:
                lot.graced, lot.expires = True, self.now + GRACE
            lot.wallet += part
            self.accept(lot, hold.shop, -part, hold.fee)
        self.move(f"accepted:{hold.shop}", f"wallet:{hold.member}", points)
        self.catch_up(hold.member)
        self.repay(hold.member, slices, "a refund")
        return slices
