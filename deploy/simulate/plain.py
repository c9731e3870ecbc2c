"""What ought to be true, as a child could check it: lists of lots, holds, sales, debts and items, and a tally of accounts.

No SQL, no code of the ledger's, of trade's or of settlement's. Shops, members, sales and the rest go by name. Each verb
does what docs/postings.md says of one event; `settling` adds what windows do.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from deploy.simulate.households import Household

BEGINNING: Final = datetime(2017, 1, 1, tzinfo=UTC)
LIFE: Final = timedelta(days=3)
GRACE: Final = timedelta(days=30)
FACE_VALUE: Final = 5
#: A code is of one half minute.
HALF_MINUTE: Final = timedelta(seconds=30)
LOCK_TIME: Final = timedelta(minutes=15)
MOST_WRONG: Final = 5

SHOPS: Final = ("cafe", "books", "taxi", "bakery", "club", "kiosk")
#: Who gives at shops' sales: the guild points that are good nowhere, the network as itself.
SPONSORS: Final = ("brand", "network", "guild")
MERCHANTS: Final = (*SHOPS, *SPONSORS)
PEOPLE: Final = ("ann", "bob", "cyd")
#: Whose people spend from its wallet.
COMPANY: Final = "acme"
MEMBERS: Final = (*PEOPLE, COMPANY)
#: How long a voucher is held, and how many of them a member may have open.
VOUCHER: Final = timedelta(days=7)
MOST_VOUCHERS: Final = 5
#: How long a member has to answer a shop; what it may have open with one member, and ask in an hour without a yes.
ANSWERED: Final = timedelta(minutes=5)
MOST_ASKED: Final = 3
MOST_UNANSWERED: Final = 10
#: How often a day a giver may find nobody, and how often a lot may be given.
MOST_MISSED: Final = 10
LONGEST_LINEAGE: Final = 8
#: Sponsorships that are open, and those that give at any one shop.
MOST_SPONSORSHIPS: Final = 200
MOST_AT_A_SHOP: Final = 20
#: Days before the expiry on which a member is told.
STAGES: Final = (60, 30, 7)
DAY: Final = timedelta(days=1)

HOMES: Final = {"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}


class Expected(NamedTuple):
    """What an operation is to be answered: a refusal's code or None, and facts of the answer by name."""

    code: str | None
    facts: dict[str, Any]
    # whether the answer is kept for its key
    stored: bool = True


def accepted(**facts: Any) -> Expected:
    return Expected(None, facts)


def refused(code: str, **facts: Any) -> Expected:
    return Expected(code, facts, stored=code not in ("not_found", "validation_failed", "idempotency_key_reused"))


@dataclass(frozen=True, slots=True)
class Contract:
    mode: str
    line: int
    purchase_fee: int
    redemption_fee: int
    hold_minutes: int
    life_days: int | None
    unit: int
    maturity_days: int = 0

    def at(self, face_value: int) -> "Contract":
        """As it is when it comes into force at a face value: closed-loop points are worth what their shop says."""
        return self if self.mode == "closed_loop" else replace(self, unit=face_value)


@dataclass(frozen=True, slots=True)
class Rules:
    face_value: int
    life_days: int
    inactivity_days: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    points: int
    per: int
    least: int
    most: int | None

    def give(self, money: int) -> int:
        """The points for money; none below the least sale that earns."""
        points = money * self.points // self.per if money >= self.least else 0
        return points if self.most is None else min(points, self.most)


@dataclass(eq=False)
class Shop:
    """Or a sponsor, which has no till."""

    name: str
    state: str = "active"
    contract: Contract | None = None
    # agreed on, and in force when the open window closes
    agreed: Contract | None = None
    terms: Terms | None = None


@dataclass(eq=False)
class Sponsorship:
    """Goes by the name of the operation that opened it. At no shop in particular: at all."""

    name: str
    sponsor: str
    shops: tuple[str, ...] | None
    rules: Terms
    begins: datetime
    ends: datetime | None
    step: int
    ended: bool = False

    @property
    def budget(self) -> str:
        """The account of what is set aside for it."""
        return f"budget:{self.sponsor}:{self.name}"

    def at(self, shop: str) -> bool:
        return self.shops is None or shop in self.shops

    def over(self, now: datetime) -> bool:
        return self.ends is not None and self.ends <= now


