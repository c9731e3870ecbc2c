"""The accounts of the model, and what stands in it."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime

from deploy.simulate.households import Household
from deploy.simulate.plain.settled import (
    ChargedBack,
    Covered,
    Instruction,
    Owed,
    Paid,
    Payout,
    Proposal,
    Window,
)
from deploy.simulate.plain.things import (
    Asked,
    Batch,
    Debt,
    GiftDay,
    GiftRules,
    Hold,
    Item,
    Limit,
    Lot,
    Rules,
    Sale,
    Shop,
    Sponsorship,
)
from deploy.simulate.plain.words import (
    BEGINNING,
    DAY,
    FACE_VALUE,
    HOMES,
    LIFE,
    MEMBERS,
    MERCHANTS,
    SHOPS,
)


class Book:
    """Everything there is, and the few moves that all else is made of."""

    def __init__(self) -> None:
        self.now = BEGINNING
        #: how many groups went before: what is born in a group is known to nobody before its end
        self.step = 0
        self.parted = 0
        self.shops = {name: Shop(name) for name in MERCHANTS}
        self.sponsorships: dict[str, Sponsorship] = {}
        self.rules = Rules(FACE_VALUE, LIFE.days, None)
        self.rules_agreed: Rules | None = None
        self.branch_frozen: dict[str, bool] = dict.fromkeys(SHOPS, False)
        self.stopped = False
        self.spend_locked: dict[str, bool] = dict.fromkeys(MEMBERS, False)
        self.frozen: dict[str, bool] = dict.fromkeys(MEMBERS, False)
        self.last_code: dict[str, int] = dict.fromkeys(MEMBERS, -1)
        self.households: dict[str, Household] = {}
        self.wrong_codes: dict[tuple[str, str], tuple[int, datetime]] = {}
        self.accounts: Counter[str] = Counter()
        self.lots: list[Lot] = []
        self.sales: dict[str, Sale] = {}
        #: what became a redemption, and what members had set aside for their telephones to spend; a spent one is in both
        self.holds: dict[str, Hold] = {}
        self.vouchers: dict[str, Hold] = {}
        self.asked: dict[str, Asked] = {}
        self.limits: list[Limit] = []
        #: what passed of what is limited: by subject, its name, what, and the minutes counted together: (minute, how much)
        self.passed: defaultdict[tuple[str, str, str, int], list[tuple[int, int]]] = defaultdict(list)
        self.gift_rules = GiftRules()
        self.gift_days: defaultdict[tuple[str, date], GiftDay] = defaultdict(GiftDay)
        #: up to when each stage of notices is done, and every notice: (stage, member, what expires)
        self.noticed: dict[int, datetime] = {}
        self.notices: list[tuple[int, str, frozenset[tuple[str, int, datetime]]]] = []
        self.debts: list[Debt] = []
        self.items: list[Item] = []
        #: fees on purchases: (window, shop) -> millionths
        self.charges: dict[tuple[int, str], int] = {}
        self.windows = [Window(1)]
        self.instructions: dict[str, Instruction] = {}
        #: what is owed beside the items of lots, who stood in for whom (by window and shop), and what people said
        self.owed: list[Owed] = []
        self.covers: dict[tuple[int, str], Covered] = {}
        self.proposals: dict[str, Proposal] = {}
        self.payouts: dict[str, Payout] = {}
        self.paid: dict[str, Paid] = {}
        self.charge_backs: dict[str, ChargedBack] = {}
        #: days to pay in, since when, and how far each shop was told of each window: 1 it is warned, 2 suspended
        self.grace_days: int | None = None
        self.grace_since = BEGINNING
        self.reminded: Counter[tuple[int, str]] = Counter()
        #: (shop, kind, external reference) -> taken
        self.references: set[tuple[str, str, str]] = set()
        #: operations by label whose answer is kept, for those that send them again
        self.answered: dict[str, bool] = {}
        #: how often each road was gone
        self.reached: Counter[str] = Counter()

    def move(self, source: str, target: str, amount: int) -> None:
        """source -> target; a negative amount goes back, nothing is no move."""
        self.accounts[source] -= amount
        self.accounts[target] += amount

    def wallet(self, member: str) -> int:
        return self.accounts[f"wallet:{member}"]

    def living(self, number: int) -> set[str]:
        """The shops that an instruction of a window is about to pay, or waits for."""
        return {of.shop for of in self.instructions.values() if of.number == number and of.state == "made"}

    def being_paid(self, number: int) -> set[str]:
        found = [of for of in self.instructions.values() if of.number == number and of.state == "made"]
        return {of.shop for of in found if of.direction == "pay_out"}

    @property
    def window(self) -> Window:
        """The open one."""
        return self.windows[-1]

    def lots_of(self, member: str) -> list[Lot]:
        return [lot for lot in self.lots if lot.member == member]

    def debts_of(self, member: str) -> list[Debt]:
        return [debt for debt in self.debts if debt.member == member and debt.left]

    def alive(self, lot: Lot) -> bool:
        return lot.expires > self.now

    def room(self, shop: str) -> int | None:
        """How many points a shop may still issue; None: as many as it likes."""
        contract = self.shops[shop].contract
        assert contract is not None
        if contract.mode == "prefunded":
            return self.accounts[f"pool:{shop}"]
        if contract.mode == "deferred":
            return contract.line + self.accounts[f"credit:{shop}"]
        return None

    def _charge(self, shop: str, millionths: int) -> None:
        key = (self.window.number, shop)
        self.charges[key] = self.charges.get(key, 0) + millionths

    @property
    def batch(self) -> Batch:
        """The batch that is told of now: what it ends counts in it still."""
        return self.step, self.parted

    def household_of(self, member: str) -> Household | None:
        return next((each for each in self.households.values() if each.has(member)), None)

    def set_aside(self, sponsorship: Sponsorship, points: int) -> None:
        """Into its budget out of where its sponsor issues from; below zero, back."""
        contract = self.shops[sponsorship.sponsor].contract
        if points:
            assert contract is not None
            home = HOMES[contract.mode]
            self.reached[f"budget {'set aside from' if points > 0 else 'released to'} {home}"] += 1
            self.move(f"{home}:{sponsorship.sponsor}", sponsorship.budget, points)

    def release_budgets(self, sponsor: str, why: str) -> None:
        """All that a sponsor has set aside, before its points are paid for or worth otherwise, or it leaves."""
        for each in self.sponsorships.values():
            if each.sponsor == sponsor and (left := self.accounts[each.budget]):
                self.reached[f"budget released {why}"] += 1
                self.set_aside(each, -left)

    def budgets(self, sponsor: str) -> int:
        return sum(self.accounts[each.budget] for each in self.sponsorships.values() if each.sponsor == sponsor)

    def pools(self, shop: str, unit: int) -> bool:
        """Whether a shop's prefunded points of that value come home to its pool, and not to the mint."""
        contract = self.shops[shop].contract
        return (
            contract is not None
            and (contract.mode, contract.unit) == ("prefunded", unit)
            and self.shops[shop].state != "exited"
        )

    @property
    def open_holds(self) -> list[Hold]:
        return [hold for hold in (*self.holds.values(), *self.vouchers.values()) if hold.state == "open"]

    @property
    def awaiting(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if asked.state == "awaiting"]

    def accept(self, lot: Lot, shop: str, points: int, fee: int) -> None:
        """A lot's issuer owes the shop that took it, unless it is the shop itself; that shop owes its fee."""
        value = 0 if lot.issuer == shop or lot.funding == "closed_loop" else points * lot.unit
        self.items.append(Item(self.window.number, lot, shop, lot.funding, points, value, value * fee))

    @property
    def active_until(self) -> datetime | None:
        """The end of the day so many days on from now, until when who earns or spends now keeps what there is."""
        if self.rules.inactivity_days is None:
            return None
        return self.midnight(self.rules.inactivity_days + 1)

    def midnight(self, days: int) -> datetime:
        """The beginning of the day so many days from today."""
        return datetime.combine(self.now.date() + days * DAY, datetime.min.time(), UTC)

    def end_sponsorship(self, sponsorship: Sponsorship) -> None:
        sponsorship.ended = True
        self.set_aside(sponsorship, -self.accounts[sponsorship.budget])

    def unsettled(self) -> list[Item]:
        posted = {w.number for w in self.windows if w.state in ("paying", "settled")}
        return [item for item in self.items if item.window not in posted]
