"""The coalition that the work is done in: shops of every funding, members with phones, terms, limits and a few debts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

import ledger
import settlement
from deploy.house import House
from ledger import AccountName, Minor, Points
from merchants import contracts, people, safety, trade

#: How shops take turns: what funds their points, and after how many days these confirm.
FUNDINGS: Final = (
    ("deferred", 0),
    ("prefunded", 0),
    ("closed_loop", 0),
    ("deferred", 14),
    ("prefunded", 0),
)
#: Points a prefunded shop buys, and the credit line of a deferred one: a run does not come to their end.
BOUGHT: Final = 1_000_000_000
CREDIT_LINE: Final = 1_000_000_000
PURCHASE_FEE_PPM: Final = 5_000
REDEMPTION_FEE_PPM: Final = 10_000
#: What a member may redeem in a day: looked at by every redemption, and never met.
DAY_MINUTES: Final = 1_440
MOST_A_DAY: Final = 100_000_000
#: One in so many members owes a shop.
OWING: Final = 2_000
SPENT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant with one branch. `source`: the account its points come from, and its id; `accepted`: where they end."""

    id: UUID
    branch: UUID
    mode: str
    maturity_days: int
    contract: UUID
    terms: UUID
    source: str
    source_id: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member with one device; accounts by their ids."""

    id: UUID
    device: UUID
    nonce: bytes
    wallet: int
    pending: int
    held: int


@dataclass(frozen=True, slots=True)
class Network:
    """All that a process needs to make requests of its own. Its database knows the rest."""

    url: str
    book_id: int
    book: UUID
    spend_key: bytes
    shops: list[Shop]
    members: list[Member]


def render(decision: ledger.Decision) -> tuple[int, bytes]:
    """An answer of about the size that the door gives."""
    if isinstance(decision, ledger.Refusal):
        told = {"type": f"/problems/{decision.code}", "status": 409, "code": decision.code, "detail": decision.detail}
        return 409, _encode(told)
    done = decision.value
    if isinstance(done, trade.SaleDone):
        return 200, _encode(
            {
                "id": done.id,
                "record": done.record_id,
                "branch": done.command.branch_id,
                "member": done.member_id,
                "external_reference": done.command.external_reference,
                "at": done.at,
                "total": done.command.total,
                "money_part": done.money,
                "earn": {
                    "points": done.points,
                    "refused": done.refused,
                    "lot": done.lot_id,
                    "expires_at": done.expires_at,
                    "terms": done.terms_id,
                },
                "available": done.available,
            }
        )
    if isinstance(done, trade.RedemptionDone):
        return 200, _encode(
            {
                "id": done.id,
                "record": done.record_id,
                "state": done.state,
                "branch": done.branch_id,
                "member": done.member_id,
                "external_reference": done.external_reference,
                "at": done.at,
                "points": done.points,
                "value": done.value,
                "slices": [[s.lot_id, s.issuer_id, s.points, s.value] for s in done.slices],
                "available": done.available,
            }
        )
    return 200, b"{}"


_encode: Final = msgspec.json.Encoder().encode


def request(book_id: int, kind: str, principal: UUID, body: object, key: str) -> ledger.Request:
    """A request of the set-up, under a key of its own."""
    fingerprint = ledger.fingerprint("POST", f"/{kind}", key)
    return ledger.Request(book_id, kind, principal, "bench", body, render, key, fingerprint)


def found(url: str, spend_key: bytes, shops: int, members: int, say: Callable[[str], None]) -> Network:
    """A live book in the migrated database at `url`, its shops and members, through the doors that everybody takes."""
    house = House.open(url, spend_key, largest_pool=2)
    try:
        with house.db.tx("door") as tx:
            book = ledger.books.open_book(
                tx,
                ledger.books.NewBook(
                    network="bench",
                    mode="live",
                    currency="USD",
                    exponent=2,
                    face_value_minor=1,
                    points_life_days=365,
                    time_zone="UTC",
                    window_schedule=None,
                ),
            )
        assert isinstance(book, ledger.Book)
        say(f"{shops} shops, {members:,} members")
        # the first of all opens accounts at every shop, and does no more: points of theirs lie before what is loaded
        first, *others = _members(url, book, members + 1)
        merchants = [_merchant(house, book, n) for n in range(shops)]
        post(house, book.id, "velocity_limits", book.operator_id, [_limits(book)])
        _in_force(house, book, merchants)
        _first_sales(house, book, merchants, first.id)
        _accepting(url, book.id, [merchant for merchant, _ in merchants])
        opened = _accounts(url, book.id)
        made = [_shop(opened, house, book, n, *merchant) for n, merchant in enumerate(merchants)]
        return Network(url, book.id, book.public_id, spend_key, made, others)
    finally:
        house.close()


def _merchant(house: House, book: ledger.Book, n: int) -> tuple[UUID, UUID]:
    with house.db.tx("door") as tx:
        merchant = contracts.add_merchant(tx, book, f"shop {n}", "shop", None, datetime.now(UTC))
        assert isinstance(merchant, contracts.Merchant), merchant
        branch = contracts.add_branch(tx, book, merchant.id, "main", f"shop {n}", "physical", None)
        assert isinstance(branch, contracts.Branch), branch
    return merchant.id, branch.id


def _limits(book: ledger.Book) -> safety.NewLimits:
    return safety.NewLimits(book.operator_id, (safety.Limit("member", "redeem_points", DAY_MINUTES, MOST_A_DAY),))


def _in_force(house: House, book: ledger.Book, merchants: list[tuple[UUID, UUID]]) -> None:
    wanted: list[contracts.NewContract] = []
    for n, (merchant, _) in enumerate(merchants):
        mode, maturity_days = FUNDINGS[n % len(FUNDINGS)]
        wanted.append(
            contracts.NewContract(
                merchant_id=merchant,
                mode=mode,
                credit_line_points=CREDIT_LINE if mode == "deferred" else 0,
                purchase_fee_ppm=PURCHASE_FEE_PPM,
                redemption_fee_ppm=REDEMPTION_FEE_PPM,
                maturity_days=maturity_days,
            )
        )
    post(house, book.id, "contract", book.operator_id, wanted)
    rules = [contracts.NewTerms(merchant, {"points": 1, "per_minor": 100}) for merchant, _ in merchants]
    post(house, book.id, "terms", book.operator_id, rules)
    buyers = [contract.merchant_id for contract in wanted if contract.mode == "prefunded"]
    topups = [settlement.Topup(buyer, Minor(BOUGHT), "bank", f"bench {buyer.hex}") for buyer in buyers]
    post(house, book.id, "topup", book.operator_id, topups)
    bought = [settlement.Purchase(buyer, Points(BOUGHT)) for buyer in buyers]
    post(house, book.id, "purchase", book.operator_id, bought)


def post(house: House, book_id: int, kind: str, principal: UUID, bodies: Sequence[object]) -> list[Any]:
    """Post in order; whatever is refused stops the set-up."""
    requests = [request(book_id, kind, principal, body, f"{kind}-{secrets.token_hex(12)}") for body in bodies]
    done = []
    for outcome in house.committer.post_all(requests, timeout=600):
        assert isinstance(outcome.decision, ledger.Accepted), (kind, outcome.body)
        done.append(outcome.decision.value)
    return done


def _first_sales(house: House, book: ledger.Book, merchants: list[tuple[UUID, UUID]], member: UUID) -> None:
    """A sale at each shop: the accounts it issues from are there."""
    sales = [
        trade.Sale(merchant, branch, "first", Minor(100), trade.MemberRef(id=member)) for merchant, branch in merchants
    ]
    post(house, book.id, "sale", book.operator_id, sales)


def _accounts(url: str, book_id: int) -> dict[str, int]:
    with psycopg.connect(url) as conn:
        return dict(conn.execute("select name, id from ledger.account where book_id = %s", [book_id]).fetchall())


def _accepting(url: str, book_id: int, merchants: list[UUID]) -> None:
    """Open what shops accept points in: the first redemption would have."""
    with psycopg.connect(url) as conn:
        conn.execute(
            "insert into ledger.account (book_id, name, kind, owner_id, asset)"
            " select %s, 'accepted:' || id, 'accepted', id, 'points' from unnest(%s::uuid[]) id",
            [book_id, merchants],
        )


def _shop(opened: dict[str, int], house: House, book: ledger.Book, n: int, merchant: UUID, branch: UUID) -> Shop:
    mode, maturity_days = FUNDINGS[n % len(FUNDINGS)]
    with house.db.tx("door") as tx:
        network = house.networks.of(tx, ledger.read_book(tx, book.id))
    contract, terms = network.contract(merchant), network.terms(merchant)
    assert contract is not None, merchant
    assert terms is not None, merchant
    kind = {"prefunded": "pool", "deferred": "credit", "closed_loop": "own"}[mode]
    source = AccountName(kind, merchant).text
    accepted = opened[AccountName("accepted", merchant).text]
    return Shop(merchant, branch, mode, maturity_days, contract.id, terms.id, source, opened[source], accepted)


def _members(url: str, book: ledger.Book, count: int) -> list[Member]:
    """Members as they are after a while: a device each, their accounts open. Loaded, for each is alike."""
    made = [
        (ledger.ids.new(), ledger.ids.new(), secrets.token_bytes(people.spend_codes.NONCE_BYTES)) for _ in range(count)
    ]
    kinds = ("wallet", "pending", "held")
    with psycopg.connect(url) as conn, conn.cursor() as cursor:
        row = cursor.execute(
            "select coalesce(max(id), 0) + 1 from ledger.account"  # nobody else opens any now
        ).fetchone()
        assert row is not None
        first = int(row[0])
        with cursor.copy(
            "copy merchants.member (id, book_id, number, phone, kind, given_name, state, consents, enrolled_at) from stdin"
        ) as copy:
            for n, (member, _, _) in enumerate(made):
                number = people.numbers.make(10**10 + n)
                copy.write_row((member, book.id, number, f"+1555{n:08}", "natural", "Ann", "active", "{}", book.now))
        with cursor.copy("copy merchants.device (id, book_id, member_id, name, nonce, enrolled_at) from stdin") as copy:
            for member, device, nonce in made:
                copy.write_row((device, book.id, member, "phone", nonce, book.now))
        with cursor.copy(
            "copy ledger.account (id, book_id, name, kind, owner_id, asset, balance, floor) from stdin"
        ) as copy:
            for n, (member, _, _) in enumerate(made):
                for i, kind in enumerate(kinds):
                    name = AccountName(kind, member).text
                    copy.write_row((first + n * len(kinds) + i, book.id, name, kind, member, "points", 0, 0))
        cursor.execute(
            "select setval(pg_get_serial_sequence('ledger.account', 'id'), %s)", [first + count * len(kinds)]
        )
        conn.commit()
        conn.autocommit = True
        conn.execute("analyze")
    return [
        Member(member, device, nonce, first + n * len(kinds), first + n * len(kinds) + 1, first + n * len(kinds) + 2)
        for n, (member, device, nonce) in enumerate(made)
    ]


def code(network: Network, member: Member, step: int) -> str:
    """What the member's phone shows in a step of thirty seconds."""
    secret = people.spend_codes.secret(network.spend_key, member.device, member.nonce)
    return people.spend_codes.code(secret, step)


