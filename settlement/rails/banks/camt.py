"""camt.053 (statements) and camt.054 (notifications) to plain lines. Pure.

A strict reader and not a schema: banks add elements of their own, which a schema of what we know would refuse, while what
we count on (sums, counts, codes, currencies) is more than a schema can say. What is booked is read; what is pending or
for information only is passed over; a state that nobody knows is refused, for it may be money.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from settlement.rails.banks.lines import (
    BankLine,
    Expected,
    Statement,
    checked,
    day,
    reference,
    refuse,
    required,
    words,
)
from settlement.rails.banks.tree import Element

#: Root of the message and of each of its parts, by kind.
KINDS: Final = {"camt.053": ("BkToCstmrStmt", "Stmt"), "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}
_NOT_BOOKED: Final = ("PDNG", "INFO", "FUTR")
#: What a sender writes where there is nothing to say.
_NOTHING: Final = ("NOTPROVIDED", "NONREF")


def statements(document: Element, kind: str, expected: Expected) -> list[Statement]:
    """Every statement of a message, each with balances that add up; or BadFile."""
    message, part = KINDS[kind]
    body = document.must(message)
    required(body.say("GrpHdr/MsgId"), "GrpHdr/MsgId")
    found = [_statement(each, kind, expected) for each in body.all(part)]
    if not found:
        refuse("field_missing", f"there is no {part}")
    return found


def account(of: Element) -> str:
    """An IBAN, or what else the bank calls it."""
    return required(of.say("Id/IBAN") or of.say("Id/Othr/Id"), "account").replace(" ", "").upper()


def _statement(of: Element, kind: str, expected: Expected) -> Statement:
    where = account(of.must("Acct"))
    told = of.say("Acct/Ccy")
    if told and told != expected.currency:
        refuse("currency_differs", f"the account is in {told[:8]!r}, the book in {expected.currency}")
    opening = closing = None
    if kind == "camt.053":
        opening, closing = _balance(of, ("OPBD", "PRCD"), expected), _balance(of, ("CLBD",), expected)
    entries = list(of.all("Ntry"))
    lines: list[BankLine] = []
    for entry in entries:
        lines += _lines(entry, where, expected)
    _control(of, entries, expected)
    id = required(of.say("Id"), f"{of.name}/Id")
    return checked(Statement(kind, id, where, expected.currency, opening, closing, tuple(lines)))


def _balance(of: Element, codes: tuple[str, ...], expected: Expected) -> int:
    """The balance with the first of these codes that there is."""
    by_code: dict[str, Element] = {}
    for balance in of.all("Bal"):
        code = balance.say("Tp/CdOrPrtry/Cd")
        if code in codes and code in by_code:
            refuse("field_invalid", f"two balances {code}")
        by_code[code] = balance
    found = next((by_code[code] for code in codes if code in by_code), None)
    if found is None:
        refuse("field_missing", f"there is no balance {' or '.join(codes)}")
    return _signed(found, expected)


def _signed(of: Element, expected: Expected, amount: Element | None = None) -> int:
    """An amount with its side, as far as the account is concerned."""
    amount = amount or of.must("Amt")
    value = expected.minor(amount.text, amount.attributes.get("Ccy", ""))
    side = of.say("CdtDbtInd")
    if side not in ("CRDT", "DBIT"):
        refuse("field_invalid", f"{of.name}/CdtDbtInd is neither CRDT nor DBIT")
    return value if side == "CRDT" else -value


def _lines(entry: Element, where: str, expected: Expected) -> Iterator[BankLine]:
    """A booked entry's lines: one for each transaction of a batch that tells their amounts, else one."""
    state = entry.say("Sts/Cd") or entry.say("Sts")
    if state in _NOT_BOOKED:
        return
    if state != "BOOK":
        refuse("field_invalid", f"an entry is in a state nobody knows: {state[:8]!r}")
    total = _signed(entry, expected)
    whole = _whole(entry, where, total, expected)
    details = list(entry.all("NtryDtls/TxDtls"))
    amounts = [_of_detail(detail, total, expected) for detail in details]
    if len(details) == 1:
        if amounts[0] not in (None, total):
            refuse("sum_differs", "a transaction's amount is not that of its entry")
        yield _with_detail(whole, details[0], total)
    elif not details or None in amounts:
        # the bank tells who was in a batch and not what each was: it stays one booking
        yield whole
    else:
        if sum(amount for amount in amounts if amount is not None) != total:
            refuse("sum_differs", "the transactions of a batch booking do not make its amount")
        for detail, amount in zip(details, amounts, strict=True):
            assert amount is not None
            yield _with_detail(whole, detail, amount)


def _of_detail(detail: Element, total: int, expected: Expected) -> int | None:
    """What one transaction of a batch is, signed as the account sees it; its own side where it tells one."""
    amount = detail.one("Amt") or detail.one("AmtDtls/TxAmt/Amt")
    if amount is None:
        return None
    if detail.one("CdtDbtInd") is not None:
        return _signed(detail, expected, amount)
    value = expected.minor(amount.text, amount.attributes.get("Ccy", ""))
    return value if total >= 0 else -value


def _whole(entry: Element, where: str, amount: int, expected: Expected) -> BankLine:
    """What an entry says of itself."""
    booked = day(_date(entry, "BookgDt"))
    return BankLine(
        account=where,
        booked=booked,
        value=day(_date(entry, "ValDt")) if entry.one("ValDt") is not None else booked,
        amount_minor=amount,
        currency=expected.currency,
        counterparty="",
        remittance=words(entry.say("AddtlNtryInf")),
        end_to_end_id="",
        structured_reference="",
        bank_reference=_named(entry.say("AcctSvcrRef"), "AcctSvcrRef"),
        entry_reference=_named(entry.say("NtryRef"), "NtryRef"),
    )


def _with_detail(whole: BankLine, of: Element, amount: int) -> BankLine:
    """A transaction of an entry: what it does not say, the entry does."""
    other = "Dbtr" if amount >= 0 else "Cdtr"
    name = of.say(f"RltdPties/{other}/Nm") or of.say(f"RltdPties/{other}/Pty/Nm")
    return replace(
        whole,
        amount_minor=amount,
        counterparty=words(name)[:140],
        remittance=words(" ".join(part.text for part in of.all("RmtInf/Ustrd"))) or whole.remittance,
        end_to_end_id=_named(of.say("Refs/EndToEndId"), "EndToEndId"),
        structured_reference=_named(next((r.text for r in of.all("RmtInf/Strd/CdtrRefInf/Ref")), ""), "Ref"),
        bank_reference=_named(of.say("Refs/AcctSvcrRef"), "AcctSvcrRef") or whole.bank_reference,
        returned=of.one("RtrInf") is not None,
    )


def _named(text: str, what: str) -> str:
    return "" if text in _NOTHING else reference(text, what)


def _date(entry: Element, name: str) -> str:
    found = entry.say(f"{name}/Dt") or entry.say(f"{name}/DtTm")
    return found or refuse("field_missing", f"an entry has no {name}")


def _control(of: Element, entries: list[Element], expected: Expected) -> None:
    """The number and the sum of the entries, where the bank tells them."""
    number = of.say("TxsSummry/TtlNtries/NbOfNtries")
    if number and number.lstrip("0") != (str(len(entries)) if entries else ""):
        refuse("count_differs", f"{len(entries)} entries, {number[:15]!r} told")
    if total := of.say("TxsSummry/TtlNtries/Sum"):
        summed = sum(abs(_signed(entry, expected)) for entry in entries)
        if expected.minor(total, expected.currency) != summed:
            refuse("sum_differs", "the sum of the entries is not the one that is told")
