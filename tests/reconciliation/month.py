"""A month of what a network expects and of what banks, a payment provider and tills made of it, with planted breaks.

Everything follows from the seed. `planted` says which breaks there are: (source, type, ids of the lines that prove it).
"""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from settlement.reconciliation.disagreements import TYPES
from settlement.reconciliation.lines import Line, WindowSpan

BEGINNING: Final = dt.datetime(2017, 1, 2, 9, tzinfo=dt.UTC)
#: The clock when the month is looked at: everything that is alone has been so for long.
NOW: Final = BEGINNING + dt.timedelta(days=45)
WINDOWS: Final = tuple(
    WindowSpan(n + 1, BEGINNING + dt.timedelta(days=7 * n), BEGINNING + dt.timedelta(days=7 * (n + 1)))
    for n in range(7)
)


@dataclass
class Month:
    seed: int
    lines: dict[str, list[Line]] = field(default_factory=lambda: {"bank": [], "psp": [], "till": []})
    planted: set[tuple[str, str, frozenset[UUID]]] = field(default_factory=set)
    clean: dict[str, set[UUID]] = field(default_factory=lambda: {"bank": set(), "psp": set(), "till": set()})
    parties: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    # -- making lines

    def id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128))

    def line(self, source: str, side: str, kind: str, at: dt.datetime, amount: int, **more: object) -> Line:
        made = replace(Line(self.id(), source, side, kind, at, amount), **more)  # type: ignore[arg-type]
        self.lines[source].append(made)
        return made

    def plant(self, type: str, *lines: Line) -> None:
        """That these lines are a break of this type."""
        assert type in TYPES, type
        self.planted.add((lines[0].source, type, frozenset(line.id for line in lines)))

    def is_clean(self, *lines: Line) -> None:
        for line in lines:
            self.clean[line.source].add(line.id)

    def moment(self) -> dt.datetime:
        return BEGINNING + dt.timedelta(days=self.random.randrange(28), minutes=self.random.randrange(480))

    def reference(self) -> str:
        return f"INS{self.random.getrandbits(60):015x}"

    def booked(self, at: dt.datetime) -> dt.datetime:
        """A bank books at midnight of a business day, today or a day or two later."""
        day = (at + dt.timedelta(days=self.random.choice((0, 1, 1, 2)))).replace(hour=0, minute=0)
        while day.weekday() >= 5 or day < at.replace(hour=0, minute=0):
            day += dt.timedelta(days=1)
        return day


def month(seed: int, *, payments: int = 1_500, payouts: int = 40, sales: int = 1_500) -> Month:
    made = Month(seed)
    made.parties = [f"XX{made.random.getrandbits(56):016d}" for _ in range(60)]
    _bank(made, payments)
    _psp(made, payouts)
    _till(made, sales)
    for lines in made.lines.values():
        made.random.shuffle(lines)
    return made


# -- the bank


def _bank(made: Month, count: int) -> None:
    for _ in range(count):
        at, party = made.moment(), made.random.choice(made.parties)
        amount = made.random.choice((1, -1)) * made.random.randrange(10_000, 50_000_000)
        ours = made.line("bank", "ours", "payment", at, amount, reference=made.reference(), party=party)
        made.is_clean(ours, _as_booked(made, ours, made.random.choices(_FORMS, _OFTEN)[0]))
    for _ in range(8):
        # the bank pays several instructions in one line, and says for whom and nothing else
        at, party = made.moment(), f"XX{made.random.getrandbits(56):016d}"
        parts = [
            made.line("bank", "ours", "payment", at, -made.random.randrange(10**6, 10**8), reference=made.reference(),
                      party=party)
            for _ in range(made.random.randrange(2, 6))
        ]  # fmt: skip
        paid = made.line(
            "bank",
            "theirs",
            "transfer",
            made.booked(at),
            sum(p.amount_minor for p in parts),
            party=party,
            text="SALARY",
        )
        made.is_clean(paid, *parts)
    for plant in _BANK_BREAKS:
        for _ in range(3):
            plant(made)


