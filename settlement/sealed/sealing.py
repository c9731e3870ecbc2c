"""What a window publishes: its trees, and the head that the network signs.

A seal is made once, after the close, from the window's items, its positions and the raw moves up to its close record:
nothing in it depends on when or by whom it is made, and made again with the same key it is the same, byte for byte.
Items and holdings are read as streams and each tree is folded in one pass, so memory does not grow with the window.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

import ledger
from ledger import Book, Database, Tx
from settlement import proof, store
from settlement.netting import Flow, Position
from settlement.obligations import Item
from settlement.papers import statements
from settlement.proof import merkle, sums
from settlement.proof.window import CONTEXT, FIRST
from settlement.sealed import store as seal_store
from settlement.sealed.store import Holding, Party, Seal
from settlement.steps import Window
from settlement.store import ItemRow

#: Leaves of the supply's tree in one block: a receipt reads the members of one and the roots of the others.
BLOCK: Final = 1_024
#: Holdings written with one statement.
CHUNK: Final = 2_048

_BLOCK_BYTES: Final = 32 + sums.WIDTH * len(sums.NAMES)


@dataclass(frozen=True, slots=True)
class Sealing:
    """What seals are made with: the key that signs now, and the secret that members' salts are derived from."""

    signer: proof.Signer = field(repr=False)
    salts: bytes = field(repr=False)

    def salt(self, window: UUID, member: UUID) -> bytes:
        """16 bytes that nobody else can guess: without them a leaf tells nothing of a member."""
        return hmac.digest(self.salts, b"manex.salt.1" + window.bytes + member.bytes, "sha256")[:16]


# -- making one


def catch_up(db: Database, book_id: int, sealing: Sealing, *, wait: bool = True) -> int:
    """Seal every window of a book that is netted and not sealed, in order; how many.

    Of several at once one seals; the others wait for it, or without `wait` leave it to that one.
    """
    with db.tx("settlement") as tx:
        if seal_store.unsealed(tx, book_id) is None:
            return 0
    done = 0
    with db.connection("settlement") as tx:
        if not seal_store.locked(tx, book_id, wait=wait):
            return 0
        seal_store.without_hurry(tx)
        tx.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        while True:
            with tx.transaction():
                window = seal_store.unsealed(tx, book_id)
                if window is None:
                    return done
                _seal(tx, ledger.read_book(tx, book_id), window, sealing)
            done += 1


def _seal(tx: Tx, book: Book, window: Window, sealing: Sealing) -> None:
    before = seal_store.seal(tx, book.id, window.number - 1) if window.number > 1 else None
    assert window.number == 1 or before is not None, "windows are sealed in order"
    parties = _parties(tx, book, window)
    seal_store.add_parties(tx, book.id, window.number, parties)
    tree = merkle.Folding(merkle.node)
    for party in parties:
        tree.add(party.leaf)
    members, held, blocks = _holdings(tx, book, window, sealing)
    assert window.last_sequence is not None
    accepted = seal_store.accepted(tx, book.id, window.number, window.last_sequence)
    head = ledger.canonical(
        _head(book, window, before)
        | {
            "statements": {
                "parties": len(parties),
                "items": sum(party.items for party in parties),
                "root": tree.root(merkle.EMPTY).hex(),
            },
            "supply": {
                "members": members,
                "root": held.hash.hex(),
                "held": sums.told(held.sums),
                "accepted": sums.told(accepted),
                "open": sums.told(sums.plus(held.sums, accepted)),
            },
        }
    )
    message = CONTEXT + head
    signature = sealing.signer.sign(message)
    digest = sha256(message).digest()
    seal_store.add_seal(tx, book.id, Seal(window.number, head, digest, sealing.signer.x, signature, blocks))


def _head(book: Book, window: Window, before: Seal | None) -> dict[str, Any]:
    assert window.ledger_hash is not None
    assert window.positions_hash is not None
    return {
        "schema": proof.window.SCHEMA,
        "book": ledger.ids.show("book", book.public_id),
        "network": book.network,
        "mode": book.mode,
        "currency": book.currency,
        "exponent": book.exponent,
        "window": ledger.ids.show("window", window.id),
        "number": window.number,
        "opened_at": window.opened_at,
        "closed_at": window.closed_at,
        "first_sequence": window.first_sequence,
        "last_sequence": window.last_sequence,
        "ledger_hash": window.ledger_hash.hex(),
        "positions_hash": window.positions_hash.hex(),
        "previous": before.digest.hex() if before else FIRST,
    }


