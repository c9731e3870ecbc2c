"""The wallet without scripts: joining, what one has, receipts, approvals, gifts, the lock, sessions."""

import re
from typing import Any

import pytest

from tests.gateway.network import Api, Member, new_key
from tests.wallet_app.visitor import Visitor, number_of

PAGES = (
    "",
    "card",
    "approvals",
    "history",
    "notices",
    "standing",
    "next-offers",
    "offers",
    "profile",
    "gifts",
    "household",
    "shops",
    "safety",
    "more",
)


def phone_of(api: Api, number: str, phone: str) -> Member:
    """The member's other phone, an app of the API."""
    api.done("POST", "/v1/auth/otp", {"phone": phone})
    code = Visitor(api).code_of(phone)
    token = api.done("POST", "/v1/auth/otp/verify", {"phone": phone, "code": code})["access_token"]
    secret = api.done("POST", "/v1/me/devices", {"name": "other phone"}, by=token)["spend_secret"]
    return Member(api, "", number, token, secret)


def asked(api: Api, number: str, points: int) -> Any:
    body = {
        "branch": api.shops["cafe"].branch,
        "external_reference": new_key(),
        "member": number,
        "points": points,
        "capture": True,
    }
    return api.done("POST", "/v1/redemptions", body, by=api.shops["cafe"].key, key=new_key())


@pytest.fixture
def ann(visitor: Visitor) -> Visitor:
    visitor.join(given_name="Ann", marketing="yes")
    return visitor


# -- joining and signing in


def test_a_stranger_joins_with_consents_and_has_a_card(ann: Visitor) -> None:
    assert "Hello Ann" in ann.get("/wallet/").text
    assert ann.get("/wallet/card").body.count("<svg") >= 2
    assert ann.get("/wallet/profile").form("/profile/consents").fields == {"marketing": "yes"}
    ann.send(ann.get("/wallet/profile").form("/profile/consents"), marketing="", profiling="yes")
    assert ann.get("/wallet/profile").form("/profile/consents").fields == {"profiling": "yes"}


def test_who_does_not_agree_to_the_rules_does_not_join(api: Api, visitor: Visitor) -> None:
    page = visitor.send(visitor.sign_in().form("/join"), given_name="Ann")
    assert page.status == 422
    assert "session" not in " ".join(visitor.cookies)
    assert visitor.send(page.form("/join"), terms="yes").path == "/wallet/?done=joined"


def test_a_page_to_join_lets_nobody_in_who_joined_meanwhile(api: Api, visitor: Visitor) -> None:
    form = visitor.sign_in().form("/join")
    visitor.send(form, terms="yes")
    late = Visitor(api)
    assert late.send(form, terms="yes").path == "/wallet/sign-in"
    assert not late.cookies
    forged = form.fields["proof"].replace(visitor.phone, Visitor(api).phone)
    assert late.post("/wallet/join", {"proof": forged, "terms": "yes"}).status == 410


def test_asking_for_a_code_and_a_wrong_code_say_the_same_of_a_member_and_of_nobody(api: Api, ann: Visitor) -> None:
    def seen(phone: str) -> list[tuple[int, str]]:
        other = Visitor(api)
        page = other.ask_for_code(phone)
        wrong = other.send(page.form("/sign-in/code"), code="000000")
        return [(one.status, one.body.replace(phone, "").replace("nonce", "")) for one in (page, wrong)]

    def bare(told: list[tuple[int, str]]) -> list[tuple[int, str]]:
        return [(status, re.sub(r'="[A-Za-z0-9_-]{22}"', "", body)) for status, body in told]

    assert bare(seen(ann.phone)) == bare(seen(Visitor(api).phone))


def test_five_wrong_codes_lock_the_right_one_out(api: Api, ann: Visitor) -> None:
    other = Visitor(api)
    form = other.ask_for_code(ann.phone).form("/sign-in/code")
    right = other.code_of(ann.phone)
    for _ in range(5):
        assert other.send(form, code="111111" if right != "111111" else "222222").status == 401
    assert other.send(form, code=right).status == 429