def _as_booked(made: Month, ours: Line, form: Callable[[Month, str], dict[str, str]], **more: object) -> Line:
    told = {"party": ours.party, **form(made, ours.reference), **more}
    facts = {"at": made.booked(ours.at), "amount": ours.amount_minor} | {
        k: told.pop(k) for k in ("at", "amount") if k in told
    }
    return made.line("bank", "theirs", "transfer", facts["at"], facts["amount"], **told)  # type: ignore[arg-type]


def _exact(made: Month, reference: str) -> dict[str, str]:
    return {"reference": reference}


def _upper(made: Month, reference: str) -> dict[str, str]:
    return {"reference": reference.upper()}


def _spaced(made: Month, reference: str) -> dict[str, str]:
    return {"reference": " ".join(reference[i : i + 4] for i in range(0, len(reference), 4)).upper()}


def _in_text(made: Month, reference: str) -> dict[str, str]:
    return {"text": f"SETTLEMENT /ROC/{reference.upper()}// {made.random.choice(('THANK YOU', 'REF', 'WINDOW 4'))}"}


def _cut(made: Month, reference: str) -> dict[str, str]:
    return {"text": f"PAYMENT OF {reference.upper()[:14]}"}


def _unsaid(made: Month, reference: str) -> dict[str, str]:
    return {"text": "TRANSFER"}


_FORMS: Final = (_exact, _upper, _spaced, _in_text, _cut, _unsaid)
_OFTEN: Final = (55, 15, 10, 12, 5, 3)


def _ours(made: Month, amount: int | None = None, **more: object) -> Line:
    amount = made.random.randrange(10_000, 5_000_000) if amount is None else amount
    facts: dict[str, object] = {"reference": made.reference(), "party": made.random.choice(made.parties), **more}
    return made.line("bank", "ours", "payment", made.moment(), amount, **facts)


def _missing_at_the_bank(made: Month) -> None:
    made.plant("missing", _ours(made))


def _missing_in_the_book(made: Month) -> None:
    party = made.random.choice(made.parties)
    amount = made.random.randrange(60_000_000, 90_000_000)
    made.plant("missing", made.line("bank", "theirs", "transfer", made.moment(), amount, party=party, text="RENT"))


def _paid_twice(made: Month) -> None:
    ours = _ours(made)
    first = _as_booked(made, ours, _exact)
    second = _as_booked(made, ours, _exact, at=first.at + dt.timedelta(days=1))
    made.plant("duplicate", second, first)


def _other_amount(made: Month) -> None:
    ours = _ours(made)
    form = made.random.choice((_exact, _upper, _in_text))
    made.plant("amount", ours, _as_booked(made, ours, form, amount=ours.amount_minor - made.random.randrange(1, 9_000)))


def _late_by_the_bank(made: Month) -> None:
    ours = _ours(made)
    made.plant("late", ours, _as_booked(made, ours, _exact, at=ours.at + dt.timedelta(days=10)))


def _to_nobody(made: Month) -> None:
    party, amount = f"YY{made.random.getrandbits(50):016d}", -made.random.randrange(60_000_000, 90_000_000)
    line = made.line("bank", "theirs", "transfer", made.moment(), amount, party=party, text="INVOICE")
    made.plant("unknown_beneficiary", line)


def _came_back(made: Month) -> None:
    ours = _ours(made, -made.random.randrange(10_000, 5_000_000))
    paid = _as_booked(made, ours, _exact)
    form = made.random.choice(({"original": ours.reference}, {"text": f"RETURN OF {ours.reference.upper()} AC01"}))
    back = made.line(
        "bank", "theirs", "returned", paid.at + dt.timedelta(days=2), -ours.amount_minor, party=ours.party, **form
    )
    made.is_clean(ours, paid)
    made.plant("returned", back, ours)


_BANK_BREAKS: Final = (
    _missing_at_the_bank,
    _missing_in_the_book,
    _paid_twice,
    _other_amount,
    _late_by_the_bank,
    _to_nobody,
    _came_back,
)


# -- the payment provider: payouts of many top-ups, net of its fees


