"""Which tests tell the story of which row of docs/features.md. Reads files, imports none of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROW = re.compile(r"^\|\s*([A-Z]\d+)\s*\|\s*(.*?)\s*\|")


@dataclass(frozen=True)
class Row:
    """A row of the table and the node ids of its tests, in the order of their files."""

    name: str
    title: str
    stories: tuple[str, ...]


@dataclass(frozen=True)
class Features:
    """All rows in the page's order, and tests marked for a row that the page does not have."""

    rows: tuple[Row, ...]
    unknown: tuple[tuple[str, str], ...]


def titles(page: str) -> dict[str, str]:
    """The rows of a page and their titles."""
    found = (ROW.match(line) for line in page.splitlines())
    return {match[1]: match[2] for match in found if match}


def marked(source: str, path: str) -> Iterator[tuple[str, str]]:
    """(row, node id) of every test in a file, marked on itself, its class, or its module."""
    module = ast.parse(source, path)
    yield from _marked_in(module.body, (path,), _assigned(module.body))


def collect(page: Path, tests: Path, root: Path) -> Features:
    """Compare a page with a tree of tests. Node ids are relative to `root`."""
    known = titles(page.read_text(encoding="utf-8"))
    stories: dict[str, list[str]] = {name: [] for name in known}
    unknown: list[tuple[str, str]] = []
    for file in sorted(tests.rglob("test_*.py")):
        for row, node in marked(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix()):
            if row in stories:
                stories[row].append(node)
            else:
                unknown.append((row, node))
    return Features(tuple(Row(name, title, tuple(stories[name])) for name, title in known.items()), tuple(unknown))


def _marked_in(body: list[ast.stmt], path: tuple[str, ...], inherited: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            for row in dict.fromkeys((*inherited, *_decorated(node.decorator_list))):
                yield row, "::".join((*path, node.name))
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            rows = (*inherited, *_decorated(node.decorator_list), *_assigned(node.body))
            yield from _marked_in(node.body, (*path, node.name), rows)


def _decorated(decorators: list[ast.expr]) -> tuple[str, ...]:
    return tuple(row for decorator in decorators for row in _rows(decorator))


def _assigned(body: list[ast.stmt]) -> tuple[str, ...]:
    """The rows of `pytestmark = ...`, one mark or a list of them."""
    rows: list[str] = []
    for node in body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            marks = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            rows.extend(_decorated(marks))
    return tuple(rows)


def _rows(mark: ast.expr) -> tuple[str, ...]:
    """The names in `pytest.mark.row("A1", ...)`, else none."""
    if not isinstance(mark, ast.Call) or not ast.unparse(mark.func).endswith("mark.row"):
        return ()
    return tuple(word.value for word in mark.args if isinstance(word, ast.Constant) and isinstance(word.value, str))