def test_any_digits_will_do(api: Api, ann: Visitor) -> None:
    other = Visitor(api)
    typed = ann.phone.translate({ord(str(d)): chr(0x06F0 + d) for d in range(10)})
    page = other.send(
        other.get("/wallet/sign-in").form("/sign-in"), phone=f"{typed[:2]} {typed[2:5]} {typed[5:8]} {typed[8:]}"
    )
    code = other.code_of(ann.phone).translate({ord(str(d)): chr(0x06F0 + d) for d in range(10)})
    assert other.send(page.form("/sign-in/code"), code=code).path == "/wallet/"


def test_whoever_comes_for_a_page_gets_there_after_signing_in_and_nowhere_else(api: Api, ann: Visitor) -> None:
    other = Visitor(api)
    page = other.get("/wallet/gifts")
    assert page.form("/sign-in").fields["next"] == "/wallet/gifts"
    page = other.send(page.form("/sign-in"), phone=ann.phone)
    assert other.send(page.form("/sign-in/code"), code=other.code_of(ann.phone)).path == "/wallet/gifts"
    away = Visitor(api)
    for lure in ("//evil.example", "https://evil.example/", "/wallet/../v1", "/wallet//evil.example\\@"):
        form = away.get(f"/wallet/sign-in?next={lure}").form("/sign-in")
        assert form.fields["next"] in ("/wallet/", "/wallet//evil.example")


# -- what one has


def test_a_purchase_is_on_the_home_page_with_its_receipt(api: Api, ann: Visitor) -> None:
    number = number_of(ann)
    api.sell(Member(api, "", number, "", ""), amount=5_000)
    home = ann.get("/wallet/")
    assert "50 points to spend" in home.text
    assert "worth $0.50" in home.text
    receipt = ann.get(re.findall(r"/wallet/history/rec_\w+", home.body)[0])
    assert "50 points from cafe" in receipt.text
    assert "$50.00" in receipt.text
    assert "By the rules of this shop." in receipt.text


def test_a_receipt_is_its_members_alone(api: Api, ann: Visitor) -> None:
    api.sell(Member(api, "", number_of(ann), "", ""))
    path = re.findall(r"/wallet/history/rec_\w+", ann.get("/wallet/").body)[0]
    ben = Visitor(api)
    ben.join()
    assert ann.get(path).status == 200
    assert ben.get(path).status == 404
    assert ben.get("/wallet/history/rec_00").status == 404


def test_history_goes_back_page_by_page_and_by_what_happened(api: Api, ann: Visitor) -> None:
    member = Member(api, "", number_of(ann), "", "")
    for _ in range(27):
        api.sell(member, amount=1_000)
    first = ann.get("/wallet/history")
    older = re.search(r'href="([^"]*from=[^"]*)"', first.body)
    assert older is not None
    second = ann.get(older[1].replace("&amp;", "&"))
    seen = [re.findall(r"/wallet/history/(rec_\w+)", page.body) for page in (first, second)]
    assert [len(page) for page in seen] == [25, 2]
    assert len({*seen[0], *seen[1]}) == 27
    assert ann.get("/wallet/history?show=spent").text.count("Nothing here yet.") == 1


def test_what_a_shop_asks_is_approved_once_and_declined_without_loss(api: Api, ann: Visitor) -> None:
    member = Member(api, "", number_of(ann), "", "")
    api.sell(member, amount=5_000)
    asked(api, member.number, 20)
    form = ann.get("/wallet/").form("/approve")
    assert "Approved" in ann.send(form).text
    # the same form once more, as a slow network has people do
    assert "Approved" in ann.send(form).text
    assert "30 points to spend" in ann.get("/wallet/").text
    asked(api, member.number, 10)
    assert "Declined" in ann.send(ann.get("/wallet/approvals").form("/decline")).text
    assert "30 points to spend" in ann.get("/wallet/").text
    asked(api, member.number, 31)
    assert ann.send(ann.get("/wallet/approvals").form("/approve")).status == 409


