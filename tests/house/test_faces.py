"""Packages meet at their faces: what another package may import is what a package's __init__ hands out."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ledger", "merchants", "settlement", "gateway", "wallet_app")

#: Beyond the faces: tables, which the migrations gather, the proofs and assembly that only the top floor puts together, and
#: the API's own table, from which a rehearsal makes its calls.
OPEN_TO_DEPLOY = {
    "schema",
    "audit",
    "app",
    "server",
    "log",
    "limits",
    "metrics",
    "neighbours",
    "operation",
    "operator_keys",
    "proofs",
    "streams",
    "table",
    "tokens",
    "wallets",
}


def imports(path: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append((node.lineno, node.module))
    return found


def is_face(module: str, importer: str) -> bool:
    package, *rooms = module.split(".")
    if not rooms or package == importer:
        return True
    if package == "merchants" and len(rooms) == 1:
        return True  # a room is a face of its own
    *above, last = module.split(".")
    if last in OPEN_TO_DEPLOY and (importer == "deploy" or last == "audit"):
        return True
    return last in getattr(importlib.import_module(".".join(above)), "__all__", ())


@pytest.mark.parametrize("package", [*PACKAGES, "deploy"])
def test_a_package_imports_others_by_their_faces(package: str) -> None:
    strays = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, module in imports(path)
        if module.split(".")[0] in PACKAGES and not is_face(module, package)
    ]
    assert strays == []