def _parties(tx: Tx, book: Book, window: Window) -> list[Party]:
    """Every merchant of a window with the root of its items and its leaf, in the order of their ids."""
    trees: defaultdict[UUID, merkle.Folding[bytes]] = defaultdict(lambda: merkle.Folding(merkle.node))
    for id, item in seal_store.every_item(tx, book.id, window.number):
        for party, leaf in leaves_of(id, item):
            trees[party].add(leaf)
    flows = store.flows_by_party(tx, book.id, window.number)
    near = next(flows, None)
    found: list[Party] = []
    for row in store.positions(tx, book, window.number):
        party = row.position.party_id
        if party == book.operator_id:
            continue
        tree = trees.pop(party, merkle.Folding(merkle.node))
        root = tree.root(merkle.EMPTY)
        assert tree.count == row.position.items, (party, tree.count, row.position.items)
        # both come by party; the operator's flows are nobody's statement
        while near is not None and near[0] < party:
            near = next(flows, None)
        own = near[1] if near is not None and near[0] == party else []
        told = party_told(row.id, row.position, own, root)
        found.append(Party(len(found), party, tree.count, root, merkle.leaf(ledger.canonical(told))))
    # the operator is a side of shares and adjustments, and has no statement
    trees.pop(book.operator_id, None)
    assert not trees, "items of a party without a position"
    return found


def _holdings(tx: Tx, book: Book, window: Window, sealing: Sealing) -> tuple[int, sums.Summed, bytes]:
    """The supply's tree at the close: its leaves, its root, and the roots of its blocks. The leaves are written."""
    assert window.last_sequence is not None
    assert window.ledger_hash is not None
    tree: merkle.Folding[sums.Summed] = merkle.Folding(sums.join)
    block: merkle.Folding[sums.Summed] = merkle.Folding(sums.join)
    blocks: list[bytes] = []
    waiting: list[Holding] = []
    for member, told in seal_store.holdings(tx, book.id, window.last_sequence, window.ledger_hash):
        holding = Holding(tree.count, member, sealing.salt(window.id, member), told)
        leaf = _leaf(window.id, holding)
        tree.add(leaf)
        block.add(leaf)
        waiting.append(holding)
        if block.count == BLOCK:
            blocks.append(block.root(leaf).told)
            block = merkle.Folding(sums.join)
        if len(waiting) == CHUNK:
            seal_store.add_holdings(tx, book.id, window.number, waiting)
            waiting = []
    seal_store.add_holdings(tx, book.id, window.number, waiting)
    if block.count:
        blocks.append(block.root(sums.EMPTY).told)
    return tree.count, tree.root(sums.EMPTY), b"".join(blocks)


def opening(window: UUID, holding: Holding) -> dict[str, Any]:
    """What a member's leaf is made of."""
    return {
        "schema": proof.supply.HOLDING_SCHEMA,
        "window": ledger.ids.show("window", window),
        "member": ledger.ids.show("member", holding.member_id),
        "salt": holding.salt.hex(),
        "sums": sums.told(holding.sums),
    }


def _leaf(window: UUID, holding: Holding) -> sums.Summed:
    return sums.Summed(merkle.leaf(ledger.canonical(opening(window, holding))), holding.sums)


# -- what of a statement is signed


def item_told(row: ItemRow, merchant: UUID) -> dict[str, Any]:
    """An item as its merchant reads it. Millionths are text: they may pass 2^53."""
    told = statements.line(row, merchant)
    told["fee_millionths"] = str(told["fee_millionths"])
    return told


#: `item_told` in its canonical form, for those who hash millions: a test holds the two equal.
_LINE: Final = (
    '{"accepted_points":%d,"at":%s,"counterparty":%s,"fee_base_minor":%d,"fee_millionths":"%d","fee_ppm":%d,"funding":%s,'
    '"item":"itm_%s","kind":"%s","lot":%s,"ordinal":%d,"own_points":%d,"payable_minor":%d,"reason":"%s",'
    '"receivable_minor":%d,"redeemed_points":%d,"sequence":%d,"subject":%s,"unit_value_minor":%s}'
)


def leaves_of(id: UUID, item: Item) -> Iterator[tuple[UUID, bytes]]:
    """The leaf of an item in the tree of each of its parties, each as it may see the item."""
    issuer, acceptor, payer = item.issuer_id, item.acceptor_id, item.fee_payer_id
    at = ledger.canonical(item.at).decode()
    lot = "null" if item.lot_id is None else f'"lot_{item.lot_id.hex}"'
    subject = "null" if item.subject_id is None else f'"{ledger.ids.show(item.about, item.subject_id)}"'
    funding = "null" if item.funding is None else f'"{item.funding}"'
    unit = "null" if item.unit_value_minor is None else str(item.unit_value_minor)
    for party in {issuer, acceptor, payer} - {None}:
        assert party is not None
        other = issuer if issuer not in (None, party) else acceptor if acceptor not in (None, party) else None
        accepted = acceptor == party
        fee = (item.fee_base_minor, item.fee_millionths, item.fee_ppm) if payer == party else (0, 0, 0)
        line = _LINE % (
            item.points if accepted and other else 0,
            at,
            "null" if other is None else f'"mer_{other.hex}"',
            *fee,
            funding,
            id.hex,
            item.kind,
            lot,
            item.ordinal,
            0 if other else item.points,
            0 if accepted else item.value_minor,
            item.reason,
            item.value_minor if accepted else 0,
            0 if accepted or not other else item.points,
            item.sequence,
            subject,
            unit,
        )
        yield party, merkle.leaf(line.encode())


