"""pain.001.001.09 out (payments to make) and pain.002 in (what became of them). Pure.

What is written is a subset of the ISO message, held to `pain001.xsd` beside this file: a schema in our own words of
exactly the elements we write. The same order gives the same bytes.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from settlement.rails.banks.lines import Expected, reference, refuse, required
from settlement.rails.banks.tree import Element

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"


@dataclass(frozen=True, slots=True)
class Party:
    """Whose account it is, and where: an IBAN, or what else the bank calls it."""

    holder: str
    account: str
    is_iban: bool
    bic: str | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """`reference` is the instruction's: the end-to-end id that comes back on every bank's message of it."""

    reference: str
    amount_minor: int
    payee: Party
    remittance: str


@dataclass(frozen=True, slots=True)
class Order:
    """A file's worth of transfers out of one account. `id` is unique for ever."""

    id: str
    made_at: dt.datetime
    execute_on: dt.date
    payer: Party
    transfers: tuple[Transfer, ...]


def written(order: Order, expected: Expected) -> bytes:
    """The order as pain.001.001.09, in UTF-8."""
    assert order.transfers, "an order of nothing"
    count = len(order.transfers)
    total = expected.decimal(sum(transfer.amount_minor for transfer in order.transfers))
    made = order.made_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sums = f"<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<Document xmlns="{NAMESPACE}"><CstmrCdtTrfInitn>\n',
        f"<GrpHdr><MsgId>{escape(order.id)}</MsgId><CreDtTm>{made}</CreDtTm>{sums}",
        f"<InitgPty><Nm>{escape(order.payer.holder)}</Nm></InitgPty></GrpHdr>\n",
        f"<PmtInf><PmtInfId>{escape(order.id)}-1</PmtInfId><PmtMtd>TRF</PmtMtd>{sums}",
        f"<ReqdExctnDt><Dt>{order.execute_on.isoformat()}</Dt></ReqdExctnDt>",
        f"<Dbtr><Nm>{escape(order.payer.holder)}</Nm></Dbtr><DbtrAcct>{_account(order.payer)}</DbtrAcct>",
        f"<DbtrAgt>{_agent(order.payer)}</DbtrAgt>\n",
        *(_transfer(transfer, expected) for transfer in order.transfers),
        "</PmtInf>\n</CstmrCdtTrfInitn></Document>\n",
    ]
    return "".join(out).encode()


def _transfer(transfer: Transfer, expected: Expected) -> str:
    amount, payee = expected.decimal(transfer.amount_minor), transfer.payee
    agent = f"<CdtrAgt>{_agent(payee)}</CdtrAgt>" if payee.bic else ""
    return (
        f"<CdtTrfTxInf><PmtId><InstrId>{escape(transfer.reference)}</InstrId>"
        f"<EndToEndId>{escape(transfer.reference)}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="{expected.currency}">{amount}</InstdAmt></Amt>{agent}'
        f"<Cdtr><Nm>{escape(payee.holder)}</Nm></Cdtr><CdtrAcct>{_account(payee)}</CdtrAcct>"
        f"<RmtInf><Ustrd>{escape(transfer.remittance)}</Ustrd></RmtInf></CdtTrfTxInf>\n"
    )


def _account(party: Party) -> str:
    account = escape(party.account)
    return f"<Id><IBAN>{account}</IBAN></Id>" if party.is_iban else f"<Id><Othr><Id>{account}</Id></Othr></Id>"


def _agent(party: Party) -> str:
    bank = f"<BICFI>{party.bic}</BICFI>" if party.bic else "<Othr><Id>NOTPROVIDED</Id></Othr>"
    return f"<FinInstnId>{bank}</FinInstnId>"


# -- in

#: What a state of a payment means to us. Accepted by the bank is not yet paid; nothing of what is between moves money.
OUTCOMES: Final = {
    "ACSC": "confirmed",
    "ACCC": "confirmed",
    "RJCT": "refused",
    "CANC": "refused",
    "RCVD": "accepted",
    "ACCP": "accepted",
    "ACTC": "accepted",
    "ACFC": "accepted",
    "ACSP": "accepted",
    "ACWC": "accepted",
    "PATC": "accepted",
    "PDNG": "accepted",
    "PART": "accepted",
}


@dataclass(frozen=True, slots=True)
class Status:
    """What became of one transfer: confirmed, accepted or refused, with the bank's reason and reference."""

    reference: str
    outcome: str
    reason: str
    bank_reference: str
    amount_minor: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """An answer to a file of ours. `whole` is of every transfer that `statuses` does not name."""

    id: str
    order_id: str
    whole: str | None
    whole_reason: str
    statuses: tuple[Status, ...]


def report(document: Element, expected: Expected) -> Report:
    """A pain.002; or BadFile."""
    body = document.must("CstmrPmtStsRpt")
    group = body.must("OrgnlGrpInfAndSts")
    statuses: list[Status] = []
    wholes: list[tuple[str, str]] = []
    if state := group.say("GrpSts"):
        wholes.append((_outcome(state), _reason(group)))
    for part in body.all("OrgnlPmtInfAndSts"):
        if state := part.say("PmtInfSts"):
            wholes.append((_outcome(state), _reason(part)))
        statuses += [_status(each, expected) for each in part.all("TxInfAndSts")]
    named = [status.reference for status in statuses]
    if len(set(named)) != len(named):
        refuse("field_invalid", "a payment has two states")
    if not wholes and not statuses:
        refuse("field_missing", "it tells no state")
    # the narrower word counts: a payment's own, then its part's, then the file's
    whole, reason = wholes[-1] if wholes else (None, "")
    return Report(
        id=required(body.say("GrpHdr/MsgId"), "GrpHdr/MsgId"),
        order_id=required(group.say("OrgnlMsgId"), "OrgnlMsgId"),
        whole=whole,
        whole_reason=reason,
        statuses=tuple(statuses),
    )


def _status(of: Element, expected: Expected) -> Status:
    amount = of.one("OrgnlTxRef/Amt/InstdAmt")
    return Status(
        reference=required(of.say("OrgnlEndToEndId"), "OrgnlEndToEndId"),
        outcome=_outcome(required(of.say("TxSts"), "TxSts")),
        reason=_reason(of),
        bank_reference=reference(of.say("AcctSvcrRef"), "AcctSvcrRef"),
        amount_minor=None if amount is None else expected.minor(amount.text, amount.attributes.get("Ccy", "")),
    )


def _outcome(state: str) -> str:
    if state not in OUTCOMES:
        refuse("field_invalid", f"a state nobody knows: {state[:8]!r}")
    return OUTCOMES[state]


def _reason(of: Element) -> str:
    """The first reason: a code, and the bank's own words where it has some."""
    for info in of.all("StsRsnInf"):
        words = " ".join(part.text for part in info.all("AddtlInf"))
        return " ".join(f"{info.say('Rsn/Cd') or info.say('Rsn/Prtry')} {words}".split())[:200]
    return ""
