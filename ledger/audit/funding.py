"""How a lot was funded at a moment: as its issuer's contract said when it was earned, until its issuer was bought out."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from typing import Final

from ledger.audit.sequence import RECORDS

#: Every lot, with how it was funded before its issuer's points were bought out and from which record on it is prefunded.
LOTS: Final = f"""
(select l.*, bought.funding as first_funding, bought.sequence as bought_out
 from ledger.lot l left join (
    select l.id as lot_id, c.mode as funding, min(r.sequence) as sequence
    from {RECORDS} r
    join ledger.lot l on l.issuer_id = r.merchant_id
    join ledger.batch born on born.id = l.batch_id and born.first_sequence + l.n < r.sequence
    join merchants.contract c on c.id = l.contract_id and c.mode <> 'prefunded'
    where r.kind in ('exit', 'buy_out') group by 1, 2
 ) bought on bought.lot_id = l.id
 where l.book_id = any(%(books)s))
"""


def funded(sequence: str, lot: str = "l") -> str:
    """The funding of a row of `LOTS` at the record with this sequence, as SQL."""
    return f"case when {sequence} < {lot}.bought_out then {lot}.first_funding else {lot}.funding end"
