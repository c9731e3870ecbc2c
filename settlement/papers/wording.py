"""How a statement on paper speaks: words, numbers and dates of a language. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    rtl: bool
    words: dict[str, str]

    def __getitem__(self, word: str) -> str:
        return self.words[word]

    def digits(self, text: str) -> str:
        """Text of digits and their marks, in the digits of the language."""
        if not self.rtl:
            return text
        from persiantools import digits

        return str(digits.en_to_fa(text.replace(",", "٬").replace(".", "٫")))

    def whole(self, number: int) -> str:
        return self.digits(f"{number:,}")

    def money(self, minor: int, exponent: int) -> str:
        """In the currency's own unit, all its decimals."""
        return self.exact(minor * MILLION, exponent, least=exponent)

    def exact(self, millionths: int, exponent: int, least: int = 0) -> str:
        """Millionths of a minor unit in the currency's own unit, without a digit lost; at least so many decimals."""
        places = 6 + exponent
        whole, rest = divmod(abs(millionths), 10**places)
        decimals = f"{rest:0{places}}".rstrip("0").ljust(least, "0")
        sign = "-" if millionths < 0 else ""
        return self.digits(f"{sign}{whole:,}" + (f".{decimals}" if decimals else ""))

    def date(self, at: datetime) -> str:
        """A day and a time of the day, in the calendar of the language."""
        if not self.rtl:
            return f"{at:%Y-%m-%d %H:%M}"
        from persiantools.jdatetime import JalaliDateTime

        told = JalaliDateTime.to_jalali(at).strftime("%Y/%m/%d %H:%M")  # type: ignore[no-untyped-call]
        return self.digits(str(told))


EN: Final = Language(
    "en",
    False,
    {
        "title": "Settlement statement",
        "window": "Window",
        "merchant": "Merchant",
        "period": "Period",
        "to": "to",
        "zone": "Times in",
        "statement": "Statement",
        "amounts_in": "Amounts in",
        "test": "TEST BOOK: no money moves",
        "position": "Position",
        "receivable": "Others owe for their points accepted here",
        "payable": "Owed for own points accepted elsewhere",
        "fee": "Fees",
        "net": "Position",
        "backing": "Paid by own backing, in advance",
        "to_pay_in": "To be paid in",
        "to_be_paid": "To be paid out",
        "nothing": "Nothing to be paid",
        "own_points": "Own points redeemed at own tills (nobody owes for them)",
        "items": "Items in this statement",
        "fees": "How the fee is rounded",
        "exact": "Exact fee of the window",
        "carry_in": "Carried in from the window before",
        "rounded": "Fee charged",
        "carry_out": "Carried on to the next window",
        "counterparties": "With each counterparty",
        "name": "Name",
        "accepted": "Accepted here",
        "owes": "It owes",
        "redeemed": "Redeemed there",
        "owed": "Owed to it",
        "sum": "Sum",
        "payments": "Payments",
        "date": "Date",
        "way": "Payment",
        "source": "From",
        "amount": "Amount",
        "pay_in": "paid in",
        "pay_out": "paid out",
        "returned": "payout returned",
        "prefund": "prefund",
        "backing_source": "backing",
        "bank": "bank",
        "collateral": "collateral",
        "psp": "card",
        "still_open": "Still open",
        "as_of": "as booked when this was printed",
        "verify": "How to verify this statement",
        "verify_text": (
            "This paper is a reading of a signed file. Fetch the file from the same address as this one, and the network's"
            " keys. Then, on any machine and without a network, prove the file with the keys:"
        ),
        "verify_then": (
            "It names the first item that does not hold. The hash it tells of the window's head must be the one below,"
            " and the figures must be those of this paper."
        ),
        "head": "Hash of the window's head",
        "ledger": "Ledger hash at the close",
        "key": "Key",
        "page": "Page",
        "operator": "The network's operator",
        "first_items": "The first of them; the files have them all.",
        "language": "English",
    },
)

FA: Final = Language(
    "fa",
    True,
    {
        "title": "صورت‌حساب تسویه",
        "window": "دورهٔ تسویه",
        "merchant": "پذیرنده",
        "period": "بازهٔ زمانی",
        "to": "تا",
        "zone": "زمان‌ها به وقت",
        "statement": "شناسهٔ صورت‌حساب",
        "amounts_in": "مبالغ به",
        "test": "دفتر آزمایشی: پولی جابه‌جا نمی‌شود",
        "position": "وضعیت",
        "receivable": "طلب بابت امتیازهای دیگران که اینجا خرج شد",
        "payable": "بدهی بابت امتیازهای خودی که جای دیگر خرج شد",
        "fee": "کارمزد",
        "net": "مانده",
        "backing": "پرداخت‌شده از پشتوانهٔ خود، پیشاپیش",
        "to_pay_in": "باید واریز شود",
        "to_be_paid": "دریافت می‌شود",
        "nothing": "پرداختی لازم نیست",
        "own_points": "امتیازهای خودی که در صندوق خودی خرج شد (کسی بدهکار نیست)",
        "items": "تعداد اقلام این صورت‌حساب",
        "fees": "گرد کردن کارمزد",
        "exact": "کارمزد دقیق این دوره",
        "carry_in": "انتقال از دورهٔ پیش",
        "rounded": "کارمزد این دوره",
        "carry_out": "انتقال به دورهٔ بعد",
        "counterparties": "به تفکیک طرف حساب",
        "name": "نام",
        "accepted": "امتیاز خرج‌شده اینجا",
        "owes": "طلب از آن",
        "redeemed": "امتیاز خرج‌شده آنجا",
        "owed": "بدهی به آن",
        "sum": "جمع",
        "payments": "پرداخت‌ها",
        "date": "تاریخ",
        "way": "نوع پرداخت",
        "source": "از محل",
        "amount": "مبلغ",
        "pay_in": "واریز",
        "pay_out": "پرداخت به پذیرنده",
        "returned": "برگشتی به شبکه",
        "prefund": "پیش‌پرداخت",
        "backing_source": "پشتوانه",
        "bank": "بانک",
        "collateral": "وثیقه",
        "psp": "کارت",
        "still_open": "باز مانده",
        "as_of": "بر پایهٔ ثبت‌ها هنگام چاپ",
        "verify": "چگونه درستی این صورت‌حساب را بیازمایید",
        "verify_text": (
            "این برگه خوانشی از یک فایل امضاشده است. فایل را از همان نشانیِ این برگه و کلیدهای شبکه را بگیرید. سپس روی هر"
            " رایانه‌ای و بدون شبکه، درستی فایل را با کلیدها بیازمایید:"
        ),
        "verify_then": (
            "این دستور نخستین قلمی را که درست نباشد نام می‌برد. چکیدهٔ سرآغاز دوره که نشان می‌دهد باید همان باشد که در"
            " پایین آمده است، و رقم‌ها باید همان رقم‌های این برگه باشند."
        ),
        "head": "چکیدهٔ سرآغاز دوره",
        "ledger": "چکیدهٔ دفتر هنگام بسته شدن",
        "key": "کلید",
        "page": "صفحه",
        "operator": "گردانندهٔ شبکه",
        "first_items": "نخستین اقلام؛ همهٔ آن‌ها در فایل‌هاست.",
        "language": "فارسی",
    },
)

assert EN.words.keys() == FA.words.keys(), "every word in both"

LANGUAGES: Final = {language.code: language for language in (EN, FA)}
