"""A small network to tell stories in: the real ledger, trade and settlement on a real database, no HTTP.

world.shop("cafe", mode="deferred", line=1000)
world.sale("ann", at="cafe", total=12_000)
assert world.balance("ann") == 120
"""

import datetime as dt
import itertools
from typing import Any
from uuid import UUID

import ledger
import ledger.audit
import merchants.trade.audit
import settlement
import settlement.audit
from deploy.house import House
from ledger.posting import Decision
from merchants import contracts, people, safety, trade

SPEND_KEY = b"s" * 32
MAKER = settlement.windows.Asker(UUID(int=1), "maker")
APPROVER = settlement.windows.Asker(UUID(int=2), "approver")
BEGINNING = dt.datetime(2017, 1, 1, tzinfo=dt.UTC)


class Refused(AssertionError):
    """A request that was expected to be accepted was refused."""


class World:
    """Shops and members by name. `ask` gives the decision; the verbs insist on acceptance."""

    def __init__(
        self,
        url: str,
        *,
        network: str = "stories",
        life_days: int = 120,
        inactivity_days: int | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        self.url = url
        self.house = House.open(url, SPEND_KEY)
        self.shops: dict[str, UUID] = {}
        self.branches: dict[str, UUID] = {}
        self.members: dict[str, UUID] = {}
        self.secrets: dict[str, str] = {}
        self.devices: dict[str, UUID] = {}
        self._numbers = itertools.count(1)
        self._keys = itertools.count(1)
        self.decisions: dict[bytes, Decision] = {}
        with self.house.db.tx("door") as tx:
            book = ledger.books.open_book(
                tx,
                ledger.books.NewBook(
                    network=network,
                    mode="test",
                    currency="USD",
                    exponent=2,
                    face_value_minor=1,
                    points_life_days=life_days,
                    time_zone="UTC",
                    window_schedule=schedule,
                    clock=BEGINNING,
                    inactivity_days=inactivity_days,
                ),
            )
        assert isinstance(book, ledger.Book)
        self.book_id = book.id
        self.public_id = book.public_id
        self.operator = book.operator_id

    def close(self) -> None:
        self.house.close()

    # -- the network

    @property
    def book(self) -> ledger.Book:
        with self.house.db.tx("door") as tx:
            return ledger.read_book(tx, self.book_id)

    def shop(
        self,
        name: str,
        *,
        mode: str = "deferred",
        line: int = 1_000_000,
        points_per_dollar: int = 1,
        purchase_fee_ppm: int = 0,
        redemption_fee_ppm: int = 0,
        hold_minutes: int = 15,
        bought: int = 0,
        **more: Any,
    ) -> UUID:
        """A shop with one branch, a contract and terms; a prefunded one may buy points at once."""
        with self.house.db.tx("door") as tx:
            merchant = contracts.add_merchant(tx, self.book, name, "shop", None, BEGINNING)
            assert isinstance(merchant, contracts.Merchant), merchant
            branch = contracts.add_branch(tx, self.book, merchant.id, "main", name, "physical", None)
            assert isinstance(branch, contracts.Branch), branch
        self.shops[name] = merchant.id
        self.branches[name] = branch.id
        self.do(
            "contract",
            contracts.NewContract(
                merchant_id=merchant.id,
                mode=mode,
                credit_line_points=line if mode == "deferred" else 0,
                purchase_fee_ppm=purchase_fee_ppm,
                redemption_fee_ppm=redemption_fee_ppm,
                hold_minutes=hold_minutes,
                **more,
            ),
        )
        self.do("terms", contracts.NewTerms(merchant.id, {"points": points_per_dollar, "per_minor": 100}))
        if bought:
            self.topup(name, bought)
            self.buy(name, bought)
        return merchant.id

    def sponsor(
        self,
        name: str,
        *,
        kind: str = "sponsor",
        mode: str = "deferred",
        line: int = 1_000_000,
        bought: int = 0,
        **more: Any,
    ) -> UUID:
        """A sponsor, or the network itself: a merchant without branches; a prefunded one may buy points at once."""
        with self.house.db.tx("door") as tx:
            merchant = contracts.add_merchant(tx, self.book, name, kind, None, BEGINNING)
            assert isinstance(merchant, contracts.Merchant), merchant
        self.shops[name] = merchant.id
        line = line if mode == "deferred" else 0
        self.do("contract", contracts.NewContract(merchant.id, mode, credit_line_points=line, **more))
        if bought:
            self.topup(name, bought)
            self.buy(name, bought)
        return merchant.id

    def sponsorship_of(
        self,
        by: str,
        at: list[str] | None = None,
        *,
        budget: int = 0,
        points: int = 1,
        per_minor: int = 100,
        begins: dt.datetime | None = None,
        ends: dt.datetime | None = None,
        **rules: Any,
    ) -> contracts.NewSponsorship:
        shops = None if at is None else tuple(self.shops[shop] for shop in at)
        given = {"points": points, "per_minor": per_minor, **rules}
        return contracts.NewSponsorship(self.shops[by], shops, given, budget, begins, ends)

    def sponsorship(self, by: str, at: list[str] | None = None, **more: Any) -> contracts.Sponsorship:
        """A sponsorship in force: without more, a point for a dollar at the shops, or at all of them."""
        done = self.do("sponsorship", self.sponsorship_of(by, at, **more))
        assert isinstance(done, contracts.SponsorshipDone)
        return done.sponsorship

    def change_budget(self, sponsorship: contracts.Sponsorship, points: int) -> int:
        """Set points aside in addition, or give back; what the budget holds then."""
        done = self.do("sponsorship_budget", contracts.ChangeBudget(sponsorship.merchant_id, sponsorship.id, points))
        assert isinstance(done, contracts.SponsorshipDone)
        return done.budget_points

    def end(self, sponsorship: contracts.Sponsorship) -> contracts.SponsorshipDone:
        done = self.do("sponsorship_end", contracts.EndSponsorship(sponsorship.merchant_id, sponsorship.id))
        assert isinstance(done, contracts.SponsorshipDone)
        return done

    def member(self, name: str, kind: str = "natural") -> UUID:
        book = self.book
        with self.house.db.tx("door") as tx:
            enrolled = people.enrol(
                tx,
                book,
                phone=f"+98912{next(self._numbers):07d}",
                kind=kind,
                given_name=name,
                family_name=None,
                language="fa",
                consents={},
                enrolled_by=None,
                now=book.now,
            )
            assert isinstance(enrolled, people.Enrolled), enrolled
            made = people.enrol_device(tx, book, enrolled.member.id, "phone", SPEND_KEY, book.now)
            assert not isinstance(made, ledger.Refusal), made
        self.members[name] = enrolled.member.id
        self.secrets[name] = made[1]
        self.devices[name] = made[0].id
        return enrolled.member.id

    def code(self, name: str, steps: int = 0) -> str:
        """The spend code on the member's phone now, or `steps` half minutes later."""
        return people.spend_codes.code(self.secrets[name], people.spend_codes.step(self.book.now) + steps)

    # -- asking

    def request(
        self, kind: str, body: object, *, key: str | None = None, principal: UUID | None = None
    ) -> ledger.Request:
        def render(decision: Decision) -> tuple[int, bytes]:
            if isinstance(decision, ledger.Refusal):
                return 400, ledger.canonical({"code": decision.code, "detail": decision.detail})
            return 200, ledger.canonical(_told(decision.value))

        return ledger.Request(
            book_id=self.book_id,
            kind=kind,
            principal_id=principal or self.operator,
            actor="story",
            body=body,
            render=render,
            key=key or f"story-key-{next(self._keys):012d}",
            fingerprint=ledger.fingerprint("POST", f"/{kind}", repr(body)),
        )

    def ask(self, kind: str, body: object, **more: Any) -> ledger.Outcome:
        return self.house.committer.post(self.request(kind, body, **more))

    def do(self, kind: str, body: object, **more: Any) -> Any:
        outcome = self.ask(kind, body, **more)
        if not isinstance(outcome.decision, ledger.Accepted):
            raise Refused(f"{kind}: {outcome.body.decode()}")
        return outcome.decision.value

    def refusal(self, kind: str, body: object, **more: Any) -> str:
        """The code of the refusal; an acceptance fails the story."""
        decision = self.ask(kind, body, **more).decision
        assert isinstance(decision, ledger.Refusal), decision
        return decision.code

    # -- trade

    def sale_of(self, member: str | None, at: str, total: int, reference: str | None = None, **more: Any) -> trade.Sale:
        return trade.Sale(
            merchant_id=self.shops[at],
            branch_id=self.branches[at],
            external_reference=reference or f"S-{next(self._numbers)}",
            total=ledger.Minor(total),
            member=trade.MemberRef(id=self.members[member]) if member else None,
            **more,
        )

    def sale(self, member: str | None, at: str, total: int, **more: Any) -> trade.SaleDone:
        done = self.do("sale", self.sale_of(member, at, total, **more), principal=self.shops[at])
        assert isinstance(done, trade.SaleDone)
        return done

    def earn(self, member: str, at: str, points: int) -> trade.SaleDone:
        """A sale that earns `points` where a dollar earns one."""
        done = self.sale(member, at, points * 100)
        assert done.points == points, done
        return done

    def redemption_of(
        self,
        member: str,
        at: str,
        points: int | None = None,
        *,
        value: int | None = None,
        reference: str | None = None,
        code: str | None = None,
        capture: bool = True,
    ) -> trade.Redemption:
        return trade.Redemption(
            merchant_id=self.shops[at],
            branch_id=self.branches[at],
            external_reference=reference or f"R-{next(self._numbers)}",
            member=trade.MemberRef(id=self.members[member]),
            spend_code=code or self.code(member),
            points=ledger.Points(points) if points is not None else None,
            value=ledger.Minor(value) if value is not None else None,
            capture=capture,
        )

    def redeem(self, member: str, at: str, points: int | None = None, **more: Any) -> trade.RedemptionDone:
        """A redemption in one step; the clock then moves a minute on, for the next code."""
        done = self.do("redemption", self.redemption_of(member, at, points, **more), principal=self.shops[at])
        assert isinstance(done, trade.RedemptionDone)
        self.later(minutes=1)
        return done

    def hold(self, member: str, at: str, points: int, **more: Any) -> trade.RedemptionDone:
        return self.redeem(member, at, points, capture=False, **more)

    def capture(self, redemption: trade.RedemptionDone, at: str) -> trade.RedemptionDone:
        done = self.do("capture", trade.Capture(self.shops[at], redemption.id), principal=self.shops[at])
        assert isinstance(done, trade.RedemptionDone)
        return done

    def void(self, redemption: trade.RedemptionDone, at: str) -> trade.RedemptionDone:
        done = self.do("void", trade.Void(self.shops[at], redemption.id), principal=self.shops[at])
        assert isinstance(done, trade.RedemptionDone)
        return done

    def ask_of(
        self,
        member: str,
        at: str,
        points: int | None = None,
        *,
        value: int | None = None,
        reference: str | None = None,
        capture: bool = True,
    ) -> trade.Redemption:
        """A redemption that its member is asked to approve in the wallet."""
        return trade.Redemption(
            merchant_id=self.shops[at],
            branch_id=self.branches[at],
            external_reference=reference or f"A-{next(self._numbers)}",
            member=trade.MemberRef(id=self.members[member]),
            points=ledger.Points(points) if points is not None else None,
            value=ledger.Minor(value) if value is not None else None,
            capture=capture,
        )

    def ask_approval(self, member: str, at: str, points: int | None = None, **more: Any) -> trade.ApprovalDone:
        done = self.do("redemption", self.ask_of(member, at, points, **more), principal=self.shops[at])
        assert isinstance(done, trade.ApprovalDone)
        return done

    def answer_of(self, asked: trade.ApprovalDone, by: str, *, approves: bool = True) -> trade.AnswerApproval:
        return trade.AnswerApproval(self.members[by], asked.row.id, approves)

    def approve(self, asked: trade.ApprovalDone, by: str) -> trade.ApprovalDone:
        done = self.do("approval", self.answer_of(asked, by), principal=self.members[by])
        assert isinstance(done, trade.ApprovalDone)
        return done

    def decline(self, asked: trade.ApprovalDone, by: str) -> trade.ApprovalDone:
        done = self.do("approval", self.answer_of(asked, by, approves=False), principal=self.members[by])
        assert isinstance(done, trade.ApprovalDone)
        return done

    def voucher_of(self, member: str, at: str, points: int) -> trade.NewVoucher:
        return trade.NewVoucher(
            merchant_id=self.shops[at],
            member_id=self.members[member],
            device_id=self.devices[member],
            points=ledger.Points(points),
            spend_code=self.code(member),
            public_key={"crv": "Ed25519", "kty": "OKP", "x": "A" * 43},
            thumbprint=f"key of {member}",
        )

    def voucher(self, member: str, at: str, points: int) -> trade.VoucherDone:
        """Points set aside for a member's phone to spend offline; the clock then moves a minute on."""
        done = self.do("voucher", self.voucher_of(member, at, points), principal=self.members[member])
        assert isinstance(done, trade.VoucherDone)
        self.later(minutes=1)
        return done

    def spend_of(
        self, voucher: trade.VoucherDone, at: str, points: int, reference: str | None = None
    ) -> trade.Redemption:
        return trade.Redemption(
            merchant_id=self.shops[at],
            branch_id=self.branches[at],
            external_reference=reference or f"V-{next(self._numbers)}",
            member=trade.MemberRef(id=voucher.row.member_id),
            spend_code=None,
            capture=True,
            spend=trade.Spend(voucher.row.id, voucher.row.thumbprint, ledger.Points(points), "d" * 64),
        )

    def spend(self, voucher: trade.VoucherDone, at: str, points: int, **more: Any) -> trade.RedemptionDone:
        done = self.do("redemption", self.spend_of(voucher, at, points, **more), principal=self.shops[at])
        assert isinstance(done, trade.RedemptionDone)
        return done

    def refund_of(self, sale: trade.SaleDone, amount: int, reference: str | None = None) -> trade.SaleRefund:
        reference = reference or f"F-{next(self._numbers)}"
        return trade.SaleRefund(sale.command.merchant_id, sale.id, reference, ledger.Minor(amount))

    def refund(self, sale: trade.SaleDone, amount: int | None = None) -> trade.SaleRefundDone:
        """A refund of some of a sale's money part, or of all of it."""
        command = self.refund_of(sale, sale.money if amount is None else amount)
        done = self.do("sale_refund", command, principal=command.merchant_id)
        assert isinstance(done, trade.SaleRefundDone)
        return done

    def give_back_of(
        self, redemption: trade.RedemptionDone, at: str, points: int | None = None, reference: str | None = None
    ) -> trade.RedemptionRefund:
        reference = reference or f"F-{next(self._numbers)}"
        wanted = None if points is None else ledger.Points(points)
        return trade.RedemptionRefund(self.shops[at], redemption.id, reference, wanted)

    def give_back(
        self, redemption: trade.RedemptionDone, at: str, points: int | None = None
    ) -> trade.RedemptionRefundDone:
        """A refund of some points of a redemption, or of all that are left."""
        done = self.do("redemption_refund", self.give_back_of(redemption, at, points), principal=self.shops[at])
        assert isinstance(done, trade.RedemptionRefundDone)
        return done

    # -- gifts and households

    def number(self, member: str) -> str:
        [(number,)] = self.rows("select number from merchants.member where id = %s", self.members[member])
        return str(number)

    def gift_of(self, giver: str, to: str, points: int, *, code: str | None = None) -> trade.Gift:
        return trade.Gift(
            self.members[giver], ledger.Points(points), to_number=self.number(to), spend_code=code or self.code(giver)
        )

    def give(self, giver: str, to: str, points: int) -> trade.GiftDone:
        """A gift; the clock then moves a minute on, for the next code."""
        done = self.do("gift", self.gift_of(giver, to, points), principal=self.members[giver])
        assert isinstance(done, trade.GiftDone)
        self.later(minutes=1)
        return done

    def step(self, command: Any) -> trade.HouseholdDone:
        done = self.do("household", command, principal=command.member_id)
        assert isinstance(done, trade.HouseholdDone)
        return done

    def household(self, founder: str, *others: str, limits: int | None = None) -> UUID:
        """A household of `founder` that the others have joined; a company's people with `limits` a month."""
        id = self.step(trade.FoundHousehold(self.members[founder])).household_id
        for other in others:
            self.step(trade.InviteToHousehold(self.members[founder], self.number(other), limits))
            self.step(trade.AnswerInvitation(self.members[other], id, True))
        return id

    # -- money and time

    def topup(self, shop: str, amount: int) -> None:
        reference = f"T-{next(self._numbers)}"
        self.do("topup", settlement.Topup(self.shops[shop], ledger.Minor(amount), "bank", reference))

    def buy(self, shop: str, points: int) -> None:
        self.do("purchase", settlement.Purchase(self.shops[shop], ledger.Points(points)))

    def freeze(self, member: str) -> None:
        self.do("member_freeze", safety.Act(self.members[member], self.operator, "a story"))

    def sell_back(self, shop: str, points: int) -> None:
        self.do("sell_back", settlement.SellBack(self.shops[shop], ledger.Points(points)))

    def agree(self, shop: str, mode: str, **more: Any) -> contracts.ContractInForce:
        """A new contract: in force at once, or at the window's end where the funding or the value changes."""
        done = self.do("contract", contracts.NewContract(merchant_id=self.shops[shop], mode=mode, **more))
        assert isinstance(done, contracts.ContractInForce)
        return done

    def rule(self, face_value: int, life_days: int, inactivity_days: int | None = None) -> contracts.RulesInForce:
        done = self.do("rules", contracts.NewRules(face_value, life_days, inactivity_days))
        assert isinstance(done, contracts.RulesInForce)
        return done

    def buy_out(self, shop: str, *, exit: bool = False, paid_by: str | None = None) -> contracts.BuyOutDone:
        payer = self.shops[paid_by] if paid_by else None
        done = self.do("buy_out", contracts.BuyOut(self.shops[shop], exit, payer))
        assert isinstance(done, contracts.BuyOutDone)
        return done

    def close_window(self) -> int:
        """Close the open window; its number."""
        self.house.drain(self.book_id)
        with self.house.db.tx("settlement") as tx:
            window = settlement.newest_window(tx, self.book_id)
        number = window.number if window else 1
        outcome = settlement.windows.close(
            self.house.db, self.house.committer, self.book_id, number=number, asker=MAKER
        )
        assert isinstance(outcome.decision, ledger.Accepted), outcome.decision
        return number

    def settle(self, number: int) -> None:
        """Take a closed window through everything people do to one, and pay it."""
        house, book = self.house, self.book_id
        outcome = settlement.windows.submit(house.db, house.committer, book, number=number, asker=MAKER)
        assert isinstance(outcome.decision, ledger.Accepted), outcome.decision
        digest = outcome.decision.value.positions_hash
        settlement.windows.approve(
            house.db, house.committer, book, number=number, positions_hash=digest, asker=APPROVER
        )
        settlement.windows.mark_paid(house.db, house.committer, book, number=number, asker=MAKER)

    def later(self, **by: float) -> dt.datetime:
        return self.advance(self.book.now + dt.timedelta(**by))

    def advance(self, to: dt.datetime) -> dt.datetime:
        return self.house.advance(self.book_id, to)

    # -- looking

    def wallet(self, member: str) -> ledger.wallet.Wallet:
        with self.house.db.tx("door") as tx:
            return ledger.wallet.read(tx, self.book, self.members[member])

    def balance(self, member: str) -> int:
        return self.wallet(member).available

    def account(self, kind: str, shop: str | None = None, window: int | None = None) -> int:
        name = ledger.AccountName(kind, self.shops[shop] if shop else None, None, window)
        with self.house.db.tx("door") as tx:
            return ledger.balances(tx, self.book_id, [name])[name]

    def budget(self, sponsorship: contracts.Sponsorship) -> int:
        name = ledger.budgets.name(sponsorship.merchant_id, sponsorship.id)
        with self.house.db.tx("door") as tx:
            return ledger.balances(tx, self.book_id, [name])[name]

    def owed(self, member: str, shop: str) -> int:
        """What a member owes a shop, by the account."""
        name = ledger.AccountName("debt", self.members[member], self.shops[shop])
        with self.house.db.tx("door") as tx:
            return -ledger.balances(tx, self.book_id, [name])[name]

    def audit(self) -> list[ledger.audit.Finding]:
        """What the proof of everything finds wrong, the stream drained first."""
        self.house.drain(self.book_id)
        report = ledger.audit.run(
            self.url, [*ledger.audit.CHECKS, *merchants.trade.audit.CHECKS, *settlement.audit.CHECKS]
        )
        return [finding for finding in report.findings if not finding.ok]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.house.db.tx("auditor") as tx:
            return tx.execute(query, values).fetchall()


def _told(value: object) -> object:
    """An accepted value as bytes can tell it."""
    return repr(value)
