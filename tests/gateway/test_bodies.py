"""Reading bodies: pure."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import bodies
from gateway.problems import Problem

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(TREES, st.booleans())
def test_whatever_is_json_is_read_as_it_is(tree: Any, ascii_only: bool) -> None:
    assert bodies.parsed(json.dumps(tree, ensure_ascii=ascii_only).encode()) == tree


@given(st.dictionaries(TEXT, TREES, min_size=1, max_size=4), st.data())
def test_a_name_given_twice_is_always_seen(tree: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(tree)))
    again = json.dumps({name: data.draw(TREES)}, ensure_ascii=data.draw(st.booleans()))
    doubled = json.dumps(tree, ensure_ascii=data.draw(st.booleans()))[:-1] + "," + again[1:]
    with pytest.raises(Problem) as refused:
        bodies.parsed(doubled.encode())
    assert refused.value.code == "malformed_request"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    a_b: int


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    list: list[Inner]
    names: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("tree", "code", "pointer"),
    [
        ({"list": [{"a_b": 1}, {"a_b": "x"}]}, "validation_failed", "/list/1/a_b"),
        ({"list": [{"a_b": 1, "c/d~": 1}]}, "unknown_field", "/list/0/c~1d~0"),
        ({"list": [{}]}, "validation_failed", "/list/0/a_b"),
        ({"list": [], "names": {"x": {"a_b": None}}}, "validation_failed", "/names"),
        ([], "validation_failed", ""),
        ({"list": [], "x" * 1000: 1}, "unknown_field", "/" + "x" * 100),
    ],
)
def test_what_is_wrong_is_pointed_at(tree: Any, code: str, pointer: str) -> None:
    with pytest.raises(Problem) as refused:
        bodies.checked(tree, Outer)
    assert (refused.value.code, refused.value.pointer) == (code, pointer)
