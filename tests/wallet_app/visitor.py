"""Somebody with a browser that runs no scripts: follows links, fills in forms, keeps cookies."""

import html.parser
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.network import Api

_phones = itertools.count(1000)


def new_phone() -> str:
    """Nobody's yet in this run."""
    return f"+1555010{next(_phones):04}"


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(said.get("action", ""), said.get("method", "get")))
        elif tag == "input" and self.forms and "name" in said:
            if said.get("type") in ("checkbox", "radio") and "checked" not in said:
                return
            self.forms[-1].fields[said["name"]] = said.get("value", "")
        elif tag == "button" and self.forms and "name" in said:
            self.forms[-1].buttons.append((said["name"], said.get("value", "")))
        if tag in ("script", "style", "svg", "code") or (tag == "bdi" and said.get("class") == "code"):
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        if (self._hidden and tag in ("script", "style", "svg", "code")) or (self._hidden and tag == "bdi"):
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


@dataclass
class Seen:
    """An answer as a person sees it."""

    status: int
    path: str
    body: str
    headers: Any
    forms: list[Form]
    text: str

    def form(self, ending: str) -> Form:
        return next(form for form in self.forms if form.action.endswith(ending))


@dataclass
class Visitor:
    api: Api
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)
    agent: str = "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile"
    phone: str = field(default_factory=new_phone)

    @property
    def origin(self) -> str:
        return str(self.api.client.base_url).rstrip("/")

    def get(self, path: str, **headers: str) -> Seen:
        return self._go("GET", path, None, headers)

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Seen:
        return self._go("POST", path, fields or {}, {"origin": self.origin, "sec-fetch-site": "same-origin"} | headers)

    def send(self, form: Form, **fields: str) -> Seen:
        return self.post(form.action, form.fields | fields)

    def _go(self, method: str, path: str, fields: dict[str, str] | None, headers: dict[str, str]) -> Seen:
        while True:
            sent = {"accept-language": self.language, "accept": "text/html", "user-agent": self.agent} | {
                name.replace("_", "-"): value for name, value in headers.items() if value
            }
            if self.cookies:
                sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            self.api.client.cookies.clear()
            answer = self.api.client.request(method, path, data=fields, headers=sent, follow_redirects=False)
            for cookie in answer.headers.get_list("set-cookie"):
                name, value = cookie.partition(";")[0].split("=", 1)
                self.cookies.pop(name, None)
                if "Max-Age=0" not in cookie:
                    self.cookies[name] = value
            if answer.status_code != 303:
                break
            method, path, fields, headers = "GET", answer.headers["location"], None, {}
        reader = _Reader()
        reader.feed(answer.text if "html" in answer.headers.get("content-type", "") else "")
        text = re.sub(r"\s+", " ", " ".join(reader.text))
        return Seen(answer.status_code, path, answer.text, answer.headers, reader.forms, text)

    # -- what people do

    def code_of(self, phone: str) -> str:
        path = f"/v1/operator/books/{self.api.book}/one-time-codes?phone={phone.replace('+', '%2B')}"
        return str(self.api.done("GET", path, by=self.api.maker)["data"][0]["code"])

    def ask_for_code(self, phone: str) -> Seen:
        return self.send(self.get("/wallet/sign-in").form("/sign-in"), phone=phone)

    def sign_in(self, phone: str | None = None) -> Seen:
        phone = phone or self.phone
        page = self.ask_for_code(phone)
        return self.send(page.form("/sign-in/code"), code=self.code_of(phone))

    def join(self, **fields: str) -> Seen:
        return self.send(self.sign_in().form("/join"), **({"terms": "yes"} | fields))


def number_of(visitor: Visitor) -> str:
    found = re.search(r'class="code">(\d{4} \d{4} \d{4})<', visitor.get("/wallet/more").body)
    assert found is not None
    return found[1].replace(" ", "")
