"""Limiting: what a sale or a redemption counts for velocity limits, and what an operator is told of those that meet one."""

from datetime import datetime
from typing import Final
from uuid import UUID

from ledger import ids
from merchants import safety
from merchants.trade.commands import Redemption, Sale
from merchants.trade.known import Known

Counted = tuple[str, str]
#: What a sale adds to: the points it earns, and itself if it earns.
EARNING: Final[Counted] = ("earn_points", "sale_count")
#: What a redemption or a voucher adds to: the points it takes, and itself.
REDEEMING: Final[Counted] = ("redeem_points", "redeem_count")


def subjects(actor: str, member_id: UUID, merchant_id: UUID) -> dict[str, UUID]:
    """Whose velocity an operation is: its member's, its merchant's, and the key's that asked, where one did."""
    key = ids.read("key", actor)
    return {"member": member_id, "merchant": merchant_id} | ({"key": key} if key is not None else {})


def met(
    counted: Counted, points: int, actor: str, member_id: UUID, merchant_id: UUID, known: Known
) -> safety.velocity.Met | None:
    """The first limit that so many points would pass; None: they have room, and are counted with that.

    The last of all checks: what it lets through, nothing may refuse any more.
    """
    if known.velocity is None:
        return None
    of, amounts = subjects(actor, member_id, merchant_id), dict(zip(counted, (points, 1), strict=True))
    if (found := known.velocity.met(of, amounts)) is None:
        known.velocity.add(of, amounts)
    return found


def flag_met(
    found: safety.velocity.Met,
    command: Sale | Redemption,
    member_id: UUID,
    known: Known,
    now: datetime,
    sale_id: UUID | None = None,
) -> None:
    """Have an operator look at who met a limit, with the sale that earned nothing."""
    about = (found.limit.subject, found.subject_id, found.limit.what)
    _flag(safety.VELOCITY, about, command, member_id, known, now, sale_id)


def flag_wrong_codes(command: Redemption, member_id: UUID, known: Known, now: datetime) -> None:
    """Have an operator look at a shop that has shown too many wrong codes."""
    _flag(safety.WRONG_CODES, ("merchant", command.merchant_id, ""), command, member_id, known, now)


def _flag(
    reason: str,
    about: tuple[str, UUID, str],
    command: Sale | Redemption,
    member_id: UUID,
    known: Known,
    now: datetime,
    sale_id: UUID | None = None,
) -> None:
    subject, subject_id, what = about
    known.flag(
        safety.Flag(
            reason=reason,
            subject=subject,
            subject_id=subject_id,
            what=what,
            times=1,
            first_at=now,
            last_at=now,
            merchant_id=command.merchant_id,
            branch_id=command.branch_id,
            member_id=member_id,
            sale_ids=() if sale_id is None else (sale_id,),
            redemption_references=(command.external_reference,) if isinstance(command, Redemption) else (),
        )
    )
