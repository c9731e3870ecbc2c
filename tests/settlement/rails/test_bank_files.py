"""Bank files: what a bank writes is read back, what is broken is refused whole, what we write is valid."""

import datetime as dt
import gzip
from dataclasses import replace
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.rails import banks
from settlement.rails.banks import BadFile, BankLine, Statement
from tests.settlement.rails import bank

SCHEMA = xmlschema.XMLSchema10(Path(banks.__file__).parent / "pain001.xsd")

WORD = st.text("ABCdef019-/", min_size=1, max_size=30).map(lambda text: text.strip("-/")).filter(bool)
REFERENCE = st.text("ABCdef019", min_size=1, max_size=16)
LINES = st.lists(
    st.builds(
        lambda amount, word, ref, theirs, back: bank.line(
            amount, remittance=word, end_to_end_id=ref, bank_reference=theirs, returned=back
        ),
        st.integers(-(10**11), 10**11).filter(bool),
        WORD,
        REFERENCE,
        REFERENCE,
        st.booleans(),
    ),
    max_size=6,
)
OPENING = st.integers(-(10**11), 10**11)


def code(raw: bytes, expected: banks.Expected = bank.USD) -> str:
    with pytest.raises(BadFile) as refused:
        banks.read_statements(raw, expected)
    assert refused.value.why
    return refused.value.code


# -- in


@pytest.mark.parametrize("version", ["02", "04", "08"])
@given(lines=LINES, opening=OPENING)
@settings(max_examples=25, deadline=None)
def test_a_camt_statement_is_read_as_it_was_written(version: str, lines: list[BankLine], opening: int) -> None:
    told = bank.statement(lines, opening=opening)
    assert banks.read_statements(bank.camt([told], version=version), bank.USD) == [told]


@given(lines=LINES)
@settings(max_examples=25, deadline=None)
def test_a_notification_is_read_as_it_was_written(lines: list[BankLine]) -> None:
    (found,) = banks.read_statements(bank.camt([bank.statement(lines)], kind="054"), bank.USD)
    assert found == Statement("camt.054", "2017-1", bank.IBAN, "USD", None, None, tuple(lines))


@given(lines=LINES, opening=OPENING)
@settings(max_examples=25, deadline=None)
def test_an_mt940_is_read_as_it_was_written(lines: list[BankLine], opening: int) -> None:
    told = bank.statement(lines, opening=opening, format="mt940", id="S")
    (found,) = banks.read_statements(bank.mt940([told]), bank.USD)
    assert replace(found, id="S") == told
    assert found.id == "S 1/1 2017-01-02"


@pytest.mark.parametrize("between", [",", ";"])
@given(lines=LINES, opening=OPENING)
@settings(max_examples=25, deadline=None)
def test_a_sheet_is_read_as_it_was_written(between: str, lines: list[BankLine], opening: int) -> None:
    lines = [replace(line, returned=False) for line in lines]
    told = bank.statement(lines, opening=opening, format="csv")
    assert banks.read_statements(bank.sheet(told, between), bank.USD) == [told]