@dataclass(eq=False)
class Lot:
    """Goes by the name of its sale, and of the sponsorship it is of; or by that of the gift it came with."""

    name: str
    sale: str
    member: str
    issuer: str
    funding: str
    unit: int
    points: int
    earned: datetime
    available: datetime
    expires: datetime
    born: int
    parent: "Lot | None" = None
    wallet: int = 0
    pending: int = 0
    held: int = 0
    home: int = 0
    graced: bool = False
    #: Nothing of it was open as it was bought out.
    bought_spent: bool = False

    @property
    def order(self) -> tuple[datetime, int]:
        return (self.expires, self.born)

    @property
    def holders_before(self) -> list[str]:
        """Who held the points before they were given, the last first."""
        return [self.parent.member, *self.parent.holders_before] if self.parent else []


Slices = list[tuple[Lot, int]]
#: The step, and how many of its operations had a batch of their own before and on both sides.
Batch = tuple[int, int]


@dataclass(eq=False)
class Earned:
    """A lot of a sale, and what refunds took back of it: of that, what was returned is not owed."""

    lot: Lot
    taken: int = 0
    returned: int = 0


class Bonus(NamedTuple):
    """What a sponsorship gave at a sale, or why its points were not issued."""

    sponsorship: Sponsorship
    lot: Lot | None
    refused: str | None


@dataclass(eq=False)
class Sale:
    name: str
    shop: str
    member: str | None
    money: int
    # all of them, sponsors' too
    points: int
    fee: int
    step: int
    # the shop's own, and why there are none
    lot: Lot | None = None
    refused: str | None = None
    bonuses: list[Bonus] = field(default_factory=list)
    # the shop's own first
    earned: list[Earned] = field(default_factory=list)
    refunded: int = 0

    @property
    def taken(self) -> int:
        return sum(part.taken for part in self.earned)


@dataclass(eq=False)
class Hold:
    name: str
    shop: str
    member: str
    slices: Slices
    deadline: datetime
    step: int
    state: str = "open"
    # another of the household, who consented
    by: str | None = None
    at: datetime = BEGINNING
    # the redemption fee at its capture
    fee: int = 0
    refunded: int = 0
    paid_a_sale: bool = False
    # the window of its capture
    window: int = 0
    # of a voucher: what was spent of it
    spent: int | None = None
    # the batches in which it was made, was refunded so much, and ended
    batch: "Batch" = (-1, 0)
    refunds: list[tuple["Batch", int]] = field(default_factory=list)
    ended: "Batch" = (-1, 0)

    @property
    def used(self) -> Slices:
        """The slices it takes: all, or the first of a voucher that is spent in part."""
        return self.slices if self.spent is None else first(self.slices, self.spent)

    @property
    def points(self) -> int:
        return sum(part for _, part in self.used)

    @property
    def value(self) -> int:
        return worth(self.used)


@dataclass(eq=False)
class Asked:
    """What a shop asks a member to approve; approved, it is a hold of the same name as well."""

    name: str
    shop: str
    member: str
    points: int | None
    value: int | None
    capture: bool
    reference: str
    at: datetime
    deadline: datetime
    step: int
    state: str = "awaiting"
    # the batches in which it was asked, and ended
    batch: "Batch" = (-1, 0)
    ended: "Batch" = (-1, 0)


