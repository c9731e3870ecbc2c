"""What anybody asks."""

from typing import Final

from gateway.api import health, hooks, proofs, shapes
from gateway.operation import Anybody, Operation

OPERATIONS: Final = (
    Operation(
        "GET",
        "/healthz",
        Anybody(),
        health.get_health,
        "The process lives.",
        answer=shapes.HealthOut,
        while_closing=True,
    ),
    Operation("GET", "/readyz", Anybody(), health.get_ready, "The process can serve.", answer=shapes.HealthOut),
    Operation(
        "GET",
        "/.well-known/jwks.json",
        Anybody(),
        health.get_jwks,
        "The keys that members' tokens and vouchers are signed with.",
        answer=shapes.JwksOut,
    ),
    Operation(
        "GET",
        "/.well-known/proof-keys.json",
        Anybody(),
        proofs.get_proof_keys,
        "The keys that windows are signed with, those of before included: what manex verify --key reads.",
        answer=shapes.ProofKeysOut,
    ),
    Operation(
        "GET",
        "/v1/books/{book}/supply",
        Anybody(),
        proofs.get_supply,
        "All points that were open when a window closed, signed: what manex verify proves.",
        answer=shapes.SupplyOut,
        query=shapes.SupplyIn,
    ),
    Operation(
        "POST",
        "/v1/hooks/stripe",
        Anybody(),
        hooks.post_stripe,
        "What Stripe tells of payments. Believed by its signature alone.",
        answer=shapes.ReceivedOut,
        raw=("application/json",),
        refusals=("not_found",),
    ),
)
