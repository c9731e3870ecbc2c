"""What a record makes somebody owe. Pure: an event and the contract facts it carries give items, always the same ones."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from ledger.stream import Event
from settlement import fees


class Item(NamedTuple):
    """One redemption slice or one fee, as its window will settle it. Points and amounts are negative for a refund."""

    sequence: int
    ordinal: int
    kind: str
    reason: str
    at: datetime
    issuer_id: UUID | None
    acceptor_id: UUID | None
    subject_id: UUID | None
    lot_id: UUID | None
    funding: str | None
    unit_value_minor: int | None
    points: int
    # what the issuer owes the acceptor
    value_minor: int
    fee_payer_id: UUID | None
    fee_base_minor: int
    fee_ppm: int
    fee_millionths: int
    contract_id: UUID | None

    @property
    def about(self) -> str:
        """What the subject is: a sale owes the fee and the debt that is repaid, a redemption the rest."""
        if self.kind == "adjustment":
            return "window" if self.reason == "share" else "record"
        return "sale" if self.lot_id is None or self.reason == "repayment" else "redemption"


def items(event: Event, operator: UUID) -> list[Item]:
    """The items of one record; none for a record that makes nobody owe anything."""
    if event.kind == "cover":
        return _shares(event, operator, "shares", 1)
    if event.kind == "adjustment":
        told = event.payload
        sides = (UUID(told["debtor"]), UUID(told["creditor"]))
        return [_adjustment(event, 0, "adjustment", *sides, int(told["amount_minor"]))]
    if event.kind in ("charge_back", "charge_back_reversed"):
        return _charged_back(event, operator)
    if event.kind == "made_good":
        return _shares(event, operator, "shares_returned", -1)
    if event.kind == "capture":
        return _slices(event, "redemption", 1)
    if event.kind == "repayment":
        return _slices(event, "repayment", 1)
    if event.kind == "redemption_refund":
        return _slices(event, "refund", -1)
    if event.kind == "sale":
        return _purchase(event, "purchase", int(event.payload["money_minor"]))
    if event.kind == "refund":
        return _purchase(event, "refund", -int(event.payload["amount_minor"]))
    return []


def _slices(event: Event, reason: str, sign: int) -> list[Item]:
    """One item per slice: the lot's issuer owes the acceptor the lot's value, the acceptor owes the operator its fee.

    The acceptor's own lots and closed-loop lots are worth nothing between two parties: their points still settle. A
    repayment bears no fee; a refund gives everything back at the rates of its capture.
    """
    acceptor = event.merchant_id
    assert acceptor is not None, event.id
    ppm = int(event.payload["redemption_fee_ppm"])
    made = []
    for ordinal, part in enumerate(event.payload["slices"]):
        issuer = UUID(part["issuer"])
        unit_value, points = int(part["unit_value_minor"]), sign * int(part["points"])
        owed = 0 if issuer == acceptor or part["funding"] == "closed_loop" else points * unit_value
        base = owed if event.kind != "repayment" else 0
        made.append(
            Item(
                sequence=event.sequence,
                ordinal=ordinal,
                kind="slice",
                reason=reason,
                at=event.at,
                issuer_id=issuer,
                acceptor_id=acceptor,
                subject_id=event.subject_id,
                lot_id=UUID(part["lot"]),
                funding=part["funding"],
                unit_value_minor=unit_value,
                points=points,
                value_minor=owed,
                fee_payer_id=acceptor if base else None,
                fee_base_minor=base,
                fee_ppm=ppm if base else 0,
                fee_millionths=fees.charge(base, ppm),
                contract_id=_contract(event.payload),
            )
        )
    return made


def _shares(event: Event, operator: UUID, told: str, sign: int) -> list[Item]:
    """What each merchant bears of another's failure, owed to the operator who holds it; or what it is given back of it."""
    return [
        _adjustment(event, ordinal, "share", UUID(part["merchant"]), operator, sign * int(part["amount_minor"]))
        for ordinal, part in enumerate(event.payload.get(told, ()))
    ]


def _charged_back(event: Event, operator: UUID) -> list[Item]:
    """What the merchant's prefund lacked of a top-up that was taken back; or the same, come back to it."""
    charged = int(event.payload["charged_minor"])
    if not charged:
        return []
    assert event.merchant_id is not None, event.id
    sign = 1 if event.kind == "charge_back" else -1
    return [_adjustment(event, 0, "charge_back", event.merchant_id, operator, sign * charged)]


def _adjustment(event: Event, ordinal: int, reason: str, debtor: UUID, creditor: UUID, value: int) -> Item:
    return Item(
        sequence=event.sequence,
        ordinal=ordinal,
        kind="adjustment",
        reason=reason,
        at=event.at,
        issuer_id=debtor,
        acceptor_id=creditor,
        subject_id=event.subject_id,
        lot_id=None,
        funding=reason,
        unit_value_minor=0,
        points=0,
        value_minor=value,
        fee_payer_id=None,
        fee_base_minor=0,
        fee_ppm=0,
        fee_millionths=0,
        contract_id=None,
    )


def _purchase(event: Event, reason: str, base: int) -> list[Item]:
    """The sale's shop owes the operator a share of the money part of a member's purchase, and has it back of a refund."""
    ppm = int(event.payload["purchase_fee_ppm"])
    if event.member_id is None or base * ppm == 0:
        return []
    return [
        Item(
            sequence=event.sequence,
            ordinal=0,
            kind="purchase_fee",
            reason=reason,
            at=event.at,
            issuer_id=None,
            acceptor_id=None,
            subject_id=event.subject_id,
            lot_id=None,
            funding=None,
            unit_value_minor=None,
            points=0,
            value_minor=0,
            fee_payer_id=event.merchant_id,
            fee_base_minor=base,
            fee_ppm=ppm,
            fee_millionths=fees.charge(base, ppm),
            contract_id=_contract(event.payload),
        )
    ]


def _contract(payload: dict[str, Any]) -> UUID | None:
    return UUID(payload["contract"]) if payload.get("contract") else None
