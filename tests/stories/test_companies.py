"""Companies: an account with several people who may spend from it, and shops that tell companies and persons apart."""

from collections.abc import Iterator
from typing import Any

import pytest

import ledger
from merchants import contracts, trade
from tests.gateway.network import Api, new_key
from tests.world import World


@pytest.fixture
def town(world: World) -> Iterator[World]:
    """A cafe, a company, two of its people; after each story all of it is proven."""
    world.shop("cafe", mode="deferred")
    world.member("acme", kind="legal")
    for name in ("ann", "bob"):
        world.member(name)
    yield world
    assert world.audit() == []


def spend(world: World, owner: str, points: int, by: str, at: str = "cafe") -> str:
    asked = world.redemption_of(owner, at, points, code=world.code(by))
    decision = world.ask("redemption", asked, principal=world.shops[at]).decision
    world.later(minutes=1)
    if isinstance(decision, ledger.Refusal):
        return decision.code
    assert isinstance(decision, ledger.Accepted)
    return str(decision.value.state)


def test_a_companys_people_spend_from_its_wallet_each_within_a_limit(town: World) -> None:
    town.earn("acme", at="cafe", points=200)
    town.earn("ann", at="cafe", points=10)
    account = town.household("acme", "ann", "bob", limits=30)
    assert spend(town, "acme", 30, by="ann") == "captured"
    assert spend(town, "acme", 1, by="ann") == "limit_exceeded"
    assert spend(town, "acme", 25, by="bob") == "captured"  # a limit of one's own
    assert spend(town, "acme", 100, by="acme") == "captured"
    # nobody spends from their wallets, not even the company
    assert spend(town, "ann", 5, by="acme") == "consent_required"
    assert spend(town, "ann", 5, by="bob") == "consent_required"
    town.step(trade.LimitPerson(town.members["acme"], town.members["ann"], 35))
    assert spend(town, "acme", 5, by="ann") == "captured"
    gone = town.step(trade.LeaveHousehold(town.members["acme"], town.members["ann"]))
    assert (gone.household_id, gone.state) == (account, "active")
    assert spend(town, "acme", 1, by="ann") == "consent_required"
    assert spend(town, "acme", 5, by="bob") == "captured"


def test_a_company_account_is_the_companys_alone(town: World) -> None:
    acme, ann = town.members["acme"], town.members["ann"]
    town.household("acme", "ann", limits=30)
    table: dict[str, Any] = {
        "no limit": trade.InviteToHousehold(acme, town.number("bob")),
        "a person's wallet": trade.ShareWallet(ann, 50),
        "handed over": trade.HandOver(acme, ann),
        "asked by one of its people": trade.InviteToHousehold(ann, town.number("bob"), 5),
    }
    said = {what: town.refusal("household", c, principal=c.member_id) for what, c in table.items()}
    assert said == {
        "no limit": "validation_failed",
        "a person's wallet": "state_conflict",
        "handed over": "state_conflict",
        "asked by one of its people": "state_conflict",
    }
    ended = town.step(trade.LeaveHousehold(acme, acme))
    assert ended.state == "ended"
    town.earn("acme", at="cafe", points=20)
    assert spend(town, "acme", 5, by="ann") == "consent_required"


def test_a_company_joins_no_family(town: World) -> None:
    town.household("ann")
    asked = trade.InviteToHousehold(town.members["ann"], town.number("acme"))
    assert town.refusal("household", asked, principal=town.members["ann"]) == "not_found"


@pytest.mark.parametrize(("kind", "earned"), [("natural", 100), ("legal", 20)])
def test_terms_by_kind(town: World, kind: str, earned: int) -> None:
    rules = {"points": 1, "per_minor": 100, "by_kind": {"legal": {"points": 1, "per_minor": 500, "cap_points": 20}}}
    town.do("terms", contracts.NewTerms(town.shops["cafe"], rules))
    town.member("somebody", kind=kind)
    assert town.sale("somebody", "cafe", 10_000).points == earned


def test_a_contract_that_is_for_one_kind_only(town: World) -> None:
    town.shop("club", mode="deferred", earns_for=("natural",), spends_for=("natural",))
    town.earn("acme", at="cafe", points=50)
    bought = town.sale("acme", "club", 10_000)
    assert (bought.points, bought.refused) == (0, "terms_exclude")
    assert town.sale("ann", "club", 10_000).points == 100
    assert spend(town, "acme", 5, by="acme", at="club") == "state_conflict"
    assert spend(town, "acme", 5, by="acme", at="cafe") == "captured"
    assert town.refusal("voucher", town.voucher_of("acme", "club", 5)) == "state_conflict"
    promised = town.voucher("acme", "cafe", 5)
    # what was promised is kept, whoever the shop deals with from now on
    town.agree("cafe", "deferred", credit_line_points=1_000_000, spends_for=("natural",))
    assert town.spend(promised, "cafe", 5).state == "captured"
    assert spend(town, "acme", 5, by="acme", at="cafe") == "state_conflict"
    # a company's people spend the company's points, which this shop does not take
    town.household("acme", "bob", limits=30)
    assert spend(town, "acme", 5, by="bob", at="club") == "state_conflict"


def test_kinds_over_http(api: Api) -> None:
    shop = api.open_shop("club", earns_for=["natural"], spends_for=["natural"])
    terms = {"points": 1, "per": 100, "by_kind": {"legal": {"points": 1, "per": 1_000, "cap_points": 7}}}
    path = f"/v1/operator/merchants/{api.shops['cafe'].id}/terms"
    told = api.done("POST", path, terms, by=api.maker)
    assert told["by_kind"]["legal"] == {"points": 1, "per": 1_000, "categories": {}, "minimum": 0, "cap_points": 7}
    body = {"phone": "+15550100777", "kind": "legal"}
    acme = api.done("POST", "/v1/members", body, by=api.shops["cafe"].key)
    assert acme["kind"] == "legal"

    def quote(at: str) -> Any:
        asked = {"branch": api.shops[at].branch, "total": {"amount": 5_000, "currency": "USD"}, "member": acme["id"]}
        return api.done("POST", "/v1/quotes", asked, by=api.shops[at].key)

    assert quote("cafe")["earn"]["points"] == 5
    sold = api.sale(None, 5_000) | {"member": acme["number"]}
    assert api.done("POST", "/v1/sales", sold, by=api.shops["cafe"].key, key=new_key())["earn"]["points"] == 5
    there = quote("club")
    assert (there["earn"]["refused"], there["spendable"]["points"]) == ("terms_exclude", 0)
    looked = api.done("POST", "/v1/member-lookups", {"number": acme["number"]}, by=shop.key)
    assert looked["spendable"]["points"] == 0
    looked = api.done("POST", "/v1/member-lookups", {"number": acme["number"]}, by=api.shops["cafe"].key)
    assert looked["spendable"]["points"] == 5
    refused = api.call("POST", path, {"points": 1, "per": 100, "by_kind": {"robot": {}}}, by=api.maker)
    assert refused.status_code == 422
