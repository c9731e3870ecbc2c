"""`manex features` reads the page and the tests as they are written, without running them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.commands.features import as_document, as_table
from deploy.features import Row, collect, marked, titles
from deploy.home import TREE

PAGE = """
| # | row | works when |
|---|---|---|
| A1 | Earn at any merchant | a sale posts points |
| A10 | Cashback | only at its own shop |
"""

MARKS = {
    "function": ('@pytest.mark.row("A1")\ndef test_it(): assert 1', [("A1", "t.py::test_it")]),
    "coroutine": ('@mark.row("A1")\nasync def test_it(): assert 1', [("A1", "t.py::test_it")]),
    "several": (
        '@pytest.mark.row("A1", "A10")\n@pytest.mark.row("A1")\ndef test_it(): assert 1',
        [("A1", "t.py::test_it"), ("A10", "t.py::test_it")],
    ),
    "class": (
        '@pytest.mark.row("A1")\nclass TestX:\n    def test_it(self): assert 1',
        [("A1", "t.py::TestX::test_it")],
    ),
    "module": ('pytestmark = pytest.mark.row("A1")\ndef test_it(): assert 1', [("A1", "t.py::test_it")]),
    "module list": (
        'pytestmark = [pytest.mark.timeout(9), pytest.mark.row("A1")]\ndef test_it(): assert 1',
        [("A1", "t.py::test_it")],
    ),
    "helper": ('@pytest.mark.row("A1")\ndef helper(): assert 1', []),
    "other mark": ('@pytest.mark.timeout("A1")\ndef test_it(): assert 1', []),
    "comment": ('# @pytest.mark.row("A1")\ndef test_it(): assert 1', []),
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_are_found_where_pytest_finds_them(name: str) -> None:
    source, expected = MARKS[name]
    assert list(marked(source, "t.py")) == expected


def test_a_page_is_read_row_by_row() -> None:
    assert titles(PAGE) == {"A1": "Earn at any merchant", "A10": "Cashback"}


def test_rows_and_stories_are_joined(tmp_path: Path) -> None:
    page = tmp_path / "features.md"
    page.write_text(PAGE)
    stories = tmp_path / "tests" / "stories"
    stories.mkdir(parents=True)
    (stories / "test_x.py").write_text('@pytest.mark.row("A1")\ndef test_y(): assert 1\n')
    (stories / "test_z.py").write_text('@pytest.mark.row("Z9")\ndef test_lost(): assert 1\n')
    found = collect(page, tmp_path / "tests", tmp_path)
    assert found.rows == (
        Row("A1", "Earn at any merchant", ("tests/stories/test_x.py::test_y",)),
        Row("A10", "Cashback", ()),
    )
    assert found.unknown == (("Z9", "tests/stories/test_z.py::test_lost"),)
    assert json.loads(as_document(found))["rows"][1] == {"row": "A10", "title": "Cashback", "stories": []}
    assert "absent" in as_table(found)


def test_every_mark_names_a_row_of_the_page() -> None:
    found = collect(TREE / "docs" / "features.md", TREE / "tests", TREE)
    assert len(found.rows) == 84
    assert found.unknown == ()
