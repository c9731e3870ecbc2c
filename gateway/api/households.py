"""Households, and companies with the people who may spend for them. Each change is a record of the ledger."""

from typing import Any, cast

import ledger
from gateway import problems
from gateway.api import names
from gateway.api.shapes import (
    HouseholdOut,
    HouseholdPerson,
    HouseholdStepOut,
    InvitationOut,
    InviteIn,
    MyHousehold,
    NothingIn,
    PersonLimitIn,
    SharingIn,
)
from gateway.calls import Call
from ledger import Outcome, ids
from merchants import people, trade


async def get_household(call: Call[None]) -> MyHousehold:
    caller = call.member

    def read(tx: ledger.Tx) -> MyHousehold:
        found = people.household_of(tx, caller.book.id, caller.id)
        return MyHousehold(
            household=None if found is None else _told(*found),
            invitations=[
                InvitationOut(
                    household=ids.show("household", asking.household_id),
                    kind=cast(Any, asking.kind),
                    by=names.masked(asking.founder_number),
                )
                for asking in people.invitations(tx, caller.book.id, caller.id)
            ],
        )

    return await call.work(read)


def _told(household: people.Household, numbers: dict[Any, str]) -> HouseholdOut:
    company = household.kind == "company"
    there = sorted((p for p in household.people.values() if p.state in ("active", "invited")), key=lambda p: p.place)
    return HouseholdOut(
        id=ids.show("household", household.id),
        kind=cast(Any, household.kind),
        people=[
            HouseholdPerson(
                id=ids.show("member", person.member_id),
                number=names.masked(numbers.get(person.member_id)),
                state=cast(Any, person.state),
                founder=person.member_id == household.founder_id,
                shared=person.member_id == household.founder_id if company else person.shared_points is not None,
                monthly_points=person.own_points if company else person.shared_points,
            )
            for person in there
        ],
    )


# -- steps


async def post_household(call: Call[NothingIn]) -> Outcome:
    return await _step(call, trade.FoundHousehold(call.member.id))


async def post_invitation(call: Call[InviteIn]) -> Outcome:
    number = people.numbers.read(call.body.number)
    if number is None:
        raise problems.not_found("member", "/number")
    return await _step(call, trade.InviteToHousehold(call.member.id, number, call.body.monthly_points))


async def post_acceptance(call: Call[NothingIn]) -> Outcome:
    return await _step(call, trade.AnswerInvitation(call.member.id, call.id("household"), True))


async def post_refusal(call: Call[NothingIn]) -> Outcome:
    return await _step(call, trade.AnswerInvitation(call.member.id, call.id("household"), False))


async def post_leave(call: Call[NothingIn]) -> Outcome:
    return await _step(call, trade.LeaveHousehold(call.member.id, call.member.id))


async def post_removal(call: Call[NothingIn]) -> Outcome:
    return await _step(call, trade.LeaveHousehold(call.member.id, call.id("member")))


async def post_founder(call: Call[NothingIn]) -> Outcome:
    return await _step(call, trade.HandOver(call.member.id, call.id("member")))


async def put_sharing(call: Call[SharingIn]) -> Outcome:
    return await _step(call, trade.ShareWallet(call.member.id, call.body.monthly_points))


async def put_person_limit(call: Call[PersonLimitIn]) -> Outcome:
    return await _step(call, trade.LimitPerson(call.member.id, call.id("member"), call.body.monthly_points))


async def _step(call: Call[Any], command: object) -> Outcome:
    return await call.post("household", command, _done)


def _done(done: trade.HouseholdDone) -> HouseholdStepOut:
    return HouseholdStepOut(
        record=ids.show("record", done.record_id),
        household=ids.show("household", done.household_id),
        kind=cast(Any, done.kind),
        state=cast(Any, done.state),
        founder=ids.show("member", done.founder_id),
        at=done.at,
    )
