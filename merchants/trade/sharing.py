"""Sharing: who may spend for whom. Pure: no SQL, no clock but the batch's.

Each step checks in a fixed order and is one fact record, with ids only, from which the household is built again. Whoever
is frozen changes nothing but may always leave.
"""

from typing import Any
from uuid import UUID

from ledger import Accepted, Decision, Working, ids
from ledger.errors import Invalid, LimitExceeded, NotFound, StateConflict
from merchants import people
from merchants.people import households
from merchants.people.households import COMPANY, FAMILY, Household, Person
from merchants.trade.commands import (
    AnswerInvitation,
    FoundHousehold,
    HandOver,
    HouseholdDone,
    HouseholdStep,
    InviteToHousehold,
    LeaveHousehold,
    LimitPerson,
    ShareWallet,
)
from merchants.trade.known import Known


def step(command: HouseholdStep, actor: str, known: Known, working: Working) -> Decision:
    """One step of one member in one household."""
    member = known.members.get(command.member_id)
    if member is None or member.state == "left":
        return NotFound("member")
    if isinstance(command, LeaveHousehold) and command.person_id == member.id:
        return _leave(command, member, actor, known, working)
    if member.state != "active":
        return StateConflict("member", member.state)
    if isinstance(command, FoundHousehold):
        return _found(member, actor, known, working)
    if isinstance(command, AnswerInvitation):
        return _answer(command, member, actor, known, working)
    household = known.household_of(member.id)
    if household is None:
        return StateConflict("member", "in no household")
    if isinstance(command, ShareWallet):
        return _share(command, member, household, actor, known, working)
    if household.founder_id != member.id:
        return StateConflict("household", "another's to lead: only its founder does that")
    if isinstance(command, InviteToHousehold):
        return _invite(command, household, actor, known, working)
    if isinstance(command, LimitPerson):
        return _limit(command, household, actor, known, working)
    if isinstance(command, HandOver):
        return _hand_over(command, household, actor, known, working)
    assert isinstance(command, LeaveHousehold), command
    return _take_out(command, household, actor, known, working)


def _found(member: people.Member, actor: str, known: Known, working: Working) -> Decision:
    if known.household_of(member.id) is not None:
        return StateConflict("member", "in a household already")
    kind = COMPANY if member.kind == "legal" else FAMILY
    household = Household(ids.new(), kind, member.id, "active", {member.id: Person(member.id, "active")})
    known.households[household.id] = household
    return _done("created", household, member.id, actor, known, working, household_kind=kind)


def _invite(command: InviteToHousehold, household: Household, actor: str, known: Known, working: Working) -> Decision:
    if (command.own_points is None) == (household.kind == COMPANY):
        why = "say what this person may spend in a month" if household.kind == COMPANY else "only of a company's people"
        return Invalid("/monthly_points", why)
    invited = known.members.get(command.number)
    if invited is None or invited.state != "active" or invited.kind != "natural":
        return NotFound("member", "/number")
    before = household.people.get(invited.id)
    if before is not None and before.state != "left":
        return StateConflict("member", f"{before.state} in this household")
    there = sum(p.state in ("active", "invited") for p in household.people.values())
    if there >= households.LARGEST:
        return LimitExceeded("household_members", households.LARGEST, there + 1)
    household.people[invited.id] = Person(
        invited.id,
        "invited",
        own_points=command.own_points,
        # behind all who ever came, so that no two have the same place
        place=1 + max(person.place for person in household.people.values()),
    )
    return _done("invited", household, invited.id, actor, known, working, monthly_points=command.own_points)


def _answer(command: AnswerInvitation, member: people.Member, actor: str, known: Known, working: Working) -> Decision:
    household = known.households.get(command.household_id)
    person = household.people.get(member.id) if household else None
    if household is None or person is None or person.state == "left":
        return NotFound("household")
    if person.state != "invited" or household.state != "active":
        return StateConflict("invitation", person.state if household.state == "active" else "withdrawn")
    if command.accepts and known.household_of(member.id) is not None:
        return StateConflict("member", "in a household already")
    person.state = "active" if command.accepts else "declined"
    return _done("joined" if command.accepts else "declined", household, member.id, actor, known, working)


def _share(
    command: ShareWallet, member: people.Member, household: Household, actor: str, known: Known, working: Working
) -> Decision:
    if household.kind == COMPANY:
        return StateConflict("household", "a company's, in which only the company's wallet is shared")
    household.people[member.id].shared_points = command.points
    return _done("sharing", household, member.id, actor, known, working, monthly_points=command.points)


def _limit(command: LimitPerson, household: Household, actor: str, known: Known, working: Working) -> Decision:
    person = household.people.get(command.person_id)
    if person is None or person.state not in ("active", "invited") or person.member_id == household.founder_id:
        return NotFound("member")
    if household.kind != COMPANY:
        return StateConflict("household", "a family, in which each decides for their own wallet")
    person.own_points = command.points
    return _done("limit", household, person.member_id, actor, known, working, monthly_points=command.points)


def _hand_over(command: HandOver, household: Household, actor: str, known: Known, working: Working) -> Decision:
    if not household.has(command.person_id) or command.person_id == household.founder_id:
        return NotFound("member")
    if household.kind == COMPANY:
        return StateConflict("household", "a company's, which is nobody else's")
    household.founder_id = command.person_id
    return _done("handed_over", household, command.person_id, actor, known, working)


def _take_out(command: LeaveHousehold, household: Household, actor: str, known: Known, working: Working) -> Decision:
    person = household.people.get(command.person_id)
    if person is None or person.state not in ("active", "invited"):
        return NotFound("member")
    return _gone(person, household, actor, known, working)


def _leave(command: LeaveHousehold, member: people.Member, actor: str, known: Known, working: Working) -> Decision:
    household = known.household_of(member.id)
    if household is None:
        return StateConflict("member", "in no household")
    return _gone(household.people[command.person_id], household, actor, known, working)


def _gone(person: Person, household: Household, actor: str, known: Known, working: Working) -> Decision:
    """Somebody is out, and with them every right to spend, both ways; one who is left alone is no family."""
    was = person.state
    person.state, person.shared_points, person.own_points = "left", None, None
    left = list(household.active())
    ends = not left or (household.kind == FAMILY and was == "active" and len(left) == 1)
    ends = ends or (household.kind == COMPANY and person.member_id == household.founder_id)
    done = _done("left", household, person.member_id, actor, known, working)
    if ends:
        household.state = "ended"
        for other in household.people.values():
            if other.state in ("active", "invited"):
                other.state, other.shared_points, other.own_points = "left", None, None
        return _done("ended", household, left[0].member_id if left else person.member_id, actor, known, working)
    if household.founder_id == person.member_id:
        # the eldest of those who stay leads it
        household.founder_id = left[0].member_id
        return _done("handed_over", household, household.founder_id, actor, known, working)
    return done


def _done(
    what: str, household: Household, member: UUID, actor: str, known: Known, working: Working, **facts: Any
) -> Accepted:
    known.changed_households.add(household.id)
    draft = working.record(
        f"household_{what}", actor, member=member, subject=household.id, payload={"household": household.id, **facts}
    )
    return Accepted(
        HouseholdDone(draft.id, household.id, household.kind, household.state, household.founder_id, working.now)
    )
