"""A bank of the tests' own: it takes our payment files and writes statements and status reports, by the formats' books."""

import csv
import datetime as dt
import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from xml.sax.saxutils import escape

from settlement.rails import banks
from settlement.rails.banks import BankLine, Statement

IBAN: Final = "DE89370400440532013000"
DAY: Final = dt.date(2017, 1, 2)
USD: Final = banks.Expected("USD", 2)


def line(amount: int, **more: Any) -> BankLine:
    made = BankLine(IBAN, DAY, DAY, amount, "USD", "Cafe Ltd", "thank you", "", "", "", "")
    return replace(made, **more)


def statement(
    lines: Sequence[BankLine], *, id: str = "2017-1", opening: int = 0, format: str = "camt.053"
) -> Statement:
    closing = opening + sum(each.amount_minor for each in lines)
    return Statement(format, id, IBAN, "USD", opening, closing, tuple(lines))


def decimal(minor: int) -> str:
    return f"{abs(minor) // 100}.{abs(minor) % 100:02d}"


def side(minor: int) -> str:
    return "CRDT" if minor >= 0 else "DBIT"


# -- camt


def camt(statements: Sequence[Statement], *, kind: str = "053", version: str = "08") -> bytes:
    message, part = ("BkToCstmrStmt", "Stmt") if kind == "053" else ("BkToCstmrDbtCdtNtfctn", "Ntfctn")
    space = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"
    bodies = "".join(_camt_statement(one, part, version, balances=kind == "053") for one in statements)
    header = "<GrpHdr><MsgId>M1</MsgId><CreDtTm>2017-01-02T00:00:00Z</CreDtTm></GrpHdr>"
    whole = f'<?xml version="1.0"?><Document xmlns="{space}"><{message}>{header}{bodies}</{message}></Document>'
    return whole.encode()


def _camt_statement(of: Statement, part: str, version: str, *, balances: bool) -> str:
    told = ""
    if balances:
        assert of.opening_minor is not None
        assert of.closing_minor is not None
        told = _balance("OPBD", of.opening_minor) + _balance("CLBD", of.closing_minor)
    total = sum(abs(each.amount_minor) for each in of.lines)
    told += f"<TxsSummry><TtlNtries><NbOfNtries>{len(of.lines)}</NbOfNtries><Sum>{decimal(total)}</Sum></TtlNtries></TxsSummry>"
    entries = "".join(_entry(each, version) for each in of.lines)
    account = f"<Acct><Id><IBAN>{of.account}</IBAN></Id><Ccy>USD</Ccy></Acct>"
    return f"<{part}><Id>{escape(of.id)}</Id>{account}{told}{entries}</{part}>"


def _balance(code: str, minor: int) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='USD'>{decimal(minor)}</Amt>"
        f"<CdtDbtInd>{side(minor)}</CdtDbtInd><Dt><Dt>{DAY}</Dt></Dt></Bal>"
    )


def _entry(of: BankLine, version: str) -> str:
    state = "BOOK" if version == "02" else "<Cd>BOOK</Cd>"
    other = "Dbtr" if of.amount_minor >= 0 else "Cdtr"
    name = f"<Nm>{escape(of.counterparty)}</Nm>"
    party = name if version == "02" else f"<Pty>{name}</Pty>"
    refs = f"<EndToEndId>{escape(of.end_to_end_id or 'NOTPROVIDED')}</EndToEndId>"
    structured = f"<Strd><CdtrRefInf><Ref>{escape(of.structured_reference)}</Ref></CdtrRefInf></Strd>"
    return (
        f"<Ntry><NtryRef>{escape(of.entry_reference)}</NtryRef><Amt Ccy='USD'>{decimal(of.amount_minor)}</Amt>"
        f"<CdtDbtInd>{side(of.amount_minor)}</CdtDbtInd><Sts>{state}</Sts><BookgDt><Dt>{of.booked}</Dt></BookgDt>"
        f"<ValDt><Dt>{of.value}</Dt></ValDt><AcctSvcrRef>{escape(of.bank_reference)}</AcctSvcrRef>"
        f"<NtryDtls><TxDtls><Refs>{refs}</Refs><RltdPties><{other}>{party}</{other}></RltdPties>"
        f"<RmtInf><Ustrd>{escape(of.remittance)}</Ustrd>{structured if of.structured_reference else ''}</RmtInf>"
        f"{'<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>' if of.returned else ''}</TxDtls></NtryDtls></Ntry>"
    )


