"""What members read and change of their own over the API: notices, savings, consents, sessions, export, telephone."""

import threading
from typing import Any

import pytest

from tests.gateway.network import Api, Member, new_key
from tests.wallet_app.visitor import Visitor

ANN, BEN, NEW = "+15550100123", "+15550100124", "+15550100125"


def code_of(api: Api, phone: str) -> str:
    return Visitor(api).code_of(phone)


def step_up(api: Api, member: Member, phone: str = ANN) -> str:
    api.done("POST", "/v1/me/step-up", {}, by=member.token)
    return code_of(api, phone)


def test_savings_are_net_of_what_came_back_month_by_month_of_either_calendar(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"].key
    sold = api.sell(ann, 50_000)
    paid = api.done("POST", "/v1/redemptions", api.redemption(ann, 100, capture=True), by=cafe, key=new_key())
    back: Any = {"external_reference": "back", "amount": {"amount": 10_000, "currency": "USD"}}
    api.done("POST", f"/v1/sales/{sold['id']}/refunds", back, by=cafe, key=new_key())
    back = {"external_reference": "again", "points": 30}
    api.done("POST", f"/v1/redemptions/{paid['id']}/refunds", back, by=cafe, key=new_key())
    api.advance("2017-02-01T00:00:00Z")
    api.sell(ann, 7_000)
    told = api.done("GET", "/v1/me/savings?months=3", by=ann.token)["data"]
    assert [(m["from_day"], m["given_points"], m["given_value"]["amount"], m["paid_points"]) for m in told] == [
        ("2016-12-01", 0, 0, 0),
        ("2017-01-01", 400, 400, 70),
        ("2017-02-01", 70, 70, 0),
    ]
    assert told[1]["paid_value"] == {"amount": 70, "currency": "USD"}
    jalali = api.done("GET", "/v1/me/savings?calendar=jalali", by=ann.token)["data"]
    assert [m["from_day"] for m in jalali[-2:]] == ["2016-12-21", "2017-01-20"]
    assert [m["given_points"] for m in jalali[-2:]] == [400, 70]
    assert len(jalali) == 6
    bob = api.member("+15550100124")
    assert all(not m["given_points"] for m in api.done("GET", "/v1/me/savings", by=bob.token)["data"])


def test_notices_tell_of_what_expires_and_what_a_shop_asked(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"]
    api.sell(ann, 5_000)
    asked: Any = {"branch": cafe.branch, "external_reference": "asked", "member": ann.number, "points": 10}
    api.done("POST", "/v1/redemptions", asked, by=cafe.key, key=new_key())
    api.advance("2017-12-01T00:00:00Z")
    (expiring, *_, lapsed, first) = api.done("GET", "/v1/me/notices", by=ann.token)["data"]
    assert (first["kind"], first["points"], first["merchant_name"]) == ("approval_asked", 10, "cafe")
    assert (lapsed["kind"], lapsed["merchant"]) == ("approval_lapsed", cafe.id)
    assert (expiring["kind"], expiring["points"], expiring["until"][:4]) == ("expiry_notice", 50, "2018")
    page = api.done("GET", "/v1/me/notices?limit=1", by=ann.token)
    assert page["data"] == [expiring]
    bob = api.member("+15550100124")
    assert api.done("GET", "/v1/me/notices", by=bob.token)["data"] == []
    answer = api.call("GET", f"/v1/me/notices?cursor={page['next_cursor']}", by=bob.token)
    assert answer.json()["code"] == "cursor_invalid"


# -- consents


def test_consents_are_said_by_oneself_purpose_by_purpose_and_within_bounds(api: Api) -> None:
    ann = api.member()
    said: Any = {"purpose": "marketing", "given": True}
    api.done("PUT", "/v1/me/consents", {"consents": [said, {"purpose": "profiling", "given": False}]}, by=ann.token)
    told = api.done("PUT", "/v1/me/consents", {"consents": [said | {"given": False}]}, by=ann.token)["data"]
    assert [(each["purpose"], each["given"]) for each in told] == [("marketing", False), ("profiling", False)]
    assert told[0]["at"] == "2017-01-01T00:00:00Z"
    # never more than are kept, however many requests bring them
    for n in range(18):
        api.done("PUT", "/v1/me/consents", {"consents": [{"purpose": "x" * (n + 1), "given": True}]}, by=ann.token)
    answer = api.call("PUT", "/v1/me/consents", {"consents": [{"purpose": "more", "given": True}]}, by=ann.token)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/consents")
    api.done("PUT", "/v1/me/consents", {"consents": [said]}, by=ann.token)


def test_one_consent_is_no_word_for_what_a_counter_said_of_another(api: Api) -> None:
    said = [{"purpose": "marketing", "given": True}]
    body = {"phone": BEN, "consents": said, "confirm": True}
    api.done("POST", "/v1/members", body, by=api.shops["cafe"].key)
    ben = api.member(BEN)
    told = api.done("PUT", "/v1/me/consents", {"consents": [{"purpose": "profiling", "given": True}]}, by=ben.token)
    assert [(each["purpose"], each["given"], each["asked"]) for each in told["data"]] == [
        ("marketing", False, True),
        ("profiling", True, True),
    ]
    assert told["confirmed"] is False


# -- sessions


def test_sessions_of_the_pages_are_listed_and_ended_over_the_api(api: Api) -> None:
    ann, here, there = api.member(), Visitor(api, phone=ANN), Visitor(api, phone=ANN)
    here.sign_in()
    there.sign_in()
    made = here.post("/wallet/devices")
    assert made.status == 200
    (second, first) = api.done("GET", "/v1/me/sessions", by=ann.token)["data"]
    assert first["device"] is not None
    bob = api.member(BEN)
    for whose in (bob.token,):
        answer = api.call("POST", "/v1/me/sessions/end", {"session": second["id"]}, by=whose)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), "another's is nobody's"
    left = api.done("POST", "/v1/me/sessions/end", {"session": second["id"]}, by=ann.token)["data"]
    assert [each["id"] for each in left] == [first["id"]]
    assert there.get("/wallet/").path.startswith("/wallet/sign-in")
    assert here.get("/wallet/").path == "/wallet/"
    assert api.done("POST", "/v1/me/sessions/end", {}, by=ann.token)["data"] == []
    assert here.get("/wallet/").path.startswith("/wallet/sign-in")
    with api.server.db.tx("door") as tx:
        row = tx.execute("select count(*) from merchants.device where revoked_at is not null").fetchone()
    assert row == (1,), "whoever signed in there makes no more codes; the app's own device does"


# -- all that is kept


def test_an_export_has_everything_of_oneself_and_asks_for_a_fresh_code(api: Api) -> None:
    ann, bob = api.member(), api.member(BEN)
    sold = api.sell(ann, 5_000)
    api.sell(bob, 7_000)
    birthday = {"kind": "birthday", "calendar": "jalali", "month": 1, "day": 31}
    api.done("PUT", "/v1/me/occasions", {"occasions": [birthday]}, by=ann.token)
    # what signs in proves no presence, nor does another's code, nor one that was used
    api.done("POST", "/v1/auth/otp", {"phone": ANN})
    sign_in = code_of(api, ANN)
    of_bob = step_up(api, bob, BEN)
    for wrong in (sign_in, of_bob):
        answer = api.call("POST", "/v1/me/export", {"code": wrong}, by=ann.token)
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")
    code = step_up(api, ann)
    assert api.call("POST", "/v1/auth/otp/verify", {"phone": ANN, "code": code}).status_code == 401
    told = api.done("POST", "/v1/me/export", {"code": code}, by=ann.token)
    assert (told["profile"]["phone"], told["profile"]["given_name"], told["balance"]["available"]) == (ANN, "Ann", 50)
    assert [each["kind"] for each in told["records"]] == ["sale"]
    assert told["records"][0]["subject"] == sold["id"]
    assert told["records"][0]["facts"]["lots"][0]["points"] == 50
    assert (told["records_cursor"], told["occasions"][0]["day"], len(told["devices"])) == (None, 31, 1)
    assert BEN not in str(told)
    again = api.call("POST", "/v1/me/export", {"code": code}, by=ann.token)
    assert again.json()["code"] == "step_up_required"


def test_of_very_many_records_the_rest_is_read_by_the_cursor(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.exporting.MOST_RECORDS", 2)
    ann = api.member()
    for _ in range(3):
        api.sell(ann, 1_000)
    told = api.done("POST", "/v1/me/export", {"code": step_up(api, ann)}, by=ann.token)
    rest = api.done("GET", f"/v1/me/records?cursor={told['records_cursor']}", by=ann.token)["data"]
    assert len({each["id"] for each in (*told["records"], *rest)}) == 3


def test_five_wrong_codes_of_a_step_up_lock_the_right_one(api: Api) -> None:
    ann = api.member()
    code = step_up(api, ann)
    wrong = {"code": "000000" if code != "000000" else "111111"}
    for _ in range(5):
        assert api.call("POST", "/v1/me/export", wrong, by=ann.token).json()["code"] == "step_up_required"
    assert api.call("POST", "/v1/me/export", {"code": code}, by=ann.token).json()["code"] == "otp_locked"


# -- another telephone


def change(api: Api, member: Member, phone: str, code: str, new_code: str) -> Any:
    return api.call("PUT", "/v1/me/phone", {"phone": phone, "code": code, "new_code": new_code}, by=member.token)


def test_another_telephone_asks_for_a_code_of_each(api: Api) -> None:
    ann, ben = api.member(), api.member(BEN)
    page = Visitor(api, phone=ANN)
    page.sign_in()
    api.done("POST", "/v1/me/phone/code", {"phone": NEW}, by=ann.token)
    new_code = code_of(api, NEW)
    code = step_up(api, ann)
    for wrong in (("000000", new_code), (new_code, code)):
        assert change(api, ann, NEW, *wrong).json()["code"] == "step_up_required"
    # a code that another asked for the same new telephone would do as well: it proves who reads it
    done = change(api, ann, NEW, code, new_code)
    assert done.status_code == 200
    assert done.json()["number"] == ann.number
    assert page.get("/wallet/").path.startswith("/wallet/sign-in"), "signed in elsewhere no longer"
    assert api.done("POST", "/v1/member-lookups", {"phone": NEW}, by=api.shops["cafe"].key)["number"] == ann.number
    answer = api.call("POST", "/v1/member-lookups", {"phone": ANN}, by=api.shops["cafe"].key)
    assert answer.status_code == 404
    # what belongs to somebody is not taken, and that is told to whoever reads it alone
    assert api.done("POST", "/v1/me/phone/code", {"phone": BEN}, by=ann.token)["expires_in"] == 300
    taken = change(api, ann, BEN, step_up(api, ann, NEW), code_of(api, BEN))
    assert (taken.status_code, taken.json()["code"]) == (409, "state_conflict")
    assert api.done("POST", "/v1/member-lookups", {"phone": BEN}, by=api.shops["cafe"].key)["number"] == ben.number


def test_a_telephone_that_two_want_at_once_is_given_to_one(api: Api) -> None:
    two = [(api.member(), ANN), (api.member(BEN), BEN)]
    api.done("POST", "/v1/me/phone/code", {"phone": NEW}, by=two[0][0].token)
    shared = code_of(api, NEW)
    codes = [step_up(api, member, phone) for member, phone in two]
    answers: list[int] = []

    def one(place: int) -> None:
        answers.append(change(api, two[place][0], NEW, codes[place], shared).status_code)

    threads = [threading.Thread(target=one, args=[place]) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 403], "the code is good once"


def test_a_frozen_member_keeps_the_telephone(api: Api) -> None:
    ann = api.member()
    api.done("POST", "/v1/me/phone/code", {"phone": NEW}, by=ann.token)
    freeze = {"reason": "reported"}
    api.done("POST", f"/v1/operator/members/{ann.id}/freeze", freeze, by=api.maker, key=new_key())
    answer = change(api, ann, NEW, step_up(api, ann), code_of(api, NEW))
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")


def test_codes_to_new_telephones_are_few(api: Api) -> None:
    ann = api.member()
    for _ in range(5):
        api.done("POST", "/v1/me/phone/code", {"phone": NEW}, by=ann.token)
    assert api.call("POST", "/v1/me/phone/code", {"phone": NEW}, by=ann.token).status_code == 429


# -- tiers


def test_a_member_is_told_by_its_name_which_tier_comes_next_if_nothing_more_is_bought(api: Api) -> None:
    ann, cafe = api.member(), api.shops["cafe"].key
    silver = {"id": "silver", "name": {"fa": "نقره‌ای", "en": "Silver"}, "requires": {"all": {"visits": 1}}}
    vip = {"id": "vip", "name": {"fa": "ویژه", "en": "VIP"}}
    ladder = {"period": {"calendar": "gregorian", "length": "year"}, "tiers": [silver, vip]}
    api.done("POST", "/v1/ladders", ladder, by=cafe, key=new_key())
    api.sell(ann, 1_000)
    by_hand = {"tier": "vip", "reason": "a friend", "ends_at": "2017-01-05T00:00:00Z"}
    api.done("POST", f"/v1/members/{ann.id}/tier", by_hand, by=cafe, key=new_key())
    api.advance(api.clock().isoformat())
    (told,) = api.done("GET", "/v1/me/standing", by=ann.token)["data"]
    assert (told["tier"]["id"], told["ends_at"], told["then"]) == ("vip", "2017-01-05T00:00:00Z", "silver")
    assert told["then_name"] == silver["name"]
