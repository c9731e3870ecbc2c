"""Who pays what a merchant failed to pay, by property: exactly what is owed or what is unpaid is said, nobody beyond its own."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from settlement import netting
from settlement.covers import waterfall
from settlement.covers.waterfall import SHARE_CAP_PPM, Covered, Sources
from settlement.netting import Charge, Flow

OPERATOR = UUID(int=2)
MERCHANTS = [UUID(int=10 + n) for n in range(6)]
money = st.integers(0, 10**12)
receiving = st.dictionaries(st.sampled_from(MERCHANTS), st.integers(-(10**6), 10**9), max_size=6)


@given(money, st.builds(Sources, money, money, money, money))
def test_the_sources_pay_what_is_owed_or_all_they_have(owed: int, there: Sources) -> None:
    paid = waterfall.cover(owed, there)
    assert sum(paid) == min(owed, sum(there))
    assert all(0 <= part <= has for part, has in zip(paid, there, strict=True))
    # a later source gives only when those before it are empty
    for n in range(1, 4):
        assert not paid[n] or paid[:n] == there[:n]


@given(money, receiving, st.integers(0, 1_000_000))
def test_shares_are_what_is_missing_or_every_cap(missing: int, amounts: dict[UUID, int], cap: int) -> None:
    shares = waterfall.assess(missing, amounts, cap)
    caps = {k: v * cap // 1_000_000 for k, v in amounts.items() if v > 0}
    assert sum(shares.values()) == min(missing, sum(caps.values()))
    assert all(0 < share <= caps[k] for k, share in shares.items())
    whole = sum(amounts[k] for k in caps)
    if sum(shares.values()) == missing:
        # pro rata, to the unit, unless a cap was in the way
        assert all(abs(shares.get(k, 0) - missing * amounts[k] / whole) < len(caps) + 1 for k in caps)


@st.composite
def covers(draw: st.DrawFn) -> tuple[int, Covered]:
    """A position that is still open, and what was paid in its stead; the shares are used or wait to be."""
    borne = draw(st.dictionaries(st.sampled_from(MERCHANTS), st.integers(1, 10**6), max_size=5))
    drawn = draw(st.integers(0, sum(borne.values())))
    open_minor = sum(borne.values()) - drawn + draw(st.integers(0, 10**6))
    return open_minor, Covered(draw(money), draw(money), drawn, borne, {}, 5 if borne else None)


@given(covers(), st.data())
def test_what_is_made_good_in_whatever_parts_gives_everybody_exactly_back(
    found: tuple[int, Covered], data: st.DataObject
) -> None:
    open_minor, covered = found
    owed, paid, back = open_minor + covered.outstanding_minor, [0, 0, 0, 0], dict.fromkeys(covered.borne, 0)
    pot = sum(covered.borne.values()) - covered.shares_minor
    first = covered
    while owed:
        amount = data.draw(st.integers(max(1, owed // 5), owed))
        parts = waterfall.make_good(amount, open_minor, covered)
        assert sum(parts) == amount
        open_minor -= parts.position_minor
        pot += parts.shares_minor
        given_now = waterfall.given_back(covered, open_minor, covered.shares_minor - parts.shares_minor)
        for k, part in given_now.items():
            assert part > 0
            back[k] += part
            pot -= part
        # the shares never give what they do not have
        assert pot >= 0
        paid = [a + b for a, b in zip(paid, parts, strict=True)]
        owed -= amount
        covered = Covered(
            covered.collateral_minor - parts.collateral_minor,
            covered.loss_minor - parts.loss_minor,
            covered.shares_minor - parts.shares_minor,
            covered.borne,
            dict(back),
            covered.assessed_at,
        )
        assert covered.undrawn_minor == pot
    assert paid[1:] == [first.shares_minor, first.loss_minor, first.collateral_minor]
    if found[0] or first.outstanding_minor:
        assert back == dict(first.borne)
        assert pot == 0


@given(receiving, st.data())
def test_what_is_there_is_paid_out_alike_in_any_order(amounts: dict[UUID, int], data: st.DataObject) -> None:
    # everybody who owes has paid a part of it
    balances = {k: v if v > 0 else -data.draw(st.integers(0, -v)) for k, v in amounts.items()}
    there = max(0, sum(balances.values()))
    alone = {k: waterfall.payable(k, balances, amounts) for k in amounts}
    assert sum(alone.values()) <= there
    for k in data.draw(st.permutations(sorted(amounts))):
        assert waterfall.payable(k, balances, amounts) == alone[k]
        balances[k] -= alone[k]
    assert all(waterfall.payable(k, balances, amounts) == 0 for k in amounts)


parties = st.sampled_from(MERCHANTS)
flows = st.lists(
    st.one_of(
        st.builds(
            lambda i, r, funding, unit, points: Flow(i, r, funding, unit, points, 0 if i == r else unit * points, 1),
            parties,
            parties,
            st.sampled_from(["prefunded", "deferred"]),
            st.integers(1, 500),
            st.integers(-1_000, 1_000),
        ),
        # what is borne, given back or put right, the operator a side of it or not
        st.builds(
            lambda i, r, funding, value: Flow(i, r, funding, 0, 0, value if i != r else 0, 1),
            parties,
            st.sampled_from([*MERCHANTS, OPERATOR]),
            st.sampled_from(["share", "adjustment"]),
            st.integers(-(10**6), 10**6),
        ),
    ),
    max_size=20,
)
charges = st.dictionaries(parties, st.builds(Charge, st.integers(-(10**12), 10**12), st.integers(0, 5)), max_size=6)
carries = st.dictionaries(parties, st.integers(-500_000, 500_000), max_size=6)


@given(flows, charges, carries)
def test_positions_sum_to_zero_whatever_is_owed_and_no_carry_is_above_half_a_unit(
    owed: list[Flow], fees: dict[UUID, Charge], before: dict[UUID, int]
) -> None:
    netted = netting.net(owed, fees, before, OPERATOR)
    assert sum(p.position_minor for p in netted.positions) == 0
    for p in netted.positions:
        assert p.position_minor == p.receivable_minor - p.payable_minor - p.fee.minor
        assert p.account_minor == p.position_minor + p.backing_minor
        assert abs(p.fee.carry_out) <= 500_000
        assert p.fee.millionths + p.fee.carry_in == p.fee.minor * 1_000_000 + p.fee.carry_out
    # the matrix makes up every position, the operator's among them
    for p in netted.positions:
        told = sum(
            b.value_minor * ((b.creditor_id == p.party_id) - (b.debtor_id == p.party_id)) for b in netted.bilateral
        )
        assert told == p.position_minor
    # netted again, in whatever order, it is the same to the byte
    again = netting.net(owed[::-1], fees, before, OPERATOR)
    assert netting.positions_hash(OPERATOR, 1, again.positions) == netting.positions_hash(OPERATOR, 1, netted.positions)


def test_the_cap_is_a_tenth() -> None:
    assert SHARE_CAP_PPM == 100_000