class Limit(NamedTuple):
    """At most so much of something by one subject, a member, a merchant or a key of it, in so many minutes."""

    subject: str
    what: str
    minutes: int
    most: int

    @property
    def step(self) -> int:
        """Minutes that are counted together: a sixtieth of the time, at least one."""
        return max(1, -(-self.minutes // 60))


@dataclass(frozen=True, slots=True)
class GiftRules:
    points_a_day: int = 10_000
    gifts_a_day: int = 10
    received_a_day: int = 20_000


@dataclass(eq=False)
class GiftDay:
    given: int = 0
    gifts: int = 0
    received: int = 0
    missed: int = 0


@dataclass(eq=False)
class Debt:
    member: str
    shop: str
    sale: str
    closed: bool
    points: int
    left: int


@dataclass(eq=False)
class Item:
    """Points of a lot that a shop accepted, or gave back: what the window it falls in settles."""

    window: int
    lot: Lot
    shop: str
    # the lot's when it was accepted: a buy-out changes nothing of that
    funding: str
    points: int
    value: int
    fee: int


@dataclass(eq=False)
class Window:
    number: int
    state: str = "open"
    # the last thing decided, and by whom
    last: tuple[str, str | None] | None = None
    submitted_by: str | None = None
    # netted: by party
    positions: dict[str, "Position"] = field(default_factory=dict)


@dataclass
class Instruction:
    """A payment of a window by a rail, made or expected."""

    shop: str
    number: int
    rail: str
    direction: str
    amount: int
    state: str = "made"


class Position(NamedTuple):
    receivable: int
    payable: int
    backing: int
    millionths: int
    carry_in: int
    fee: int
    carry_out: int

    @property
    def net(self) -> int:
        return self.receivable - self.payable - self.fee

    @property
    def account(self) -> int:
        return self.net + self.backing


def first(slices: Slices, points: int) -> Slices:
    """The first points of slices, in their order."""
    one_by_one = [lot for lot, part in slices for _ in range(part)]
    return list(Counter(one_by_one[:points]).items())


def worth(slices: Iterable[tuple[Lot, int]]) -> int:
    return sum(lot.unit * part for lot, part in slices)


class Plain:
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
        #: (shop, kind, external reference) -> taken
        self.references: set[tuple[str, str, str]] = set()
        #: operations by label whose answer is kept, for those that send them again
        self.answered: dict[str, bool] = {}
        #: how often each road was gone
        self.reached: Counter[str] = Counter()

    # -- accounts

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

    # -- earning

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

    # -- limiting

    def put_limits(self, limits: list[Limit]) -> None:
        """What no limit counts any more is forgotten."""
        self.limits = limits
        counted = {(limit.subject, limit.what, limit.step) for limit in limits}
        for name in [name for name in self.passed if (name[0], *name[2:]) not in counted]:
            self.reached["a limit was taken off with what it had counted"] += 1
            del self.passed[name]

    def _minute(self) -> int:
        return int(self.now.timestamp()) // 60

    def beyond(self, member: str, shop: str, key: str | None, amounts: dict[str, int]) -> tuple[int, int] | None:
        """(what is left, what was asked) of the first limit that would be passed; None: all have room."""
        for limit in self.limits:
            subject = {"member": member, "merchant": shop, "key": key}[limit.subject]
            if subject is None or limit.what not in amounts:
                continue
            there = self.passed[limit.subject, subject, limit.what, limit.step]
            # every step that the time reaches into, from the beginning of the present one, counts whole
            first = (self._minute() // limit.step * limit.step - limit.minutes) // limit.step
            counts = [amount for minute, amount in there if minute // limit.step >= first]
            self.reached["a limit's room came back"] += len(counts) < len(there)
            if amounts[limit.what] > limit.most - sum(counts):
                self.reached[f"beyond a limit of a {limit.subject}"] += 1
                return max(0, limit.most - sum(counts)), amounts[limit.what]
        return None

    def count(self, member: str, shop: str, key: str | None, amounts: dict[str, int]) -> None:
        """What passed stays counted, whatever becomes of it. Limits that count the same steps count them once."""
        names = {
            (limit.subject, {"member": member, "merchant": shop, "key": key}[limit.subject], limit.what, limit.step)
            for limit in self.limits
            if limit.what in amounts
        }
        for subject, name, what, step in names:
            if name is not None:
                self.passed[subject, name, what, step].append((self._minute(), amounts[what]))

    # -- sharing

    @property
    def batch(self) -> Batch:
        """The batch that is told of now: what it ends counts in it still."""
        return self.step, self.parted

    def household_of(self, member: str) -> Household | None:
        return next((each for each in self.households.values() if each.has(member)), None)

    def may_spend_for(self, owner: str, spender: str) -> bool:
        household = self.household_of(owner)
        if household is None or household.month(owner, spender) is None:
            return False
        if self.frozen[spender] or self.spend_locked[spender]:
            self.reached["who is frozen or locked consents to nothing"] += 1
            return False
        return True

    def month_left(self, owner: str, spender: str) -> int | None:
        """What a spender may still spend from another's wallet this month; None: nothing is shared."""
        household = self.household_of(owner)
        allowed = household.month(owner, spender) if household else None
        if allowed is None:
            return None
        most, alone = allowed
        month = (self.now.year, self.now.month)
        mine = [hold for hold in self.holds.values() if hold.member == owner and hold.by]
        mine = [hold for hold in mine if (hold.at.year, hold.at.month) == month]
        if alone:
            mine = [hold for hold in mine if hold.by == spender]
        self.reached["a month's limit of several together"] += len({hold.by for hold in mine}) > 1
        return most - sum(self._counts(hold) for hold in mine)

    def _counts(self, hold: Hold) -> int:
        """What a hold counts in the month: what came back of it does no more, from the next batch on."""
        if hold.batch == self.batch:
            return hold.points
        if hold.state not in ("open", "captured") and hold.ended != self.batch:
            self.reached["what came back counts in the month no more"] += 1
            return 0
        before = sum(points for batch, points in hold.refunds if batch != self.batch)
        self.reached["what came back counts in the month no more"] += before > 0
        return hold.points - before

    # -- sponsoring

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

    # -- going home

    def catch_up(self, member: str) -> None:
        """What was to confirm by now does, and repays nothing; then what is past its time in a wallet goes home."""
        for lot in self.lots_of(member):
            if lot.pending and lot.available <= self.now:
                self.reached["confirmed"] += 1
                if self.debts_of(member):
                    self.reached["confirmed and repaid nothing"] += 1
                self.move(f"pending:{member}", f"wallet:{member}", lot.pending)
                lot.pending, lot.wallet = 0, lot.wallet + lot.pending
        for lot in self.lots_of(member):
            if lot.wallet and not self.alive(lot):
                self.reached[f"expired {lot.funding}"] += 1
                if lot.graced:
                    self.reached["expired after grace"] += 1
                self.go_home(lot, "wallet", lot.wallet)

    def go_home(self, lot: Lot, place: str, points: int) -> None:
        setattr(lot, place, getattr(lot, place) - points)
        lot.home += points
        there = f"{place}:{lot.member}"
        if lot.funding != "prefunded":
            self.move(there, f"{HOMES[lot.funding]}:{lot.issuer}", points)
        elif self.pools(lot.issuer, lot.unit):
            self.reached[f"back in the pool from {place}"] += 1
            self.move(there, f"pool:{lot.issuer}", points)
        else:
            self.reached[f"retired from {place}"] += 1
            contract = self.shops[lot.issuer].contract
            if contract and (contract.mode, contract.unit) == ("prefunded", lot.unit):
                self.reached["came home after its shop left"] += 1
            self.move(there, f"mint:{lot.issuer}", points)
            self.move(f"backing:{lot.issuer}", f"prefund:{lot.issuer}", points * lot.unit)

    def pools(self, shop: str, unit: int) -> bool:
        """Whether a shop's prefunded points of that value come home to its pool, and not to the mint."""
        contract = self.shops[shop].contract
        return (
            contract is not None
            and (contract.mode, contract.unit) == ("prefunded", unit)
            and self.shops[shop].state != "exited"
        )

    # -- spending

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

    @property
    def open_holds(self) -> list[Hold]:
        return [hold for hold in (*self.holds.values(), *self.vouchers.values()) if hold.state == "open"]

    def _set_aside(self, held: Hold) -> None:
        self.active(held.member)
        for lot, part in held.slices:
            lot.wallet -= part
            lot.held += part
        self.move(f"wallet:{held.member}", f"held:{held.member}", held.points)

    def too_many_asked(self, shop: str, member: str) -> tuple[int, int] | None:
        """(allowed, asked) of the limit of requests to a member that one more would pass. What a batch ends that was there
        before counts in it still."""
        mine = [each for each in self.asked.values() if (each.shop, each.member) == (shop, member)]
        there = sum(
            each.state == "awaiting" or (each.ended == self.batch and each.batch != self.batch) for each in mine
        )
        if there >= MOST_ASKED:
            return MOST_ASKED, there + 1
        lately = [each for each in mine if each.at > self.now - timedelta(hours=1)]
        unanswered = sum(each.state != "approved" or each.ended == self.batch for each in lately)
        return (MOST_UNANSWERED, unanswered + 1) if unanswered >= MOST_UNANSWERED else None

    def end_asked(self, asked: Asked, state: str) -> None:
        asked.state, asked.ended = state, self.batch
        self.reached[f"asked and {state}"] += 1

    @property
    def awaiting(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if asked.state == "awaiting"]

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

    def accept(self, lot: Lot, shop: str, points: int, fee: int) -> None:
        """A lot's issuer owes the shop that took it, unless it is the shop itself; that shop owes its fee."""
        value = 0 if lot.issuer == shop or lot.funding == "closed_loop" else points * lot.unit
        self.items.append(Item(self.window.number, lot, shop, lot.funding, points, value, value * fee))

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

    # -- refunding

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

    # -- owing

    def repay(self, member: str, arrived: Slices, by: str) -> None:
        """Points that arrived pay the oldest debt first, the soonest to expire first; at the creditor's till, without fee."""
        living = sorted(((lot, part) for lot, part in arrived if self.alive(lot)), key=lambda s: s[0].order)
        left = dict(living)
        owed = self.debts_of(member)
        for debt in owed:
            for lot, _ in living:
                own = lot.issuer == debt.shop
                if not own and (debt.closed or lot.funding == "closed_loop"):
                    if left[lot]:
                        self.reached["a debt these points may not repay"] += 1
                    continue
                if not (paid := min(left[lot], debt.left)):
                    continue
                left[lot] -= paid
                debt.left -= paid
                place = "wallet" if lot.available <= self.now else "pending"
                setattr(lot, place, getattr(lot, place) - paid)
                if place == "pending":
                    self.reached["repaid with pending points"] += 1
                self.reached[f"repaid by {by}"] += 1
                if debt is owed[0] and len({other.shop for other in owed}) > 1:
                    self.reached["repaid the oldest of several debts"] += 1
                self.reached["repaid with own points" if own else "repaid with another's points"] += 1
                self.accept(lot, debt.shop, paid, 0)
                self.move(f"{place}:{member}", f"debt:{member}:{debt.shop}", paid)
                self.move(f"claim:{debt.shop}", f"accepted:{debt.shop}", paid)

    # -- giving

    def give(self, name: str, giver: str, receiver: str, slices: Slices) -> None:
        """Each slice becomes a lot of the receiver's, like the one it came from; it repays nothing."""
        if self.debts_of(receiver):
            self.reached["a gift repaid nothing"] += 1
        for i, (lot, part) in enumerate(slices):
            lot.wallet -= part
            child = replace(
                lot,
                name=f"{name}/{i}",
                member=receiver,
                points=part,
                wallet=part,
                pending=0,
                held=0,
                home=0,
                born=len(self.lots),
                parent=lot,
            )
            self.lots.append(child)
            self.reached["given again" if lot.parent else "given"] += 1
            self.reached["given with its grace used"] += lot.graced
        self.move(f"wallet:{giver}", f"wallet:{receiver}", sum(part for _, part in slices))

    # -- inactivity

    @property
    def active_until(self) -> datetime | None:
        """The end of the day so many days on from now, until when who earns or spends now keeps what there is."""
        if self.rules.inactivity_days is None:
            return None
        return self.midnight(self.rules.inactivity_days + 1)

    def midnight(self, days: int) -> datetime:
        """The beginning of the day so many days from today."""
        return datetime.combine(self.now.date() + days * DAY, datetime.min.time(), UTC)

    def active(self, member: str) -> None:
        self.prolong([lot for lot in self.lots_of(member) if lot.wallet or lot.pending], "by activity")

    def prolong(self, lots: list[Lot], by: str) -> None:
        if (until := self.active_until) is None:
            return
        for lot in lots:
            if self.alive(lot) and lot.expires < until:
                lot.expires = until
                self.reached[f"prolonged {by}"] += 1

    # -- notices

    def _waiting(self, stage: int) -> list[Lot]:
        """Lots in whose expiry a stage may be interested, the soonest first."""
        begin = self.noticed.get(stage, self.now)
        lots = [lot for lot in self.lots if lot.wallet + lot.pending and lot.expires > self.now]
        return sorted((lot for lot in lots if lot.expires >= begin), key=lambda lot: lot.expires)

    def notice_times(self) -> dict[int, datetime]:
        """When each stage has something to tell next: as the day begins that is so many days before an expiry."""
        return {
            stage: datetime.combine(waiting[0].expires.date() - stage * DAY, datetime.min.time(), UTC)
            for stage in STAGES
            if (waiting := self._waiting(stage))
        }

    def notice(self) -> None:
        """Tell members of what expires within the days of a stage, once; what a later stage is about to tell is left to it."""
        for stage, when in self.notice_times().items():
            if when > self.now:
                continue
            later = [other for other in STAGES if other < stage]
            begin = self.midnight(max(later) + 1) if later else self.now
            horizon = self.midnight(stage + 1)
            told: defaultdict[str, list[Lot]] = defaultdict(list)
            for lot in self._waiting(stage):
                if begin <= lot.expires < horizon and lot.expires - stage * DAY >= lot.earned:
                    told[lot.member].append(lot)
            self.reached["notice after a notice"] += any(
                begin <= expires < horizon
                for other, _, before in self.notices
                if other == stage
                for _, _, expires in before
            )
            for member, lots in told.items():
                self.reached[f"notice {stage} days before"] += 1
                expiring = frozenset((lot.name, lot.wallet + lot.pending, lot.expires) for lot in lots)
                self.notices.append((stage, member, expiring))
            self.noticed[stage] = max(horizon, self.noticed.get(stage, horizon))

    # -- time

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

    def end_sponsorship(self, sponsorship: Sponsorship) -> None:
        sponsorship.ended = True
        self.set_aside(sponsorship, -self.accounts[sponsorship.budget])

    # -- leaving

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

    # -- agreeing

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

    # -- what stays true

    def unsettled(self) -> list[Item]:
        posted = {w.number for w in self.windows if w.state in ("paying", "settled")}
        return [item for item in self.items if item.window not in posted]

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
    )
