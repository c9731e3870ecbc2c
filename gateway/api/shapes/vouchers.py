"""Points set aside for a member's device to spend without network."""

from datetime import datetime
from typing import Literal

from gateway.api.shapes.values import Answer, Balance, Body, PointsAsked, SpendCode, Sum
from gateway.jwk import Jwk


class VoucherIn(Body, frozen=True, kw_only=True):
    # where it is to be spent (mer_...)
    shop: str
    # the most that can be spent; all of it is set aside now
    points: PointsAsked
    # one's own device, and the public key it signs its spend with
    device: str
    public_key: Jwk
    spend_code: SpendCode


class VoucherOut(Answer, frozen=True, kw_only=True):
    """Points set aside to be spent at one shop without network. The redemption has the voucher's digits for its id."""

    id: str
    state: Literal["open", "redeemed", "returned", "lapsed"]
    shop: str
    points: int
    value: Sum
    # what was captured of it
    spent: int | None
    at: datetime
    # the device signs until then; the shop redeems until the deadline
    spend_until: datetime
    deadline: datetime


class OwnVoucherOut(VoucherOut, frozen=True, kw_only=True):
    device: str
    # the signed voucher (a compact JWS), to be shown to a till; null once it is not open
    voucher: str | None
    balance: Balance | None


class VoucherPage(Answer, frozen=True, kw_only=True):
    data: list[OwnVoucherOut]
    has_more: bool
    next_cursor: str | None
