"""How a lot was funded at a moment: as the record of its birth tells, until its issuer was bought out."""
# ruff: noqa: S608 - the statements are composed of this package's own constants

from typing import Final

from ledger.audit.sequence import RECORDS

#: Every lot, with how it was funded before its issuer's points were bought out and from which record on it is prefunded.
LOTS: Final = f"""
(select l.*, bought.funding as first_funding, bought.sequence as bought_out
 from ledger.lot l left join (
    select l.id as lot_id, told.funding, min(r.sequence) as sequence
    from {RECORDS} r
    join ledger.lot l on l.issuer_id = r.merchant_id
    join ledger.batch place on place.id = l.batch_id and place.first_sequence + l.n < r.sequence
    join ledger.record born on born.batch_id = l.batch_id and born.n = l.n
    cross join lateral jsonb_to_recordset(born.payload -> 'lots') as told(lot uuid, funding text)
    where r.kind in ('exit', 'buy_out') and told.lot = l.id and told.funding <> 'prefunded' group by 1, 2
 ) bought on bought.lot_id = l.id
 where l.book_id = any(%(books)s))
"""


def funded(sequence: str, lot: str = "l") -> str:
    """The funding of a row of `LOTS` at the record with this sequence, as SQL."""
    return f"case when {sequence} < {lot}.bought_out then {lot}.first_funding else {lot}.funding end"