def _psp(made: Month, count: int) -> None:
    for _ in range(count):
        batch, parts = _payout(made)
        net = sum(p.net_minor for p in parts)
        told = made.random.choice(({"batch": batch}, {"reference": batch}, {"reference": batch.upper()}))
        line = made.line("psp", "theirs", "transfer", made.booked(parts[-1].at), net, **told)
        made.is_clean(line, *parts)
    for _ in range(3):
        batch, parts = _payout(made)
        gross = sum(p.amount_minor for p in parts)
        whole = made.line("psp", "theirs", "transfer", made.booked(parts[-1].at), gross, batch=batch)
        made.plant("gross_against_net", whole, *parts)
        batch, parts = _payout(made)
        gross, fee = sum(p.amount_minor for p in parts), sum(p.fee_minor for p in parts) + 1_234
        dear = made.line(
            "psp", "theirs", "transfer", made.booked(parts[-1].at), gross - fee, fee_minor=fee, batch=batch
        )
        made.plant("fee", dear, *parts)
        at = made.moment()
        orphan = made.line("psp", "theirs", "refund", at, -5_000, reference=made.reference(), original=made.reference())
        made.plant("orphan_refund", orphan)


def _payout(made: Month) -> tuple[str, list[Line]]:
    batch, at = f"po_{made.random.getrandbits(64):016x}", made.moment()
    parts = []
    for _ in range(made.random.randrange(5, 40)):
        amount = made.random.randrange(1_000, 900_000)
        fee = (amount * 29 + 500) // 1_000 + 30
        parts.append(
            made.line("psp", "ours", "topup", at, amount, fee_minor=fee, reference=made.reference(), batch=batch)
        )
    return batch, parts


# -- the tills


def _till(made: Month, count: int) -> None:
    shops = [made.id() for _ in range(12)]
    for n in range(count):
        # every shop counts its own receipts: the same number is another sale at another shop
        shop = shops[n % len(shops)]
        made.is_clean(*_receipt(made, shop, f"S-{n // len(shops)}"))
    for n in range(3):
        shop = made.random.choice(shops)
        unclaimed, claim = _receipt(made, shop, f"M-{n}")
        made.lines["till"].remove(claim)
        made.plant("missing", unclaimed)
        record, unrecorded = _receipt(made, shop, f"N-{n}")
        made.lines["till"].remove(record)
        made.plant("missing", unrecorded)
        _, first = _receipt(made, shop, f"D-{n}")
        second = replace(first, id=made.id(), at=first.at + dt.timedelta(seconds=30))
        made.lines["till"].append(second)
        made.plant("duplicate", second, first)
        made.plant("amount", *_receipt(made, shop, f"A-{n}", amount=77))
        made.plant("lot", *_receipt(made, shop, f"L-{n}", points=-3))
        made.plant("late", *_receipt(made, shop, f"T-{n}", at=BEGINNING + dt.timedelta(days=9, hours=n), behind=30))
        # rung up well before a window's end, recorded after it
        closing = BEGINNING + dt.timedelta(days=14) - dt.timedelta(hours=2)
        made.plant("wrong_window", *_receipt(made, shop, f"W-{n}", at=closing, behind=4))
        at = made.moment()
        orphan = made.line("till", "theirs", "refund", at, -900, points=-9, reference=f"R-{n}", original=f"NONE-{n}",
                           merchant_id=shop)  # fmt: skip
        made.plant("orphan_refund", orphan)


def _receipt(
    made: Month,
    shop: UUID,
    reference: str,
    *,
    amount: int = 0,
    points: int = 0,
    at: dt.datetime | None = None,
    behind: float = 0,
) -> tuple[Line, Line]:
    """A sale as the book has it and as the till tells it: another amount or points, or so many hours before."""
    rung = at or made.moment()
    recorded = rung + dt.timedelta(hours=behind, seconds=made.random.randrange(5))
    window = next(span.number for span in WINDOWS if span.closed_at is not None and recorded < span.closed_at)
    total = made.random.randrange(100, 90_000)
    ours = made.line(
        "till",
        "ours",
        "sale",
        recorded,
        total,
        points=total // 100,
        reference=reference,
        merchant_id=shop,
        window=window,
    )
    theirs = made.line(
        "till", "theirs", "sale", rung, total + amount, points=total // 100 + points, reference=reference,
        merchant_id=shop,
    )  # fmt: skip
    return ours, theirs
