"""Time, what people agree on, who leaves and who does not pay; and what always stays true."""

from collections import Counter
from datetime import datetime, timedelta

from deploy.simulate.plain.things import Contract
from deploy.simulate.plain.trade import Trade
from deploy.simulate.plain.words import (
    DAY,
    HOMES,
    MEMBERS,
    MERCHANTS,
)


class Plain(Trade):
    """The whole model. `settling` adds what windows do."""

    def pass_time(self, to: datetime) -> None:
        """On to a time, stopping wherever something falls due: holds lapse, points confirm, then points expire."""
        while True:
            self.do_due()
            if self.now >= to:
                return
            ahead = [hold.deadline for hold in self.open_holds]
            ahead += [asked.deadline for asked in self.awaiting]
            ahead += [lot.expires for lot in self.lots if lot.wallet]
            ahead += [lot.available for lot in self.lots if lot.pending]
            ahead += self.notice_times().values()
            ahead += [each.ends for each in self.sponsorships.values() if each.ends and not each.ended]
            ahead += [when for when, _, _ in self.reminders()]
            self.now = min([to, *[when for when in ahead if when > self.now]])

    def do_due(self) -> None:
        over = [hold for hold in self.open_holds if hold.deadline <= self.now]
        for hold in sorted(over, key=lambda h: h.deadline):
            self.release(hold, "lapsed")
        for asked in self.awaiting:
            if asked.deadline <= self.now:
                self.end_asked(asked, "lapsed")
        for member in MEMBERS:
            self.catch_up(member)
        self.notice()
        for each in self.sponsorships.values():
            if each.over(self.now) and not each.ended:
                self.reached["a sponsorship ended by its time"] += 1
                self.end_sponsorship(each)
        self.remind()

    def reminders(self) -> list[tuple[datetime, int, str]]:
        """When each that has not paid a window in is warned, a day before, or suspended."""
        found = []
        for window in self.windows if self.grace_days is not None else ():
            if window.state != "paying":
                continue
            since = max(self.grace_since, window.posted_at)
            suspends = since + timedelta(days=self.grace_days or 0)
            for shop in window.positions:
                told = self.reminded[window.number, shop]
                if self.accounts[f"position:{shop}::{window.number}"] < 0 and told < 2:
                    found.append((suspends if told else max(since, suspends - DAY), window.number, shop))
        return found

    def remind(self) -> None:
        """Warn, and suspend, whoever it is time for."""
        while due := [each for each in self.reminders() if each[0] <= self.now]:
            for _, number, shop in due:
                self.reminded[number, shop] += 1
                if self.reminded[number, shop] == 1:
                    self.reached["warned of its pay-in"] += 1
                elif self.shops[shop].state == "active":
                    self.reached["suspended by the clock"] += 1
                    self.shops[shop].state = "suspended"

    def buy_out(self, shop: str, payer: str, *, leaves: bool) -> tuple[int, int]:
        """Money is put behind every point that members have of a shop: how many, and what they are worth."""
        points = value = 0
        for lot in self.lots:
            if lot.issuer != shop or lot.funding == "prefunded":
                continue
            there = lot.pending + lot.wallet + lot.held
            self.reached[f"{'left' if leaves else 'bought out'} with {lot.funding} points"] += bool(there)
            self.move(f"mint:{shop}", f"{HOMES[lot.funding]}:{shop}", there)
            self.move(f"prefund:{payer}", f"backing:{shop}", there * lot.unit)
            points, value = points + there, value + there * lot.unit
            lot.funding, lot.bought_spent = "prefunded", not lot.pending + lot.wallet + lot.held
        return points, value

    def sell_pool_back(self, shop: str, points: int) -> None:
        contract = self.shops[shop].contract
        assert contract is not None
        self.move(f"pool:{shop}", f"mint:{shop}", points)
        self.move(f"backing:{shop}", f"prefund:{shop}", points * contract.unit)

    def put_in_force(self, shop: str, contract: Contract) -> None:
        self.shops[shop].contract, self.shops[shop].agreed = contract, None
        if contract.mode == "deferred" and -self.accounts[f"credit:{shop}"] > contract.line:
            self.reached["credit line below what is issued"] += 1

    def end_of_window(self) -> None:
        """What was agreed on comes into force: the rules, then each shop's contract, its pool sold back first."""
        if (rules := self.rules_agreed) is not None:
            self.rules, self.rules_agreed = rules, None
            self.reached["a new face value"] += 1
        for shop in self.shops.values():
            before = shop.contract
            if before is None or shop.state == "exited":
                continue
            # a shop that agreed on nothing goes on as before, at the face value there is now
            after = (shop.agreed or before).at(self.rules.face_value)
            if after == before:
                continue
            if (after.mode, after.unit) != (before.mode, before.unit):
                self.reached[f"from {before.mode} to {after.mode}"] += 1
                self.release_budgets(shop.name, "at a window's end")
                pool = self.accounts[f"pool:{shop.name}"]
                if pool:
                    self.reached["pool sold back at a window's end"] += 1
                    self.sell_pool_back(shop.name, pool)
            if shop.agreed and rules and before.mode != after.mode:
                self.reached["a new face value met a new contract"] += 1
            self.put_in_force(shop.name, after)

    def faults(self) -> list[str]:
        """What is not as docs/postings.md says it always is: Z, P, D, C, B, O of this model itself."""
        open_points: Counter[tuple[str, str]] = Counter()
        backed: Counter[str] = Counter()
        accepted_of: Counter[str] = Counter()
        held_by: Counter[str] = Counter()
        for lot, funding, points in [
            *((lot, lot.funding, lot.wallet + lot.pending + lot.held) for lot in self.lots),
            *((item.lot, item.funding, item.points) for item in self.unsettled()),
        ]:
            open_points[lot.issuer, funding] += points
            backed[lot.issuer] += points * lot.unit if funding == "prefunded" else 0
        for lot in self.lots:
            for place in ("wallet", "pending", "held"):
                held_by[f"{place}:{lot.member}"] += getattr(lot, place)
        for item in self.unsettled():
            accepted_of[f"accepted:{item.shop}"] += item.points
        owed: Counter[str] = Counter()
        for debt in self.debts:
            owed[f"debt:{debt.member}:{debt.shop}"] -= debt.left
            owed[f"claim:{debt.shop}"] += debt.left
        at = self.accounts
        due: Counter[str] = Counter()
        for name, balance in at.items():
            if name.startswith("due:"):
                due[name.split(":")[1]] += balance
        sides = [("Z", sum(at[n] for n in at if is_points(n)), 0), ("Z", sum(at[n] for n in at if not is_points(n)), 0)]
        for shop in MERCHANTS:
            contract = self.shops[shop].contract
            unit = contract.unit if contract else 0
            aside = {contract.mode: self.budgets(shop)} if contract else {}
            unissued = at[f"pool:{shop}"] + aside.get("prefunded", 0)
            credit = at[f"credit:{shop}"] + aside.get("deferred", 0)
            own = at[f"own:{shop}"] + aside.get("closed_loop", 0)
            sides += [
                (f"P {shop}", open_points[shop, "prefunded"], -at[f"mint:{shop}"] - unissued),
                (f"D {shop}", open_points[shop, "deferred"], -credit - due[shop]),
                (f"C {shop}", open_points[shop, "closed_loop"], -own),
                (f"B {shop}", backed[shop] + unit * unissued, at[f"backing:{shop}"]),
                (f"accepted {shop}", accepted_of[f"accepted:{shop}"], at[f"accepted:{shop}"]),
                (f"O {shop}", owed[f"claim:{shop}"], at[f"claim:{shop}"]),
            ]
            sides += [(f"O {m} {shop}", owed[f"debt:{m}:{shop}"], at[f"debt:{m}:{shop}"]) for m in MEMBERS]
        for member in MEMBERS:
            for place in ("wallet", "pending", "held"):
                sides.append((f"{place} {member}", held_by[f"{place}:{member}"], at[f"{place}:{member}"]))
        return [f"{name}: {one} is not {other}" for name, one, other in sides if one != other]


def is_points(account: str) -> bool:
    kind = account.split(":")[0]
    return kind not in (
        "bank",
        "psp",
        "prefund",
        "backing",
        "collateral",
        "position",
        "fees",
        "costs",
        "loss",
        "shares",
        "charge_backs",
    )