# -- MT940 and CSV


def mt940(statements: Sequence[Statement]) -> bytes:
    out = []
    for n, one in enumerate(statements, 1):
        assert one.opening_minor is not None
        assert one.closing_minor is not None
        out += [f":20:{one.id}", f":25:{one.account}", f":28C:{n}/1", f":60F:{_swift(one.opening_minor)}"]
        for each in one.lines:
            mark = "C" if each.amount_minor >= 0 else "D"
            amount = decimal(each.amount_minor).replace(".", ",")
            # a reference of theirs goes in four blocks of 32 and less; longer ones stand in :86:
            reference = each.end_to_end_id if 0 < len(each.end_to_end_id) <= 16 else "NONREF"
            theirs = f"//{each.bank_reference}" if each.bank_reference else ""
            kind = "NRTI" if each.returned else "NTRF"
            out.append(f":61:{each.value:%y%m%d}{each.booked:%m%d}{mark}{amount}{kind}{reference}{theirs}")
            more = f"EREF+{each.end_to_end_id} SVWZ+" if reference == "NONREF" and each.end_to_end_id else ""
            out.append(f":86:?20{more}{each.remittance}?32{each.counterparty}")
        out.append(f":62F:{_swift(one.closing_minor)}")
    return ("\r\n".join([*out, "-"]) + "\r\n").encode()


def _swift(minor: int) -> str:
    return f"{'C' if minor >= 0 else 'D'}{DAY:%y%m%d}USD{decimal(minor).replace('.', ',')}"


def sheet(of: Statement, between: str = ",") -> bytes:
    out = io.StringIO()
    write = csv.writer(out, delimiter=between, lineterminator="\n").writerow
    write(banks.sheet.COLUMNS)

    def amount(minor: int | None) -> str:
        assert minor is not None
        return ("-" if minor < 0 else "") + decimal(minor)

    write(["opening", of.account, of.id, DAY, "", amount(of.opening_minor), "USD", *[""] * 6])
    for each in of.lines:
        told = [each.counterparty, each.remittance, each.end_to_end_id, each.structured_reference]
        told += [each.bank_reference, each.entry_reference]
        write(["line", of.account, of.id, each.booked, each.value, amount(each.amount_minor), "USD", *told])
    write(["closing", of.account, of.id, DAY, "", amount(of.closing_minor), "USD", *[""] * 6])
    return out.getvalue().encode()


# -- payments


def payments(file: bytes) -> list[tuple[str, str, int, str]]:
    """(end-to-end id, account, minor units, holder) of every payment that a file orders."""
    space = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
    found = []
    for each in ET.fromstring(file).iterfind(".//p:CdtTrfTxInf", space):  # noqa: S314 - our own file
        account = each.find("p:CdtrAcct/p:Id/p:IBAN", space)
        if account is None:
            account = each.find("p:CdtrAcct/p:Id/p:Othr/p:Id", space)
        assert account is not None
        amount = (each.findtext("p:Amt/p:InstdAmt", "", space)).replace(".", "")
        reference = each.findtext("p:PmtId/p:EndToEndId", "", space)
        found.append((reference, account.text or "", int(amount), each.findtext("p:Cdtr/p:Nm", "", space)))
    return found


def message_id(file: bytes) -> str:
    space = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
    return ET.fromstring(file).findtext(".//p:GrpHdr/p:MsgId", "", space)  # noqa: S314 - our own file


def report(order: str, states: dict[str, str], *, id: str = "R1", whole: str = "", reason: str = "AC01") -> bytes:
    """A pain.002 of a file: a state of each payment, or of the whole."""
    why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>"
    each = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{ref}</OrgnlEndToEndId><TxSts>{state}</TxSts>{why if state == 'RJCT' else ''}</TxInfAndSts>"
        for ref, state in states.items()
    )
    group = f"<GrpSts>{whole}</GrpSts>{why}" if whole else ""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{id}</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{order}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{order}-1</OrgnlPmtInfId>{each}</OrgnlPmtInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    ).encode()