TWO = [bank.line(5_000, end_to_end_id="A1", bank_reference="B1"), bank.line(-1_250, bank_reference="B2")]
FILES = {
    "camt.053": bank.camt([bank.statement(TWO, opening=100)]),
    "camt.054": bank.camt([bank.statement(TWO)], kind="054"),
    "mt940": bank.mt940([bank.statement(TWO, opening=100)]),
    "csv": bank.sheet(bank.statement(TWO, opening=100)),
}


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_cut_file_is_refused(name: str, data: st.DataObject) -> None:
    whole = FILES[name]
    at = data.draw(st.integers(0, len(whole.rstrip()) - 1))
    with pytest.raises(BadFile):
        banks.read_statements(whole[:at], bank.USD)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_byte_that_flips_never_leaves_half(name: str, data: st.DataObject) -> None:
    """It is refused, or every line is there; with balances, with the same sum."""
    whole = FILES[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + bytes([whole[at] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[at + 1 :]
    try:
        found = banks.read_statements(broken, bank.USD)
    except BadFile:
        return
    lines = [line for one in found for line in one.lines]
    assert len(lines) == len(TWO)
    assert sum(line.amount_minor for line in lines) == 3_750 or name == "camt.054"


@given(raw=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_whatever_is_sent_is_refused_and_no_more(raw: bytes) -> None:
    for start in (b"", b"<", b":20:", b"row,account,", b"<?xml version='1.0'?>"):
        with pytest.raises(BadFile):
            banks.read_statements(start + raw, bank.USD)
        with pytest.raises(BadFile):
            banks.read_report(start + raw, bank.USD)


def change(name: str, old: str, new: str) -> bytes:
    assert old.encode() in FILES[name], old
    return FILES[name].replace(old.encode(), new.encode(), 1)


XXE = b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>'
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'

REFUSED = {
    "nothing": (b"", "file_unknown"),
    "packed with gzip": (gzip.compress(bytes(10_000_000)), "file_packed"),
    "packed with zip": (b"PK\x03\x04" + bytes(50), "file_packed"),
    "an outer entity": (XXE, "file_forbidden"),
    "a billion laughs": (LAUGHS, "file_forbidden"),
    "any document type": (b"<!DOCTYPE html><html/>", "file_forbidden"),
    "nested deeply": (b"<a>" * 5_000, "file_too_deep"),
    "another message": (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.052.001.08"/>', "file_unknown"),
    "another namespace": (b'<Document xmlns="urn:other"/>', "file_unknown"),
    "no namespace": (b"<Document/>", "file_unknown"),
    "a PDF": (b"%PDF-1.4\0\0", "file_unknown"),
    "another currency": (change("camt.053", "<Ccy>USD", "<Ccy>EUR"), "currency_differs"),
    "an amount in another currency": (change("camt.053", "Ccy='USD'>50.00", "Ccy='EUR'>50.00"), "currency_differs"),
    "an entry's amount": (change("camt.053", ">50.00<", ">50.01<"), "sum_differs"),
    "an opening balance": (change("camt.053", ">1.00<", ">2.00<"), "sum_differs"),
    "no closing balance": (change("camt.053", "CLBD", "CLAV"), "field_missing"),
    "a number of entries": (change("camt.053", "<NbOfNtries>2", "<NbOfNtries>3"), "count_differs"),
    "a control sum": (change("camt.054", "<Sum>62.50", "<Sum>62.51"), "sum_differs"),
    "a state of nobody": (change("camt.053", "<Cd>BOOK", "<Cd>LOOK"), "field_invalid"),
    "half a cent": (change("camt.053", ">50.00<", ">50.005<"), "field_invalid"),
    "a negative amount": (change("camt.053", ">50.00<", ">-50.00<"), "field_invalid"),
    "an exponent": (change("camt.053", ">50.00<", ">5e1<"), "field_invalid"),
    "a day of no month": (change("camt.053", "<BookgDt><Dt>2017-01-02", "<BookgDt><Dt>2017-02-30"), "field_invalid"),
    "a statement without an id": (change("camt.053", "<Id>2017-1</Id>", "<Id> </Id>"), "field_missing"),
    "more money than there is": (change("camt.053", ">50.00<", ">999999999999999.00<"), "field_invalid"),
    "MT940 with a field without end": (change("mt940", ":62F:", "x\r\n" * 60 + ":62F:"), "file_damaged"),
    "one statement twice": (bank.camt([bank.statement(TWO), bank.statement(TWO)]), "field_invalid"),
    "MT940 in another currency": (change("mt940", "USD1,00", "EUR1,00"), "currency_differs"),
    "MT940 that does not add up": (change("mt940", "C50,00", "C50,01"), "sum_differs"),
    "MT940 without its end": (change("mt940", "\r\n-\r\n", "\r\n"), "file_damaged"),
    "MT940 without a closing balance": (change("mt940", ":62F:", ":64:"), "field_missing"),
    "CSV in another currency": (change("csv", "50.00,USD", "50.00,EUR"), "currency_differs"),
    "CSV that does not add up": (change("csv", "50.00", "50.01"), "sum_differs"),
    "CSV with a column too few": (change("csv", ",entry_reference", ""), "field_missing"),
    "CSV of two statements": (change("csv", "line,DE89370400440532013000,2017-1", "line,DE8,2017-1"), "field_invalid"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_is_refused_for_a_reason(what: str) -> None:
    raw, wanted = REFUSED[what]
    assert code(raw) == wanted


def test_what_is_pending_is_no_money_yet() -> None:
    pending = change("camt.054", "<Cd>BOOK", "<Cd>PDNG")
    (found,) = banks.read_statements(pending, bank.USD)
    assert [line.amount_minor for line in found.lines] == [-1_250]


def test_a_batch_booking_is_a_line_for_each_that_is_in_it() -> None:
    whole = bank.camt([bank.statement([bank.line(3_000, end_to_end_id="A")])]).decode()
    one = whole[whole.index("<TxDtls>") : whole.index("</NtryDtls>")]

    def part(reference: str, amount: str) -> str:
        return one.replace(">A<", f">{reference}<").replace("<RltdPties>", f"<Amt Ccy='USD'>{amount}</Amt><RltdPties>")

    both = whole.replace(one, part("A", "10.00") + part("B", "20.00"))
    (found,) = banks.read_statements(both.encode(), bank.USD)
    assert [(line.end_to_end_id, line.amount_minor) for line in found.lines] == [("A", 1_000), ("B", 2_000)]
    assert code(whole.replace(one, part("A", "10.00") + part("B", "20.01")).encode()) == "sum_differs"


@pytest.mark.timeout(20)
def test_a_file_of_a_million_parts_takes_no_longer_than_it_is_long() -> None:
    whole = bank.camt([bank.statement([bank.line(3_000)])]).decode()
    at = whole.index("</NtryDtls>")
    wide = whole[:at] + "<TxDtls/>" * 100_000 + whole[at:]
    (found,) = banks.read_statements(wide.encode(), bank.USD)
    assert len(found.lines) == 1
    many = whole[:at] + "</NtryDtls><NtryDtls>" * 100_000 + whole[at:]
    assert banks.read_statements(many.encode(), bank.USD)
    text = bank.mt940([bank.statement([], id="S")]).decode()
    assert code(text.replace(":62F:", "x\n" * 500_000 + ":62F:").encode()) == "file_damaged"


def test_currencies_without_and_with_three_decimals() -> None:
    for exponent, text, minor in ((0, "1500000", 1_500_000), (0, "15.00", 15), (3, "1.005", 1_005), (3, "2", 2_000)):
        assert banks.Expected("IRR", exponent).minor(text, "IRR") == minor
    assert [banks.Expected("IRR", exponent).decimal(5) for exponent in (0, 2, 3)] == ["5", "0.05", "0.005"]


# -- out

PAYEE = banks.Party("Cafe & Söhne <Ltd>", bank.IBAN, is_iban=True, bic="DEUTDEFF")
PAYER = banks.Party("Network", "12345-6", is_iban=False, bic=None)


def order(amounts: list[int]) -> banks.Order:
    made = dt.datetime(2017, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
    transfers = [banks.Transfer(f"{n:032x}", amount, PAYEE, "window 1") for n, amount in enumerate(amounts)]
    return banks.Order("f" * 32, made, bank.DAY, PAYER, tuple(transfers))


@given(amounts=st.lists(st.integers(1, 10**12), min_size=1, max_size=20), exponent=st.sampled_from([0, 2, 3]))
@settings(max_examples=50, deadline=None)
def test_what_we_order_is_valid_and_says_what_is_paid(amounts: list[int], exponent: int) -> None:
    expected = banks.Expected("EUR", exponent)
    file = banks.pain.written(order(amounts), expected)
    SCHEMA.validate(file.decode().partition("\n")[2])
    assert [(amount, account, holder) for _, account, amount, holder in bank.payments(file)] == [
        (amount, bank.IBAN, "Cafe & Söhne <Ltd>") for amount in amounts
    ]
    assert file.count(f"<CtrlSum>{expected.decimal(sum(amounts))}</CtrlSum>".encode()) == 2
    assert file.count(f"<NbOfTxs>{len(amounts)}</NbOfTxs>".encode()) == 2
    assert banks.pain.written(order(amounts), expected) == file


def test_a_report_tells_each_payment_by_the_narrowest_word() -> None:
    raw = bank.report("f" * 32, {"a": "ACSC", "b": "RJCT", "c": "ACSP"}, whole="PART")
    found = banks.read_report(raw, bank.USD)
    assert (found.order_id, found.whole) == ("f" * 32, "accepted")
    assert [(s.reference, s.outcome, s.reason) for s in found.statuses] == [
        ("a", "confirmed", ""),
        ("b", "refused", "AC01"),
        ("c", "accepted", ""),
    ]
    with pytest.raises(BadFile) as refused:
        banks.read_report(raw.replace(b"ACSC", b"ACXX"), bank.USD)
    assert refused.value.code == "field_invalid"
    with pytest.raises(BadFile):
        banks.read_statements(raw, bank.USD)
    with pytest.raises(BadFile):
        banks.read_report(FILES["camt.053"], bank.USD)


def test_the_document_tells_every_fault() -> None:
    told = (Path(__file__).parents[3] / "docs" / "rails.md").read_text()
    missing = [fault for fault, meaning in banks.CODES.items() if f"| {fault} | {meaning} |" not in told]
    assert missing == []


def test_account_numbers() -> None:
    known = banks.accounts.bank_account
    assert known("de89 3704 0044 0532 0130 00") == bank.IBAN
    assert known("IR062960000000100324200001") == "IR062960000000100324200001"
    assert known("DE89370400440532013001") is None
    assert (known("12345-6"), known(""), known("a\nb"), known("x" * 35)) == ("12345-6", None, None, None)
    assert (banks.accounts.bic("deutdeff"), banks.accounts.bic("DEUT")) == ("DEUTDEFF", None)