def test_a_gift_is_shown_once_more_and_given_once(api: Api, ann: Visitor) -> None:
    number = number_of(ann)
    api.sell(Member(api, "", number, "", ""), amount=5_000)
    ben = Visitor(api)
    ben.join()
    page = ann.send(ann.get("/wallet/gifts").form("/gifts"), to=number_of(ben), points="۲۰")
    assert "20 points to" in page.text
    form = page.form("/gifts/give")
    assert ann.send(form, spend_code="000000").status == 403
    code = phone_of(api, number, ann.phone).code()
    form = ann.send(ann.get("/wallet/gifts").form("/gifts"), to=number_of(ben), points="20").form("/gifts/give")
    for _ in range(2):
        assert ann.send(form, spend_code=code).path == "/wallet/gifts?done=given"
    assert "30 points to spend" in ann.get("/wallet/").text
    assert "20 points to spend" in ben.get("/wallet/").text


def test_a_household_is_founded_joined_shared_and_left(api: Api, ann: Visitor) -> None:
    ben = Visitor(api)
    ben.join()
    ann.send(ann.get("/wallet/household").form("/found"))
    ann.send(ann.get("/wallet/household").form("/invite"), number=number_of(ben))
    page = ben.get("/wallet/household")
    accept = next(form for form in page.forms if "/household/accept/" in form.action)
    ben.send(accept)
    shared = ann.send(ann.get("/wallet/household").form("/share"), monthly_points="100")
    assert "Lets the others spend up to 100 points a month." in shared.text
    ben.send(ben.get("/wallet/household").form("/leave"))
    assert ben.get("/wallet/household").form("/found").fields["key"]
    assert ann.post("/wallet/household/nothing").status == 404


# -- safety


def test_locked_points_are_spent_by_nobody(api: Api, ann: Visitor) -> None:
    number = number_of(ann)
    api.sell(Member(api, "", number, "", ""), amount=5_000)
    phone = phone_of(api, number, ann.phone)
    ann.post("/wallet/safety/lock", {"locked": "yes"})
    refused = api.call("POST", "/v1/redemptions", api.redemption(phone, 10), by=api.shops["cafe"].key, key=new_key())
    assert refused.json()["code"] == "spend_locked"
    assert "Your points are locked" in ann.get("/wallet/card").text
    ann.post("/wallet/safety/lock", {"locked": "no"})
    done = api.redemption(phone, 10)
    assert api.call("POST", "/v1/redemptions", done, by=api.shops["cafe"].key, key=new_key()).status_code == 200


def test_a_session_is_new_at_each_sign_in_and_gone_when_ended(api: Api, ann: Visitor) -> None:
    before = dict(ann.cookies)
    page = ann.get("/wallet/sign-in")
    assert page.path == "/wallet/"
    there = Visitor(api)
    there.sign_in(ann.phone)
    assert there.cookies["manex_session"] != before["manex_session"]
    ann.send(ann.get("/wallet/safety").form("/end-others"))
    assert there.get("/wallet/").path.startswith("/wallet/sign-in")
    assert ann.get("/wallet/").path == "/wallet/"
    out = ann.send(ann.get("/wallet/more").form("/sign-out"))
    assert "signed out" in out.text
    thief = Visitor(api, cookies=before)
    assert thief.get("/wallet/").path.startswith("/wallet/sign-in")


def test_signing_out_ends_the_codes_of_that_browser(api: Api, ann: Visitor) -> None:
    made = ann.post("/wallet/devices")
    assert made.status == 200
    assert "Remove" in ann.get("/wallet/safety").text
    again = ann.post("/wallet/devices")
    assert again.status == 200
    # one browser is one device: the first secret is worth nothing
    assert ann.get("/wallet/safety").text.count("Remove") == 1
    ann.send(ann.get("/wallet/more").form("/sign-out"))
    ann.sign_in()
    assert "No phone makes codes for you yet." in ann.get("/wallet/safety").text


