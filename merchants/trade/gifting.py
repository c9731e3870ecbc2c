"""Giving: whether a member's points may become another's. Pure: no SQL, no clock but the batch's.

`gift` checks in a fixed order, which the refusals' documentation follows; below its mark nothing may refuse. Whether there
is a receiver is looked at only after everything that the giver's own wallet could refuse, and every refusal from there on
counts: a giver finds out about few telephones a day.
"""

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from ledger import LONGEST_LINEAGE, Accepted, Decision, Lot, Refusal, Working, ids, worth
from ledger.errors import (
    ConsentRequired,
    Invalid,
    LimitExceeded,
    NotFound,
    SpendLocked,
    Stale,
    StateConflict,
)
from merchants import people, sales
from merchants.trade import consenting, spending
from merchants.trade.commands import Gift, GiftDone
from merchants.trade.known import Known, available

#: Receivers who could not be given to, by giver and day.
MOST_MISSED: Final = 10


@dataclass(frozen=True, slots=True)
class NoReceiver(NotFound):
    """Nobody there, gone, or frozen: which of these is told to nobody. Stored, because it was counted."""

    stored: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class TooManyMissed(Refusal):
    code: ClassVar[str] = "rate_limited"
    stored: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        return f"{MOST_MISSED} receivers could not be given to today; gifts go on tomorrow"


def gift(command: Gift, actor: str, known: Known, working: Working) -> Decision:
    """Give points of one member to another: the soonest to expire first, each lot with all that it is."""
    giver = known.members.get(command.giver_id)
    if giver is None or giver.state == "left":
        return NotFound("member")
    if command.to_number == giver.number or (command.to_phone is not None and command.to_phone == giver.phone):
        return Invalid("/to", "nobody gives to themselves")
    if refusal := _may_give(giver, working):
        return refusal
    if command.spend_code is None:
        return ConsentRequired("a gift needs the spend code of the giver's device")
    consent = consenting.consent(command.spend_code, giver.id, (), giver.id, known, working.now)
    if isinstance(consent, Refusal):
        return consent
    today = known.gift_days[giver.id]
    if today.missed >= MOST_MISSED:
        return TooManyMissed()
    if refusal := _too_much(command, today, known.gift_rules):
        return refusal
    slices = spending.of_points(giver.id, command.points, working)
    if isinstance(slices, Refusal):
        return slices
    before = {s.lot.id: held_before(s.lot, known, working) for s in slices}
    if worn := next((s.lot for s in slices if len(before[s.lot.id]) >= LONGEST_LINEAGE), None):
        return StateConflict(_named(worn), f"given {LONGEST_LINEAGE} times already: it is there to be spent")
    receiver = known.receiver(command)
    refused = _may_receive(receiver, command, known)
    if refused is None and receiver is not None:
        returning = next((s.lot for s in slices if receiver.id in before[s.lot.id]), None)
        if returning is not None:
            refused = StateConflict(_named(returning), "from the receiver: points do not return by gift")
    if refused is not None:
        today.missed += 1
        return refused
    assert receiver is not None
    # nothing below may refuse
    known.steps[consent.device] = consent.step
    id = ids.new()
    value = worth(slices)
    draft = working.record(
        "gift",
        actor,
        member=giver.id,
        subject=id,
        payload={
            "gift": id,
            "giver": giver.id,
            "receiver": receiver.id,
            "points": command.points,
            "value_minor": value,
        },
    )
    working.give(draft, giver=giver.id, receiver=receiver.id, slices=slices)
    # a record is found by one member: the receiver's own history hears of the gift by a fact right behind it
    working.record(
        "gift_received",
        actor,
        member=receiver.id,
        subject=id,
        payload={"gift": id, "giver": giver.id, "points": command.points, "value_minor": value},
    )
    today.given_points += command.points
    today.gifts += 1
    known.gift_days[receiver.id].received_points += command.points
    known.new_gifts.append(
        sales.GiftRow(
            id=id,
            giver_id=giver.id,
            receiver_id=receiver.id,
            points=command.points,
            value_minor=value,
            at=working.now,
            n=draft.n,
        )
    )
    return Accepted(
        GiftDone(
            id=id,
            record_id=draft.id,
            receiver_number=receiver.number,
            points=command.points,
            value=value,
            at=working.now,
            available=available(working, giver.id),
        )
    )


def held_before(lot: Lot, known: Known, working: Working) -> list[UUID]:
    """Those who held the points before the lot was given to its member, the last first."""
    holders = []
    parent = lot.parent_id
    while parent is not None:
        if (here := working.lot(parent)) is not None:
            holder, parent = here.member_id, here.parent_id
        elif parent in known.lineages:
            holder, parent = known.lineages[parent]
        else:
            raise Stale("the lot came while its lineage was read")
        holders.append(holder)
    return holders


def _may_give(giver: people.Member, working: Working) -> Refusal | None:
    if (by := giver.locked_by) is not None:
        return SpendLocked(by)
    if any(debt.remaining for debt in working.debts.get(giver.id, ())):
        return StateConflict("member", "owing points to shops, which are repaid before any is given")
    return None


def _too_much(command: Gift, today: sales.GiftDay, rules: sales.GiftRules) -> Refusal | None:
    if today.gifts + 1 > rules.gifts_a_day:
        return LimitExceeded("gifts_a_day", rules.gifts_a_day, today.gifts + 1)
    if today.given_points + command.points > rules.points_a_day:
        return LimitExceeded("gift_points_a_day", max(0, rules.points_a_day - today.given_points), command.points)
    return None


def _may_receive(receiver: people.Member | None, command: Gift, known: Known) -> Refusal | None:
    if receiver is None or receiver.state != "active":
        return NoReceiver("member", "/to")
    received = known.gift_days[receiver.id].received_points
    if received + command.points > known.gift_rules.received_a_day:
        # how much the other has had is nobody else's business
        return LimitExceeded("gift_received_a_day", known.gift_rules.received_a_day, command.points)
    return None


def _named(lot: Lot) -> str:
    return f"lot {ids.show('lot', lot.id)}"
