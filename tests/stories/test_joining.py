"""Joining at the counter: in seconds, earning at once, with the consents confirmed on the member's own telephone."""

from typing import Any

from tests.gateway.network import Api

PHONE = "+15550100555"
JOIN = {
    "phone": PHONE,
    "given_name": "Mina",
    "consents": [{"purpose": "marketing", "given": True}, {"purpose": "profiling", "given": False}],
    "confirm": True,
}


def codes(api: Api) -> list[str]:
    sent = f"/v1/operator/books/{api.book}/one-time-codes?phone={PHONE.replace('+', '%2B')}"
    return [row["code"] for row in api.done("GET", sent, by=api.maker)["data"]]


def signed_in(api: Api) -> str:
    named = {"Manex-Book": api.book}
    api.done("POST", "/v1/auth/otp", {"phone": PHONE}, headers=named)
    body = {"phone": PHONE, "code": codes(api)[0]}
    return str(api.done("POST", "/v1/auth/otp/verify", body, headers=named)["access_token"])


def given(api: Api, token: str) -> dict[str, bool]:
    return {row["purpose"]: row["given"] for row in api.done("GET", "/v1/me/consents", by=token)["data"]}


def confirmation(api: Api, **body: Any) -> tuple[int, str | None]:
    answer = api.call("POST", "/v1/member-confirmations", body, by=api.shops["cafe"].key)
    return answer.status_code, answer.json().get("code")


def test_join_earn_at_once_and_confirm_with_the_code_on_the_phone(api: Api) -> None:
    cafe = api.shops["cafe"].key
    joined = api.done("POST", "/v1/members", JOIN, by=cafe)
    assert (joined["created"], joined["consents_confirmed"]) == (True, False)
    sold = api.sale(None, 5_000) | {"member": joined["number"]}
    assert api.done("POST", "/v1/sales", sold, by=cafe, key="first-purchase-01")["earn"]["points"] == 50
    [code] = codes(api)
    done = api.done("POST", "/v1/member-confirmations", {"phone": PHONE, "code": code}, by=cafe)
    assert done == {"consents_confirmed": True}
    token = signed_in(api)
    assert given(api, token) == {"marketing": True, "profiling": False}
    assert api.done("GET", "/v1/me/consents", by=token)["confirmed"]
    # a code confirms once
    assert confirmation(api, phone=PHONE, code=code) == (403, "consent_required")


def test_until_the_member_says_so_nothing_is_given(api: Api) -> None:
    api.done("POST", "/v1/members", JOIN, by=api.shops["cafe"].key)
    token = signed_in(api)
    told = api.done("GET", "/v1/me/consents", by=token)
    assert told == {
        "confirmed": False,
        "data": [
            {"purpose": "marketing", "given": False, "asked": True, "at": "2017-01-01T00:00:00Z"},
            {"purpose": "profiling", "given": False, "asked": False, "at": "2017-01-01T00:00:00Z"},
        ],
    }
    # the member's own session will do
    assert api.done("POST", "/v1/me/consents/confirm", {}, by=token)["confirmed"]
    again = api.done("POST", "/v1/me/consents/confirm", {}, by=token)
    assert again["confirmed"]
    assert given(api, token) == {"marketing": True, "profiling": False}


def test_the_code_said_aloud_at_the_counter_signs_nobody_in(api: Api) -> None:
    api.done("POST", "/v1/members", JOIN, by=api.shops["cafe"].key)
    [code] = codes(api)
    named = {"Manex-Book": api.book}
    answer = api.call("POST", "/v1/auth/otp/verify", {"phone": PHONE, "code": code}, headers=named)
    assert answer.status_code == 401
    # nor does one that signs in confirm, or end the other
    api.done("POST", "/v1/auth/otp", {"phone": PHONE}, headers=named)
    assert confirmation(api, phone=PHONE, code=codes(api)[0]) == (403, "consent_required")
    assert confirmation(api, phone=PHONE, code=code)[0] == 200


def test_wrong_codes_are_limited(api: Api) -> None:
    api.done("POST", "/v1/members", JOIN, by=api.shops["cafe"].key)
    [code] = codes(api)
    wrong = "000000" if code != "000000" else "111111"
    assert [confirmation(api, phone=PHONE, code=wrong) for _ in range(5)] == [(403, "consent_required")] * 5
    assert confirmation(api, phone=PHONE, code=code) == (429, "otp_locked")
    # nobody there, or nothing asked: the same answer
    assert confirmation(api, phone="+15550100556", code=code) == (403, "consent_required")
    assert confirmation(api, member=f"mem_{'0' * 32}", code=code) == (403, "consent_required")


def test_a_telephone_that_is_known_is_told_nothing_of_and_asked_nothing_twice(api: Api) -> None:
    first = api.done("POST", "/v1/members", JOIN, by=api.shops["cafe"].key)
    again = api.done("POST", "/v1/members", JOIN | {"given_name": "Other"}, by=api.shops["grocer"].key)
    assert (again["id"], again["created"], again["consents_confirmed"]) == (first["id"], False, None)
    assert len(codes(api)) == 1
    assert confirmation(api, member=first["number"], code=codes(api)[0])[0] == 200


def test_without_asking_the_phone_consents_are_as_said(api: Api) -> None:
    body = {name: value for name, value in JOIN.items() if name != "confirm"}
    joined = api.done("POST", "/v1/members", body, by=api.shops["cafe"].key)
    assert joined["consents_confirmed"] is None
    assert codes(api) == []
    assert given(api, signed_in(api)) == {"marketing": True, "profiling": False}