def test_nobody_ends_anothers_session_or_device(api: Api, ann: Visitor) -> None:
    ann.post("/wallet/devices")
    safety = ann.get("/wallet/safety")
    device = next(form.action for form in safety.forms if form.action.endswith("/remove"))
    with api.server.db.tx("door") as tx:
        row = tx.execute(
            "select id from gateway.session where ended_at is null order by began_at desc limit 1"
        ).fetchone()
    assert row is not None
    ben = Visitor(api)
    ben.join()
    assert ben.post(device).status == 404
    ben.post(f"/wallet/safety/sessions/{row[0]}/end")
    assert ann.get("/wallet/").path == "/wallet/"
    assert ann.get("/wallet/safety").text.count("Remove") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": "", "sec-fetch-site": ""},
        {"origin": "http://testserver", "sec-fetch-site": "same-site"},
    ],
)
def test_what_was_not_made_here_changes_nothing(ann: Visitor, headers: dict[str, str]) -> None:
    answer = ann._go("POST", "/wallet/safety/lock", {"locked": "yes"}, headers)
    assert answer.status == 403
    assert "Your points are locked" not in ann.get("/wallet/card").text


def test_every_answer_is_safe(ann: Visitor) -> None:
    for page in (*PAGES, "nothing-here", "offline"):
        answer = ann.get(f"/wallet/{page}")
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
        assert nonce is not None
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        for script in re.findall(r"<script[^>]*>", answer.body):
            assert f'nonce="{nonce[1]}"' in script
        assert not re.search(r"<[^>]+\s(on\w+|style)\s*=", answer.body), page
        assert not re.search(r"(src|href|action)=\"(https?:)?//", answer.body), page


def test_cookies_are_hidden_and_under_tls_the_hosts_own(api: Api, ann: Visitor) -> None:
    page = ann.get("/wallet/sign-in")
    assert page.status == 200
    answer = api.client.request(
        "POST",
        "https://testserver/wallet/choices",
        data={"language": "fa"},
        headers={"origin": "https://testserver", "sec-fetch-site": "same-origin"},
        follow_redirects=False,
    )
    assert "HttpOnly; Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]
    tls = Visitor(api)
    tls.ask_for_code(ann.phone)
    answer = api.client.request(
        "POST",
        "https://testserver/wallet/sign-in/code",
        data={"phone": ann.phone, "code": tls.code_of(ann.phone)},
        headers={"origin": "https://testserver", "sec-fetch-site": "same-origin"},
        follow_redirects=False,
    )
    cookie = next(one for one in answer.headers.get_list("set-cookie") if "manex_session" in one)
    assert cookie.startswith("__Host-manex_session=")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}


def test_a_name_is_text_and_never_markup(api: Api, visitor: Visitor) -> None:
    home = visitor.join(given_name="<script>alert(1)</script>", family_name="\"'><img src=x>")
    for page in PAGES:
        body = visitor.get(f"/wallet/{page}").body
        assert "<script>alert" not in body
        assert "<img" not in body
    assert "&lt;script&gt;" in home.body


@pytest.mark.parametrize("length", [20_000])
def test_a_form_has_an_end(ann: Visitor, length: int) -> None:
    assert ann.post("/wallet/gifts", {"to": "x" * length}).status == 413
    assert ann.post("/wallet/gifts", {"to": "1\0", "points": "1"}).status == 400
    assert ann._go("DELETE", "/wallet/gifts", None, {}).status == 405


# -- languages


def test_persian_pages_have_persian_digits_and_no_word_is_missing(api: Api, ann: Visitor) -> None:
    number = number_of(ann)
    api.sell(Member(api, "", number, "", ""), amount=123_400)
    asked(api, number, 20)
    ann.post("/wallet/household/found")
    ann.language = "fa"
    receipt = re.findall(r"history/rec_\w+", ann.get("/wallet/history").body)[0]
    for page in (*PAGES, receipt, "nothing-here"):
        seen = ann.get(f"/wallet/{page}")
        assert 'lang="fa" dir="rtl"' in seen.body
        assert not re.search(r"[0-9]", seen.text), (page, re.findall(r".{20}[0-9].{10}", seen.text))
        words = re.findall(r"\b[A-Za-z]{3,}\b", seen.text)
        assert not set(words) - {"Ann", "cafe", "grocer", "main", "Chrome", "Android", "English", "shop"}, page


def test_a_choice_of_language_and_look_is_kept(ann: Visitor) -> None:
    back = ann.send(ann.get("/wallet/more").form("/choices"), language="fa", look="dark")
    assert back.path == "/wallet/more"
    assert '<html lang="fa" dir="rtl" data-look="dark">' in back.body
    assert ann.post("/wallet/choices", {"language": "xx"}).status == 422
