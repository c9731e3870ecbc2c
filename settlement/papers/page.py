"""A statement as a page: the paper's figures in HTML, in English or Persian, for a screen in the light or the dark and for
a printer. No script, nothing fetched from anywhere; every text that is not ours is escaped.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import UUID

import ledger
from settlement.papers import statements
from settlement.papers.statements import Statement
from settlement.papers.wording import LANGUAGES, Language
from settlement.papers.zones import zone_of
from settlement.proof import keys
from settlement.store import ItemRow, Payment

if TYPE_CHECKING:
    from settlement.sealed.sealing import Sealed

#: Items on a page; the files have them all.
MOST_ITEMS: Final = 200

#: The files of the same statement, by format and what they are called.
FILES: Final = (("pdf", "PDF"), ("xlsx", "XLSX"), ("csv", "CSV"), ("signed", "JSON"))

STYLE: Final = """
:root{color-scheme:light dark;--ink:#19191e;--faint:#5c5c66;--rule:#d0d0d6;--page:#fff;--link:#0b57d0}
@media (prefers-color-scheme:dark){:root{--ink:#ececf1;--faint:#a5a5b0;--rule:#3a3a44;--page:#141418;--link:#8ab4f8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:56rem;padding:2rem 1.25rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,"Vazirmatn","Noto Sans Arabic","Noto Naskh Arabic",Tahoma,sans-serif}
h1{font-size:1.6rem;margin:.25rem 0}h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--rule)}
p{margin:.4rem 0}.faint,dt,th{color:var(--faint)}.warn{font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:.75rem 0}dd{margin:0;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-weight:400;font-size:.85rem;text-align:start;vertical-align:bottom}
th,td{padding:.3rem .4rem;border-bottom:1px solid var(--rule)}
th.n,td.n{text-align:end}td.n{white-space:nowrap}.total th,.total td{font-weight:600;color:var(--ink)}
.wide{overflow-x:auto}code{font-family:ui-monospace,monospace;font-size:.85rem;overflow-wrap:anywhere}
a{color:var(--link)}nav a{margin-inline-end:1rem}
@media print{:root{--ink:#000;--faint:#444;--rule:#bbb;--page:#fff}body{max-width:none;padding:0;font-size:10pt}
nav{display:none}tr{break-inside:avoid}thead{display:table-header-group}h2{break-after:avoid}}
"""

#: What a page may do: be styled by the style above, and nothing else.
POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def html(
    statement: Statement,
    sealed: "Sealed | None",
    payments: Sequence[Payment],
    items: Iterable[ItemRow],
    names: Mapping[UUID, str],
    language: str,
) -> str:
    """The whole page. `items` are read no further than what is shown."""
    return _Page(statement, LANGUAGES[language], names).whole(sealed, payments, items)


class _Page:
    def __init__(self, statement: Statement, say: Language, names: Mapping[UUID, str]) -> None:
        self.of, self.say, self.names = statement, say, names
        self.zone = zone_of(statement.book.time_zone)
        self.id = ledger.ids.show("statement", statement.id)

    def whole(self, sealed: "Sealed | None", payments: Sequence[Payment], items: Iterable[ItemRow]) -> str:
        say = self.say
        parts = [
            self._head(),
            self._position(),
            self._fees(),
            self._counterparties(),
            self._payments(payments),
            self._items(items),
            self._verification(sealed),
        ]
        title = escape(f"{say['title']} {self.of.window.number} – {self.names.get(self.of.merchant_id, '')}")
        return (
            f'<!doctype html>\n<html lang="{say.code}" dir="{"rtl" if say.rtl else "ltr"}">\n<head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
            f"<style>{STYLE}</style></head>\n<body>\n"
            + "\n".join(part for part in parts if part)
            + "\n</body>\n</html>\n"
        )

    # -- parts

    def _head(self) -> str:
        say, window, book = self.say, self.of.window, self.of.book
        assert window.closed_at is not None
        span = f"{self._date(window.opened_at)} {say['to']} {self._date(window.closed_at)}"
        facts = [
            (say["window"], say.whole(window.number)),
            (say["period"], span),
            (say["zone"], _ltr(book.time_zone if self.zone is not UTC else "UTC")),
            (say["merchant"], _ltr(ledger.ids.show("merchant", self.of.merchant_id))),
            (say["statement"], _ltr(self.id)),
            (say["amounts_in"], _ltr(book.currency)),
        ]
        other = next(language for language in LANGUAGES.values() if language is not say)
        links = [f'<a href="?format={format}&amp;language={say.code}">{name}</a>' for format, name in FILES]
        links.append(f'<a href="?format=html&amp;language={other.code}" lang="{other.code}">{other["language"]}</a>')
        return (
            f'<header><p class="faint" dir="auto">{escape(book.network)}</p><h1>{say["title"]}</h1>'
            f'<p dir="auto"><strong>{escape(self.names.get(self.of.merchant_id, ""))}</strong></p>'
            + (f'<p class="warn">{say["test"]}</p>' if book.mode == "test" else "")
            + "<dl>"
            + "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in facts)
            + f"</dl><nav>{''.join(links)}</nav></header>"
        )

    def _position(self) -> str:
        say, position = self.say, self.of.position
        account = position.account_minor
        told = "nothing" if account == 0 else "to_pay_in" if account < 0 else "to_be_paid"
        rows = [
            (say["receivable"], self._money(position.receivable_minor), False),
            (say["payable"], self._money(-position.payable_minor), False),
            (say["fee"], self._money(-position.fee.minor), False),
            (say["net"], self._money(position.position_minor), True),
        ]
        if position.backing_minor:
            rows.append((say["backing"], self._money(position.backing_minor), False))
        rows += [
            (say[told], self._money(abs(account)), True),
            (say["own_points"], say.whole(self.of.own_points), False),
            (say["items"], say.whole(position.items), False),
        ]
        return self._section("position", _figures(rows))

    def _fees(self) -> str:
        say, fee, exponent = self.say, self.of.position.fee, self.of.book.exponent
        rows = [
            (say[word], say.exact(millionths, exponent, least=exponent), False)
            for word, millionths in (
                ("exact", fee.millionths),
                ("carry_in", fee.carry_in),
                ("rounded", fee.minor * 1_000_000),
                ("carry_out", fee.carry_out),
            )
        ]
        return self._section("fees", _figures(rows))

    def _counterparties(self) -> str:
        say, others = self.say, self.of.counterparties
        if not others:
            return ""
        rows = [
            (
                self._named(other.party_id),
                say.whole(other.accepted_points),
                self._money(other.receivable_minor),
                say.whole(other.redeemed_points),
                self._money(other.payable_minor),
            )
            for other in others
        ]
        total = (
            say["sum"],
            say.whole(sum(o.accepted_points for o in others)),
            self._money(sum(o.receivable_minor for o in others)),
            say.whole(sum(o.redeemed_points for o in others)),
            self._money(sum(o.payable_minor for o in others)),
        )
        return self._section(
            "counterparties", self._table(("name", "accepted", "owes", "redeemed", "owed"), rows, total, figures=4)
        )

    def _payments(self, payments: Sequence[Payment]) -> str:
        say, still = self.say, self.of.position.account_minor
        rows = []
        for payment in payments:
            still += -payment.amount_minor if payment.direction == "pay_out" else payment.amount_minor
            source = "backing_source" if payment.source == "backing" else payment.source
            way = escape(say.words.get(payment.direction, payment.direction))
            told = (self._date(payment.at), way, escape(say.words.get(source, payment.source)))
            rows.append((*told, self._money(payment.amount_minor)))
        total = (say["still_open"], "", "", self._money(abs(still)))
        table = self._table(("date", "way", "source", "amount"), rows, total, figures=1)
        return self._section("payments", f'<p class="faint">{say["as_of"]}</p>{table}')

    def _items(self, items: Iterable[ItemRow]) -> str:
        say, exponent = self.say, self.of.book.exponent
        rows = []
        for row in islice(items, MOST_ITEMS):
            told = statements.line(row, self.of.merchant_id)
            item = row.item
            other = next((p for p in (item.issuer_id, item.acceptor_id) if p not in (None, self.of.merchant_id)), None)
            rows.append(
                (
                    self._date(item.at),
                    "" if other is None else self._named(other),
                    say.whole(told["accepted_points"]),
                    self._money(told["receivable_minor"]),
                    say.whole(told["redeemed_points"]),
                    self._money(told["payable_minor"]),
                    say.exact(item.fee_millionths, exponent, least=exponent),
                )
            )
        if not rows:
            return ""
        columns = ("date", "name", "accepted", "owes", "redeemed", "owed", "fee")
        left_out = self.of.position.items > len(rows)
        more = f'<p class="faint">{say["first_items"]}</p>' if left_out else ""
        return self._section("items", more + self._table(columns, rows, None, figures=5))

    def _verification(self, sealed: "Sealed | None") -> str:
        say, ledger_hash = self.say, self.of.window.ledger_hash
        if sealed is None:
            return ""
        typed = (
            f"statement.json:  /v1/statements/{self.id}?format=signed",
            "proof-keys.json:  /.well-known/proof-keys.json",
            "./manex verify statement.json --key proof-keys.json",
        )
        facts = (
            (say["head"], sealed.root),
            (say["ledger"], ledger_hash.hex() if ledger_hash else ""),
            (say["key"], keys.thumbprint(sealed.seal.key)),
        )
        return self._section(
            "verify",
            f"<p>{say['verify_text']}</p>"
            + "".join(f'<p dir="ltr"><code>{escape(line)}</code></p>' for line in typed)
            + f"<p>{say['verify_then']}</p><dl>"
            + "".join(f"<dt>{label}</dt><dd>{_ltr(value)}</dd>" for label, value in facts)
            + "</dl>",
        )

    # -- how they are written

    def _section(self, word: str, content: str) -> str:
        return f"<section><h2>{self.say[word]}</h2>{content}</section>"

    def _table(
        self, words: Sequence[str], rows: Iterable[Sequence[str]], total: Sequence[str] | None, *, figures: int
    ) -> str:
        """Cells are HTML; the last `figures` columns are numbers."""
        first = len(words) - figures

        def cells(tag: str, texts: Sequence[str]) -> str:
            return "".join(f"<{tag}{' class=n' if n >= first else ''}>{text}</{tag}>" for n, text in enumerate(texts))

        head = cells("th", [self.say[word] for word in words])
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
        foot = "" if total is None else f'<tfoot><tr class="total">{cells("td", total)}</tr></tfoot>'
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table></div>'

    def _named(self, party: UUID) -> str:
        if party == self.of.book.operator_id:
            return escape(self.say["operator"])
        name = self.names.get(party) or ledger.ids.show("merchant", party)
        return f'<bdi dir="auto">{escape(name)}</bdi>'

    def _money(self, minor: int) -> str:
        return f'<bdi dir="ltr">{self.say.money(minor, self.of.book.exponent)}</bdi>'

    def _date(self, at: datetime) -> str:
        return f'<bdi dir="ltr">{self.say.date(at.astimezone(self.zone))}</bdi>'


def _figures(rows: Iterable[tuple[str, str, bool]]) -> str:
    told = "".join(
        f'<tr{" class=total" if strong else ""}><td>{label}</td><td class="n">{value}</td></tr>'
        for label, value, strong in rows
    )
    return f"<table><tbody>{told}</tbody></table>"


def _ltr(text: str) -> str:
    return f'<code dir="ltr">{escape(text)}</code>'
