"""What happens to a member's points by themselves: they confirm, expire, repay, are given, are told of; and limits on them."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deploy.simulate.plain.book import Book
from deploy.simulate.plain.things import Asked, Hold, Limit, Lot, Slices
from deploy.simulate.plain.words import DAY, HOMES, MOST_ASKED, MOST_UNANSWERED, STAGES


class Members(Book):
    """What members have."""

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

    def active(self, member: str) -> None:
        self.prolong([lot for lot in self.lots_of(member) if lot.wallet or lot.pending], "by activity")

    def prolong(self, lots: list[Lot], by: str) -> None:
        if (until := self.active_until) is None:
            return
        for lot in lots:
            if self.alive(lot) and lot.expires < until:
                lot.expires = until
                self.reached[f"prolonged {by}"] += 1

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