def step_at(at: datetime) -> int:
    return people.spend_codes.step(at)


def step_now() -> int:
    return step_at(datetime.now(UTC))


def owe(network: Network) -> None:
    """Some members come to owe: they spent what they had, and were refunded the sale that it came from."""
    seller, acceptor = network.shops[0], network.shops[1 % len(network.shops)]
    owing = network.members[1::OWING]
    house = House.open(network.url, network.spend_key, largest_pool=2)
    try:
        sales = [
            trade.Sale(seller.id, seller.branch, f"owed-{n}", Minor(SPENT), trade.MemberRef(id=m.id))
            for n, m in enumerate(owing)
        ]
        sold: list[trade.SaleDone] = post(house, network.book_id, "sale", seller.id, sales)
        spent = [
            trade.Redemption(
                merchant_id=acceptor.id,
                branch_id=acceptor.branch,
                external_reference=f"owed-{n}",
                member=trade.MemberRef(id=m.id),
                spend_code=code(network, m, step_now() - 1),
                value=Minor(SPENT // 100),
                capture=True,
            )
            for n, m in enumerate(owing)
        ]
        post(house, network.book_id, "redemption", acceptor.id, spent)
        refunds = [trade.SaleRefund(seller.id, sale.id, f"owed-{n}", Minor(SPENT)) for n, sale in enumerate(sold)]
        post(house, network.book_id, "sale_refund", seller.id, refunds)
    finally:
        house.close()