def party_told(id: UUID, position: Position, flows: Sequence[Flow], items_root: bytes) -> dict[str, Any]:
    """A merchant's leaf: its position, its fees, and what passed with each other."""
    own, others = statements.by_counterparty(flows, position.party_id)
    fee = position.fee
    return {
        "schema": proof.statement.PARTY_SCHEMA,
        "merchant": ledger.ids.show("merchant", position.party_id),
        "statement": ledger.ids.show("statement", id),
        "items": position.items,
        "items_root": items_root.hex(),
        "own_points": own,
        "receivable_minor": position.receivable_minor,
        "payable_minor": position.payable_minor,
        "fee": {
            "millionths": str(fee.millionths),
            "carry_in_millionths": str(fee.carry_in),
            "fee_minor": fee.minor,
            "carry_out_millionths": str(fee.carry_out),
        },
        "position_minor": position.position_minor,
        "backing_minor": position.backing_minor,
        "account_minor": position.account_minor,
        "counterparties": [
            {
                "merchant": ledger.ids.show("merchant", other.party_id),
                "accepted_points": other.accepted_points,
                "receivable_minor": other.receivable_minor,
                "redeemed_points": other.redeemed_points,
                "payable_minor": other.payable_minor,
            }
            for other in others
        ],
    }


# -- what is handed out


@dataclass(frozen=True, slots=True)
class Sealed:
    """A merchant's statement under seal: what is needed of it beyond its items."""

    seal: Seal
    head: dict[str, Any]
    party: dict[str, Any]
    index: int
    path: list[bytes]

    @property
    def root(self) -> str:
        """What stands for the whole statement: the hash of the head that is signed."""
        return self.seal.digest.hex()


def sealed(tx: Tx, statement: statements.Statement) -> Sealed | None:
    """The seal over a statement; None while its window has none. For the doors: a tenant does not see the others' leaves."""
    book, window = statement.book, statement.window
    seal = seal_store.seal(tx, book.id, window.number)
    if seal is None:
        return None
    parties = seal_store.parties(tx, book.id, window.number)
    here = next(party for party in parties if party.party_id == statement.merchant_id)
    flows = store.flows(tx, book.id, window.number, merchant=statement.merchant_id)
    told = party_told(statement.id, statement.position, flows, here.items_root)
    path = merkle.path([party.leaf for party in parties], here.place, merkle.node)
    return Sealed(seal, msgspec.json.decode(seal.head), told, here.place, path)


def signature(seal: Seal) -> dict[str, str]:
    return {
        "kid": proof.keys.thumbprint(seal.key),
        "x": proof.keys.base64url(seal.key),
        "value": proof.keys.base64url(seal.signature),
    }


def document(sealed: Sealed, merchant: UUID, items: Iterable[ItemRow]) -> Iterator[bytes]:
    """The signed statement as JSON, an item a line, in pieces."""
    place = {"index": sealed.index, "path": [part.hex() for part in sealed.path]}
    yield b'{"schema":%s,\n"head":%s,\n"signature":%s,\n"party":%s,\n"place":%s,\n"items":[' % (
        ledger.canonical(proof.statement.SCHEMA),
        sealed.seal.head,
        ledger.canonical(signature(sealed.seal)),
        ledger.canonical(sealed.party),
        ledger.canonical(place),
    )
    between = b"\n"
    for row in items:
        told = ledger.canonical(item_told(row, merchant))
        # the leaf stands first, so that what is hashed can be seen behind it
        yield b'%s{"leaf":"%s",%s' % (between, merkle.leaf(told).hex().encode(), told[1:])
        between = b",\n"
    yield b"\n]}\n"


def supply(seal: Seal) -> dict[str, Any]:
    """What a window publishes of all points."""
    head = msgspec.json.decode(seal.head)
    return {"schema": proof.supply.SCHEMA, "head": head, "signature": signature(seal)}


def receipt(tx: Tx, book: Book, member: UUID) -> dict[str, Any] | None:
    """That a member's points are inside the newest supply; None when there is none yet, or the member had no points."""
    seal = seal_store.seal(tx, book.id)
    if seal is None:
        return None
    number = seal.window_number
    place = seal_store.place_of_member(tx, book.id, number, member)
    window = store.window(tx, book.id, number)
    if place is None or window is None:
        return None
    first = place - place % BLOCK
    near = seal_store.some_holdings(tx, book.id, number, first, BLOCK)
    leaves = [_leaf(window.id, holding) for holding in near]
    blocks = [_block(seal.blocks[at : at + _BLOCK_BYTES]) for at in range(0, len(seal.blocks), _BLOCK_BYTES)]
    path = merkle.path(leaves, place - first, sums.join) + merkle.path(blocks, place // BLOCK, sums.join)
    return {
        "schema": proof.supply.RECEIPT_SCHEMA,
        "head": seal.digest.hex(),
        "holding": opening(window.id, near[place - first]),
        "index": place,
        "path": [{"hash": part.hash.hex(), "sums": sums.told(part.sums)} for part in path],
    }


def _block(told: bytes) -> sums.Summed:
    values = [int.from_bytes(told[at : at + sums.WIDTH], "big") for at in range(32, _BLOCK_BYTES, sums.WIDTH)]
    return sums.Summed(told[:32], tuple(values))
