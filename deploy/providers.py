"""Who moves money for us besides banks, as it is configured."""

from typing import Any

from deploy.config import Config, Misconfigured
from gateway.server import Providers
from settlement.rails.by_stripe import NAME, Stripe


def of(chosen: Config) -> Providers:
    """The providers of each mode; Misconfigured when one is set up by half: it would take money and never hear of it."""
    told = {
        "test": (chosen.stripe_test_key, chosen.stripe_test_webhook_secret),
        "live": (chosen.stripe_live_key, chosen.stripe_live_webhook_secret),
    }
    rails: dict[str, dict[str, Any]] = {}
    secrets: dict[str, str] = {}
    for mode, (key, secret) in told.items():
        if key is None and secret is None:
            continue
        if key is None or secret is None or chosen.stripe_return_url is None:
            of_mode = f"MANEX_STRIPE_{mode.upper()}"
            raise Misconfigured(f"{of_mode}_KEY, {of_mode}_WEBHOOK_SECRET and MANEX_STRIPE_RETURN_URL go together")
        rails[mode] = {NAME: Stripe(mode, key, chosen.stripe_return_url)}
        secrets[mode] = secret
    return Providers(rails, secrets)
