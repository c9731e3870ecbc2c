"""The trees by property, against a second implementation as the RFC writes it; JSON that has one reading only."""

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

import ledger
from settlement import proof
from settlement.proof import merkle, reading, sums

leaves = st.lists(st.binary(max_size=40), min_size=1, max_size=70)
amounts = st.tuples(*[st.integers(0, 2**60)] * len(sums.NAMES))


def mth(data: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\0" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return hashlib.sha256(b"\1" + mth(data[:k]) + mth(data[k:])).digest()


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_a_folded_root_is_the_rfcs(data: list[bytes]) -> None:
    tree: merkle.Folding[bytes] = merkle.Folding(merkle.node)
    for each in data:
        tree.add(merkle.leaf(each))
    assert tree.root(merkle.EMPTY) == mth(data)
    assert tree.count == len(data)
    assert len(tree._parts) == len(data).bit_count(), "what is kept grows with the logarithm"


@given(leaves, st.data())
def test_a_path_leads_to_the_root_from_its_own_place_only(data: list[bytes], draw: st.DataObject) -> None:
    hashes = [merkle.leaf(each) for each in data]
    index = draw.draw(st.integers(0, len(hashes) - 1))
    path = merkle.path(hashes, index, merkle.node)
    size, root = len(hashes), mth(data)
    assert merkle.climbed(hashes[index], index, size, path, merkle.node) == root
    for other in {*range(-1, size + 2)} - {index}:
        if not 0 <= other < size or hashes[other] != hashes[index]:
            assert merkle.climbed(hashes[index], other, size, path, merkle.node) != root
    assert merkle.climbed(merkle.leaf(data[index] + b"x"), index, size, path, merkle.node) != root
    assert merkle.climbed(hashes[index], index, size, [*path, root], merkle.node) != root
    if path:
        assert merkle.climbed(hashes[index], index, size, path[:-1], merkle.node) != root


@given(st.lists(st.tuples(st.binary(max_size=20), amounts), min_size=1, max_size=70), st.data())
def test_a_sum_tree_carries_every_sum(found: list[tuple[bytes, sums.Sums]], draw: st.DataObject) -> None:
    nodes = [sums.Summed(merkle.leaf(name), told) for name, told in found]
    root = merkle.folded(nodes, sums.join)
    assert root.sums == tuple(map(sum, zip(*(told for _, told in found), strict=True)))
    index = draw.draw(st.integers(0, len(nodes) - 1))
    path = merkle.path(nodes, index, sums.join)
    assert merkle.climbed(nodes[index], index, len(nodes), path, sums.join) == root
    more = nodes[index]._replace(sums=(nodes[index].sums[0] + 1, *nodes[index].sums[1:]))
    risen = merkle.climbed(more, index, len(nodes), path, sums.join)
    assert risen != root


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=300), st.integers(0, 5), st.data())
def test_blocks_meet_in_the_tree_of_all(data: list[bytes], power: int, draw: st.DataObject) -> None:
    """What a receipt is made from: one block of leaves, and the roots of all blocks."""
    hashes, size = [merkle.leaf(each) for each in data], 1 << power
    blocks = [merkle.folded(hashes[at : at + size], merkle.node) for at in range(0, len(hashes), size)]
    index = draw.draw(st.integers(0, len(hashes) - 1))
    first = index - index % size
    path = merkle.path(hashes[first : first + size], index - first, merkle.node)
    path += merkle.path(blocks, index // size, merkle.node)
    assert path == merkle.path(hashes, index, merkle.node)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_", max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_the_canonical_form_is_one(value: Any) -> None:
    """The verifier's, the ledger's and the reference's."""
    assert proof.canonical(value) == rfc8785.dumps(value) == ledger.canonical(value)
    if reading.canonical(value).count(b"[") < 5:
        assert proof.read(json.dumps(value).encode()) == value


HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "a key twice": b'{"a": 1, "b": {"c": 1, "c": 2}}',
    "a fraction": b'{"a": 1.0}',
    "an exponent": b'{"a": 1e3}',
    "no number": b'{"a": NaN}',
    "minus nothing": b'{"a": -0}',
    "2^53": b'{"a": 9007199254740992}',
    "ten thousand digits": b"[" + b"9" * 10_000 + b"]",
    "depth": b"[" * 100_000 + b"]" * 100_000,
    "some depth": b"[" * 20 + b"]" * 20,
    "nothing but brackets": b"[" + b"[]," * 1_000_000 + b"[]]",
    "nothing but commas": b"[" + b"0," * 1_000_000 + b"0]",
    "no UTF-8": b'"\xff"',
    "another encoding": '{"a": 1}'.encode("utf-16"),
    "a mark before it": b'\xef\xbb\xbf{"a": 1}',
    "two documents": b"{} {}",
}


def test_a_file_says_nothing_to_a_terminal() -> None:
    evil = "\x1b[2J\u202e\nHOLDS"
    for verdict in (proof.Verdict(0, None, (evil,)), proof.Verdict(1, evil)):
        assert all(line.isprintable() for line in verdict.lines())
        assert "\nHOLDS" not in "\n".join(verdict.lines())[1:]


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_has_no_one_reading_is_refused(raw: bytes) -> None:
    with pytest.raises(proof.Malformed):
        proof.read(raw)


def test_half_a_character_is_refused_where_it_would_be_hashed() -> None:
    with pytest.raises(proof.Malformed):
        proof.canonical(proof.read(b'"\\ud800"'))


def test_what_is_larger_than_asked_for_is_refused() -> None:
    with pytest.raises(proof.Malformed):
        proof.read(b"[1, 2, 3]", largest=5)
