"""Stripe as it is configured: whole or not at all, and never with the keys of the other mode."""

import pytest

from deploy import config, providers
from deploy.config import Misconfigured

TEST = {"MANEX_STRIPE_TEST_KEY": "sk_test_12345678", "MANEX_STRIPE_TEST_WEBHOOK_SECRET": "whsec_12345678"}
LIVE = {"MANEX_STRIPE_LIVE_KEY": "rk_live_12345678", "MANEX_STRIPE_LIVE_WEBHOOK_SECRET": "whsec_87654321"}
BACK = {"MANEX_STRIPE_RETURN_URL": "https://shop.example/done"}


def modes(environ: dict[str, str]) -> tuple[set[str], set[str]]:
    found = providers.of(config.load(environ))
    return set(found.rails), set(found.stripe_secrets)


def test_each_mode_has_what_is_set_for_it() -> None:
    assert modes({}) == (set(), set())
    assert modes(BACK) == (set(), set())
    assert modes(TEST | BACK) == ({"test"}, {"test"})
    assert modes(TEST | LIVE | BACK) == ({"test", "live"}, {"test", "live"})


@pytest.mark.parametrize(
    "environ",
    [
        TEST,
        {"MANEX_STRIPE_TEST_KEY": "sk_test_12345678"} | BACK,
        {"MANEX_STRIPE_LIVE_WEBHOOK_SECRET": "whsec_12345678"} | BACK,
        TEST | BACK | {"MANEX_STRIPE_TEST_KEY": "sk_live_12345678"},
        LIVE | BACK | {"MANEX_STRIPE_LIVE_KEY": "sk_test_12345678"},
        TEST | BACK | {"MANEX_STRIPE_TEST_KEY": "pk_test_12345678"},
        TEST | {"MANEX_STRIPE_RETURN_URL": "http://shop.example"},
    ],
)
def test_half_of_it_or_the_other_modes_is_refused_and_nothing_repeated(environ: dict[str, str]) -> None:
    with pytest.raises(Misconfigured) as refused:
        providers.of(config.load(environ))
    assert not any(value in str(refused.value) for value in environ.values())
