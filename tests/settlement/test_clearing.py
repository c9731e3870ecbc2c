"""The postings of a settlement by property, refunds among them: every identity holds after as before."""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from ledger import AccountName, Draft, Issuer, Working
from ledger.accounts import KINDS, Account
from settlement import clearing, netting
from settlement.netting import Charge, Flow

BOOK = UUID(int=1)
OPERATOR = UUID(int=2)
MERCHANTS = [UUID(int=10 + i) for i in range(4)]
# the third is prefunded at another value than its lots had, the fourth has its own club
MODES = [("prefunded", 100), ("deferred", 100), ("prefunded", 250), ("closed_loop", 100)]
AT = datetime(2017, 1, 2, tzinfo=UTC)


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[Flow], dict[UUID, Charge]]:
    """What one window adds up to: points of either sign, never two flows that settle alike."""
    flows = {}
    for _ in range(draw(st.integers(0, 12))):
        issuer, acceptor = draw(st.sampled_from(MERCHANTS)), draw(st.sampled_from(MERCHANTS))
        funding = draw(
            st.sampled_from(
                ["prefunded", "deferred", "closed_loop"] if issuer == acceptor else ["prefunded", "deferred"]
            )
        )
        points = draw(st.integers(-300, 1_000))
        owed = 0 if issuer == acceptor else points * 100
        flows[issuer, acceptor, funding] = Flow(issuer, acceptor, funding, 100, points, owed, 1)
    fees = draw(st.dictionaries(st.sampled_from(MERCHANTS), st.integers(-(10**9), 10**10), max_size=4))
    return list(flows.values()), {merchant: Charge(millionths, 1) for merchant, millionths in fees.items()}


def working(names: set[AccountName], prefund: int, pool: int) -> Working:
    book = ledger.Book(1, BOOK, "Tehran", "test", "IRR", 0, 100, 365, None, "UTC", {}, OPERATOR, 0, AT)
    issuers = {m: Issuer(m, mode, value, 0, BOOK, False) for m, (mode, value) in zip(MERCHANTS, MODES, strict=True)}
    made = Working(book, 1, issuers)
    opening = {"prefund": prefund, "pool": pool, "backing": 10**9}
    for i, name in enumerate(sorted(names, key=lambda name: name.text)):
        made.accounts.put(name, account(i, name, opening.get(name.kind, 0)))
    return made


def account(id: int, name: AccountName, balance: int) -> Account:
    return Account(id, name.text, name.kind, balance, KINDS[name.kind].floor, locked=True)


def moved(working: Working, kind: str, owner: UUID) -> int:
    """How far a merchant's accounts of a kind went."""
    return sum(a.balance - a.loaded for name, a in working.accounts.items() if (name.kind, name.owner) == (kind, owner))


@given(windows(), st.integers(0, 200_000), st.integers(0, 500))
@pytest.mark.row("G4")
def test_a_settlement_keeps_every_identity(
    window: tuple[list[Flow], dict[UUID, Charge]], prefund: int, pool: int
) -> None:
    flows, charges = window
    netted = netting.net(flows, charges, {}, OPERATOR)
    here = working(clearing.accounts(7, flows, netted.positions, OPERATOR), prefund, pool)
    draft = here.record("settlement", "clock", payload={})
    cleared = clearing.clear(here, draft, 7, flows, netted.positions, OPERATOR)
    assert_balanced(draft)
    settled: Counter[tuple[UUID, str]] = Counter()
    for flow in flows:
        settled[flow.issuer_id, flow.funding] += flow.points
    paid = {p.merchant: p.amount_minor for p in cleared.from_prefund}
    for merchant, (_, value) in zip(MERCHANTS, MODES, strict=True):
        # open points fall by what was settled, and every liability with them
        assert moved(here, "mint", merchant) + moved(here, "pool", merchant) == settled[merchant, "prefunded"]
        assert moved(here, "credit", merchant) + moved(here, "due", merchant) == settled[merchant, "deferred"]
        assert moved(here, "own", merchant) == settled[merchant, "closed_loop"]
        assert moved(here, "backing", merchant) == (
            value * moved(here, "pool", merchant) - 100 * settled[merchant, "prefunded"]
        )
        assert moved(here, "accepted", merchant) == -sum(f.points for f in flows if f.acceptor_id == merchant)
    for position in netted.positions:
        if position.party_id != OPERATOR:
            booked = here.accounts[clearing.position(position.party_id, 7)].balance
            lacked = cleared.to_backing.get(position.party_id, 0)
            assert booked == position.account_minor - lacked + paid.get(position.party_id, 0)
    assert all(a.floor is None or a.balance >= a.floor for n, a in here.accounts.items() if n.kind != "credit")


@given(windows(), st.lists(st.integers(1, 40_000), max_size=8))
def test_payments_free_all_that_waits_and_never_more(
    window: tuple[list[Flow], dict[UUID, Charge]], parts: list[int]
) -> None:
    flows, charges = window
    netted = netting.net(flows, charges, {}, OPERATOR)
    here = working(clearing.accounts(7, flows, netted.positions, OPERATOR), 0, 500)
    draft = here.record("settlement", "clock", payload={})
    cleared = clearing.clear(here, draft, 7, flows, netted.positions, OPERATOR)
    by_prefund = {paid.merchant: paid.released_points for paid in cleared.from_prefund}
    here.accounts.put(clearing.BANK, account(999, clearing.BANK, 0))
    for merchant, points in cleared.due.items():
        freed = by_prefund.get(merchant, 0)
        for part in [*parts, 10**12]:
            owed = -here.accounts[clearing.position(merchant, 7)].balance
            if (amount := min(part, owed)) > 0:
                freed += clearing.release(here, draft, 7, merchant, amount)
                here.move(draft, clearing.BANK, clearing.position(merchant, 7), amount)
            assert freed <= points
        assert freed == points


def test_a_journal_too_long_for_a_record_is_kept_as_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "LARGEST_ENTRIES", 4)
    one, two = MERCHANTS[:2]
    flows = [Flow(one, two, "prefunded", value, 10, 10 * value, 1) for value in (100, 200, 300)]
    netted = netting.net(flows, {}, {}, OPERATOR)
    here = working(clearing.accounts(7, flows, netted.positions, OPERATOR), 0, 0)
    draft = here.record("settlement", "clock", payload={})
    clearing.clear(here, draft, 7, flows, netted.positions, OPERATOR)
    assert_balanced(draft)
    assert {account.text: amount for account, amount in draft.entries} == {
        f"accepted:{two}": -30,
        f"mint:{one}": 30,
        f"backing:{one}": -6_000,
        f"position:{two}::7": 6_000,
    }


def assert_balanced(draft: Draft) -> None:
    for asset in ("points", "money"):
        assert sum(amount for account, amount in draft.entries if account.asset == asset) == 0
