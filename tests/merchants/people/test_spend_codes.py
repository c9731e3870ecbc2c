"""Spend codes: RFC 6238, each once, and never one older than the last."""

import base64
import datetime as dt
from uuid import UUID

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants.people import spend_codes
from merchants.people.spend_codes import Used, code, matching_step, secret, step

NOW = dt.datetime(2017, 5, 1, 9, 0, 10, tzinfo=dt.UTC)
STEP = step(NOW)
KEY = b"k" * 32
PHONE, TABLET = UUID(int=1), UUID(int=2)
PHONE_SECRET, TABLET_SECRET = secret(KEY, PHONE, b"n" * 16), secret(KEY, TABLET, b"n" * 16)

PHONE_KEY, TABLET_KEY = base64.b32decode(PHONE_SECRET), base64.b32decode(TABLET_SECRET)


def test_codes_are_those_of_rfc_6238() -> None:
    # appendix B, SHA-1, the last six of its eight digits
    device_secret = base64.b32encode(b"12345678901234567890").decode()
    for second, expected in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037"), (20000000000, "353130")):
        at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
        assert code(device_secret, step(at)) == expected


@given(st.binary(min_size=20, max_size=20), st.integers(0, 2**40))
def test_codes_are_those_that_any_authenticator_shows(device_key: bytes, of_step: int) -> None:
    authenticator = pyotp.TOTP(base64.b32encode(device_key).decode())
    assert spend_codes.digits(device_key, of_step) == authenticator.generate_otp(of_step)


def test_a_secret_is_160_bits_and_depends_on_key_device_and_nonce() -> None:
    assert len(base64.b32decode(PHONE_SECRET)) == 20
    assert secret(KEY, PHONE, b"n" * 16) == PHONE_SECRET
    assert len({PHONE_SECRET, TABLET_SECRET, secret(b"j" * 32, PHONE, b"n" * 16), secret(KEY, PHONE, b"m" * 16)}) == 4


@pytest.mark.parametrize("skew", [-1, 0, 1])
def test_the_present_step_and_its_neighbours_match(skew: int) -> None:
    shown = code(PHONE_SECRET, STEP + skew)
    assert matching_step(shown, [(PHONE, PHONE_KEY, 0)], NOW) == (PHONE, STEP + skew)


@pytest.mark.parametrize("skew", [-2, 2])
def test_a_step_further_off_does_not(skew: int) -> None:
    assert matching_step(code(PHONE_SECRET, STEP + skew), [(PHONE, PHONE_KEY, 0)], NOW) is None


@pytest.mark.parametrize(("last", "used"), [(STEP - 1, False), (STEP, True), (STEP + 1, True)])
def test_a_code_of_the_last_step_or_before_it_is_used(last: int, used: bool) -> None:
    found = matching_step(code(PHONE_SECRET, STEP), [(PHONE, PHONE_KEY, last)], NOW)
    assert found == (Used(PHONE, STEP) if used else (PHONE, STEP))


def test_each_device_has_its_own_codes_and_steps() -> None:
    devices = [(PHONE, PHONE_KEY, STEP + 1), (TABLET, TABLET_KEY, 0)]
    assert matching_step(code(TABLET_SECRET, STEP), devices, NOW) == (TABLET, STEP)
    assert matching_step(code(PHONE_SECRET, STEP), devices, NOW) == Used(PHONE, STEP)


def test_a_code_may_be_typed_in_any_digits() -> None:
    shown = code(PHONE_SECRET, STEP)
    persian = shown.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    assert matching_step(f"{persian[:3]} {persian[3:]}", [(PHONE, PHONE_KEY, 0)], NOW) == (PHONE, STEP)


@pytest.mark.parametrize("text", ["", "12345", "1234567", "abcdef", "-12345", "1" * 100_000])
def test_what_is_no_code_matches_nothing(text: str) -> None:
    assert matching_step(text, [(PHONE, PHONE_KEY, 0)], NOW) is None


def test_without_devices_nothing_matches() -> None:
    assert matching_step("123456", [], NOW) is None


def test_steps_are_thirty_seconds_of_utc() -> None:
    assert step(dt.datetime(1970, 1, 1, 0, 0, 29, 999_999, tzinfo=dt.UTC)) == 0
    assert step(dt.datetime(1970, 1, 1, 0, 0, 30, tzinfo=dt.UTC)) == 1
    tehran = dt.timezone(dt.timedelta(hours=3, minutes=30))
    assert step(NOW.astimezone(tehran)) == STEP
    assert spend_codes.STEP_SECONDS == 30
