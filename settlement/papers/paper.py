"""A statement on paper: A4, in English or in Persian from right to left, with what is needed to prove it."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from uuid import UUID

import ledger
from settlement.papers import fonts
from settlement.papers.fonts import NoFont
from settlement.papers.statements import Statement
from settlement.papers.wording import LANGUAGES, Language
from settlement.papers.zones import zone_of
from settlement.proof import keys
from settlement.store import Payment

if TYPE_CHECKING:
    from fpdf import FPDF

    from settlement.sealed.sealing import Sealed

__all__ = ["NoFont", "write"]

MARGIN: Final = 18
WIDTH: Final = 210 - 2 * MARGIN
LINE: Final = 6.2
QR: Final = 34
INK, FAINT, RULE = (25, 25, 30), (105, 105, 115), (200, 200, 206)

#: Text, and how it is read: True from left to right whatever the page is (a number, an id, a command), None from right to
#: left, False as the page is.
Cell = tuple[str, bool | None]


def write(
    out: BinaryIO,
    statement: Statement,
    sealed: "Sealed",
    payments: Sequence[Payment],
    names: Mapping[UUID, str],
    language: str,
) -> None:
    """NoFont before anything is written when this machine has none for it."""
    chosen = fonts.found()
    page = _Paper(chosen, LANGUAGES[language], statement)
    page.head(names)
    page.position()
    page.fees()
    page.counterparties(names)
    page.payments(payments)
    page.verification(sealed)
    out.write(page.done())


def _new(chosen: fonts.Fonts, title: str, footer: Any) -> "FPDF":
    # a second of a gateway's start, for what few callers ask
    from fpdf import FPDF

    class Sheet(FPDF):
        def footer(self) -> None:
            footer(self)

    pdf = Sheet(format="A4")
    pdf.set_margin(MARGIN)
    pdf.set_auto_page_break(True, 20)
    pdf.add_font("body", "", chosen.regular)
    pdf.add_font("body", "B", chosen.bold)
    pdf.set_title(title)
    pdf.set_creator("Manex")
    pdf.add_page()
    return pdf


class _Paper:
    def __init__(self, chosen: fonts.Fonts, language: Language, statement: Statement) -> None:
        self.say = language
        self.statement = statement
        self.id = ledger.ids.show("statement", statement.id)
        self.pdf = _new(chosen, f"{language['title']} {self.id}", self._footer)
        closed = statement.window.closed_at
        assert closed is not None
        # the document is one of its window's close, whenever it is printed
        self.pdf.set_creation_date(closed)

    def done(self) -> bytes:
        return bytes(self.pdf.output())

    # -- parts

    def head(self, names: Mapping[UUID, str]) -> None:
        say, window, book = self.say, self.statement.window, self.statement.book
        assert window.closed_at is not None
        self._line([_named(book.network)], [WIDTH], size=9, colour=FAINT)
        self._line([(say["title"], False)], [WIDTH], size=18, bold=True, height=11)
        name = names.get(self.statement.merchant_id, "")
        self._line([_named(name)], [WIDTH], size=13, bold=True, height=8)
        self.pdf.ln(1)
        zone = zone_of(book.time_zone)
        span = f"{self._date(window.opened_at, zone)} {say['to']} {self._date(window.closed_at, zone)}"
        facts = [
            (say["window"], say.whole(window.number), True),
            (say["period"], span, False),
            (say["zone"], book.time_zone if zone is not UTC else "UTC", True),
            (say["merchant"], ledger.ids.show("merchant", self.statement.merchant_id), True),
            (say["statement"], self.id, True),
            (say["amounts_in"], book.currency, True),
        ]
        for label, value, ltr in facts:
            self._line(
                [(label, False), (value, ltr)], [42, WIDTH - 42], size=8.5, height=5, start=True, faint_first=True
            )
        if book.mode == "test":
            self._line([(say["test"], False)], [WIDTH], size=8.5, bold=True, height=6)

    def position(self) -> None:
        say, position = self.say, self.statement.position
        self._section(say["position"])
        account = position.account_minor
        told = "nothing" if account == 0 else "to_pay_in" if account < 0 else "to_be_paid"
        self._figure(say["receivable"], position.receivable_minor)
        self._figure(say["payable"], -position.payable_minor)
        self._figure(say["fee"], -position.fee.minor)
        self._figure(say["net"], position.position_minor, bold=True, rule=True)
        if position.backing_minor:
            self._figure(say["backing"], position.backing_minor)
        self._figure(say[told], abs(account), bold=True, rule=True, size=11)
        self.pdf.ln(1.5)
        self._counted(say["own_points"], self.statement.own_points)
        self._counted(say["items"], position.items)

    def fees(self) -> None:
        say, fee, exponent = self.say, self.statement.position.fee, self.statement.book.exponent
        self._section(say["fees"])
        for label, millionths in (
            (say["exact"], fee.millionths),
            (say["carry_in"], fee.carry_in),
            (say["rounded"], fee.minor * 1_000_000),
            (say["carry_out"], fee.carry_out),
        ):
            self._line(
                [(label, False), (say.exact(millionths, exponent, least=exponent), True)], [WIDTH - 36, 36], size=9
            )

    def counterparties(self, names: Mapping[UUID, str]) -> None:
        others, say = self.statement.counterparties, self.say
        if not others:
            return
        self._section(say["counterparties"])
        widths = [WIDTH - 4 * 30, 30, 30, 30, 30]
        titles = [(say[word], False) for word in ("name", "accepted", "owes", "redeemed", "owed")]

        def heading() -> None:
            self._line(titles, widths, size=7.5, colour=FAINT, height=5.5)
            self._rule()

        heading()
        for other in others:
            if self.pdf.will_page_break(LINE):
                self.pdf.add_page()
                heading()
            if other.party_id == self.statement.book.operator_id:
                called: Cell = (say["operator"], False)
            else:
                called = _named(names.get(other.party_id) or ledger.ids.show("merchant", other.party_id))
            self._line([called, *self._both(other)], widths, size=8.5)
        self._rule()
        total = [
            say.whole(sum(o.accepted_points for o in others)),
            self._money(sum(o.receivable_minor for o in others)),
            say.whole(sum(o.redeemed_points for o in others)),
            self._money(sum(o.payable_minor for o in others)),
        ]
        self._line([(say["sum"], False), *((text, True) for text in total)], widths, size=8.5, bold=True)

    def payments(self, payments: Sequence[Payment]) -> None:
        say, zone = self.say, zone_of(self.statement.book.time_zone)
        self._section(f"{say['payments']} ({say['as_of']})")
        widths = [44, WIDTH - 44 - 44 - 36, 44, 36]
        still = self.statement.position.account_minor
        for payment in payments:
            still += -payment.amount_minor if payment.direction == "pay_out" else payment.amount_minor
            source = "backing_source" if payment.source == "backing" else payment.source
            self._line(
                [
                    (self._date(payment.at, zone), True),
                    (say[payment.direction], False),
                    (say.words.get(source, payment.source), False),
                    (self._money(payment.amount_minor), True),
                ],
                widths,
                size=8.5,
            )
        self._figure(say["still_open"], abs(still), bold=True, rule=bool(payments))

    def verification(self, sealed: "Sealed") -> None:
        say, pdf = self.say, self.pdf
        if pdf.will_page_break(62):
            pdf.add_page()
        self._section(say["verify"])
        top, wide = pdf.get_y(), WIDTH - QR - 6
        left = MARGIN + (QR + 6 if say.rtl else 0)
        kid = keys.thumbprint(sealed.seal.key)
        self._text(say["verify_text"], left, wide)
        of_window = f"/v1/statements/{self.id}?format=signed"
        for typed in (
            f"statement.json:  {of_window}",
            "proof-keys.json:  /.well-known/proof-keys.json",
            "./manex verify statement.json --key proof-keys.json",
        ):
            self._text(typed, left, wide, ltr=True, bold=typed.startswith("./"))
        self._text(say["verify_then"], left, wide)
        self._qr(f"manex:{self.id}:{sealed.root}:{kid}", MARGIN if say.rtl else MARGIN + WIDTH - QR, top)
        pdf.set_y(max(pdf.get_y(), top + QR) + 2)
        ledger_hash = self.statement.window.ledger_hash
        for label, value in (
            (say["head"], sealed.root),
            (say["ledger"], ledger_hash.hex() if ledger_hash else ""),
            (say["key"], kid),
        ):
            self._line(
                [(label, False), (value, True)], [46, WIDTH - 46], size=7.5, height=4.8, start=True, faint_first=True
            )

    # -- how they are drawn

    def _money(self, minor: int) -> str:
        return self.say.money(minor, self.statement.book.exponent)

    def _date(self, at: datetime, zone: Any) -> str:
        return self.say.date(at.astimezone(zone))

    def _both(self, other: Any) -> list[Cell]:
        say = self.say
        return [
            (say.whole(other.accepted_points), True),
            (self._money(other.receivable_minor), True),
            (say.whole(other.redeemed_points), True),
            (self._money(other.payable_minor), True),
        ]

    def _section(self, title: str) -> None:
        if self.pdf.will_page_break(24):
            self.pdf.add_page()
        self.pdf.ln(4)
        self._line([(title, False)], [WIDTH], size=10.5, bold=True, height=6.5)
        self._rule()

    def _figure(self, label: str, minor: int, *, bold: bool = False, rule: bool = False, size: float = 9.5) -> None:
        if rule:
            self._rule()
        amount = (self._money(minor), True)
        self._line([(label, False), amount], [WIDTH - 36, 36], size=size, bold=bold, height=LINE + 0.6)

    def _counted(self, label: str, count: int) -> None:
        self._line([(label, False), (self.say.whole(count), True)], [WIDTH - 36, 36], size=8.5, height=5, colour=FAINT)

    def _line(
        self,
        cells: Sequence[Cell],
        widths: Sequence[float],
        *,
        size: float,
        bold: bool = False,
        height: float = LINE,
        colour: tuple[int, int, int] = INK,
        start: bool = False,
        faint_first: bool = False,
    ) -> None:
        """One row. The first cell stands where reading begins, the others at the far side of theirs unless `start`."""
        pdf, rtl = self.pdf, self.say.rtl
        pdf.set_font("body", "B" if bold else "", size)
        x: float = MARGIN + WIDTH if rtl else MARGIN
        y = pdf.get_y()
        if pdf.will_page_break(height):
            pdf.add_page()
            y = pdf.get_y()
        for n, ((text, ltr), width) in enumerate(zip(cells, widths, strict=True)):
            near = n == 0 or start
            pdf.set_text_color(*(FAINT if faint_first and n == 0 else colour))
            self._shaped(ltr)
            x -= width if rtl else 0
            pdf.set_xy(x, y)
            # numbers stand with their last digits under each other, whichever way the page is read
            align = "L" if near and not rtl else "R"
            pdf.cell(width, height, self._fitted(text, width - 2), align=align)
            x += 0 if rtl else width
        pdf.set_xy(MARGIN, y + height)

    def _fitted(self, text: str, width: float) -> str:
        """Text cut to its cell, with a mark that it was."""
        if self.pdf.get_string_width(text) <= width:
            return text
        while text and self.pdf.get_string_width(text + "…") > width:
            text = text[:-1]
        return text + "…"

    def _text(self, text: str, left: float, width: float, *, ltr: bool = False, bold: bool = False) -> None:
        pdf = self.pdf
        pdf.set_font("body", "B" if bold else "", 8.5)
        pdf.set_text_color(*INK)
        self._shaped(ltr)
        pdf.set_x(left)
        pdf.multi_cell(width, 4.9, text, align="R" if self.say.rtl and not ltr else "L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(0.8)

    def _shaped(self, ltr: bool | None) -> None:
        rtl = ltr is None or (self.say.rtl and not ltr)
        self.pdf.set_text_shaping(True, direction="rtl" if rtl else "ltr")

    def _rule(self) -> None:
        pdf = self.pdf
        pdf.set_draw_color(*RULE)
        pdf.line(MARGIN, pdf.get_y() + 0.2, MARGIN + WIDTH, pdf.get_y() + 0.2)
        pdf.ln(0.6)

    def _qr(self, text: str, x: float, y: float) -> None:
        import segno

        rows = list(segno.make(text, error="m", micro=False).matrix)
        side = QR / len(rows)
        self.pdf.set_fill_color(0, 0, 0)
        for r, row in enumerate(rows):
            for c, dark in enumerate(row):
                if dark:
                    self.pdf.rect(x + c * side, y + r * side, side, side, style="F")

    def _footer(self, pdf: "FPDF") -> None:
        pdf.set_y(-14)
        pdf.set_font("body", "", 7)
        pdf.set_text_color(*FAINT)
        pdf.set_text_shaping(True, direction="ltr")
        pdf.cell(WIDTH / 2, 5, self.id, align="L")
        pdf.set_text_shaping(True, direction="rtl" if self.say.rtl else "ltr")
        pdf.cell(WIDTH / 2, 5, f"{self.say['page']} {self.say.whole(pdf.page_no())}", align="R")


def _named(name: str) -> Cell:
    """A name is read the way of its first letter, whatever the page is."""
    first = next((way for letter in name if (way := unicodedata.bidirectional(letter)) in ("L", "R", "AL")), "L")
    return name, True if first == "L" else None
