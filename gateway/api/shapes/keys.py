"""A merchant's keys, as the merchant and as an operator makes them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from gateway.api.shapes.values import Answer, Body, Name, Query


class ApiKeyIn(Body, frozen=True, kw_only=True):
    """A restricted key. Its scopes are among those of the key that asks."""

    label: Name
    scopes: Annotated[list[str], Meta(min_length=1, max_length=50)]


class RotateIn(Body, frozen=True, kw_only=True):
    # how long the old key goes on beside the new one
    overlap_hours: Annotated[int, Meta(ge=0, le=168)] = 24


class RevokeIn(Query, frozen=True, kw_only=True):
    # a key ends itself only when it says so
    own: Literal["yes"] | None = None


class ApiKeyOut(Answer, frozen=True, kw_only=True):
    """A key without its secret, which was told once. An ended key stays in the list."""

    id: str
    kind: Literal["sk", "rk"]
    label: str
    last_four: str
    scopes: list[str]
    created_at: datetime
    # when it ends because another replaced it
    expires_at: datetime | None
    revoked_at: datetime | None


class NewApiKeyOut(ApiKeyOut, frozen=True, kw_only=True):
    # told once
    secret: str


class ApiKeyPage(Answer, frozen=True, kw_only=True):
    data: list[ApiKeyOut]
    has_more: bool
    next_cursor: str | None


# -- made by an operator


class KeyIn(Body, frozen=True, kw_only=True):
    label: Name
    kind: Literal["sk", "rk"] = "sk"
    scopes: Annotated[list[str], Meta(max_length=20)] = []


class KeyOut(Answer, frozen=True, kw_only=True):
    id: str
    label: str
    scopes: list[str]
    # told once
    secret: str
