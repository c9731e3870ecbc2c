"""Secrets are compared in a time that tells nothing of them: by hmac.compare_digest, or not at all (looked up by hash)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Where credentials, codes, signatures and their hashes are handled.
MODULES = (
    "gateway/callers.py",
    "gateway/door.py",
    "gateway/neighbours.py",
    "gateway/operator_keys.py",
    "gateway/pages.py",
    "gateway/server.py",
    "gateway/jwk.py",
    "gateway/tokens.py",
    "gateway/vouchers.py",
    "gateway/api/membership.py",
    "gateway/sessions.py",
    "gateway/web/site.py",
    "gateway/web/visits.py",
    "wallet_app/joining.py",
    "merchants/contracts/keys.py",
    "merchants/offers/assigning.py",
    "merchants/people/occasions.py",
    "merchants/people/one_time_codes.py",
    "merchants/people/spend_codes.py",
    "merchants/people/store.py",
    "merchants/trade/consenting.py",
    "deploy/keys.py",
    "gateway/metrics_page.py",
    "gateway/api/hooks.py",
    "settlement/rails/by_stripe.py",
)

#: They hash or draw what is no secret: the name of a socket or of files, a segment's definition, an offer's draft, a member's
#: number, the lots of a rehearsal.
NOT_OF_SECRETS = {
    "deploy/measure/aa.py",
    "deploy/pages/matrix.py",
    "deploy/postgres.py",
    "deploy/soak/house.py",
    "gateway/web/assets.py",
    "merchants/insight/saved_store.py",
    "merchants/offers/design.py",
    "merchants/people/numbers.py",
}

_SECRET = re.compile(
    r"(^|_)(hash|hashes|digest|code|codes|secret|token|credential|mac|signature|plain|nonce|password)$"
)


def names(node: ast.AST) -> set[str]:
    """The names a compared expression ends in: `x.code_hash`, `code`, `_hash(...)`, `row["secret"]`."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.Call):
        # len(code) is told by whoever sent it
        return set() if isinstance(node.func, ast.Name) and node.func.id == "len" else names(node.func)
    if isinstance(node, ast.Subscript):
        key = node.slice
        return names(node.value) | (
            {key.value} if isinstance(key, ast.Constant) and isinstance(key.value, str) else set()
        )
    return set()


def compared(source: str) -> list[tuple[int, str]]:
    """(line, text) of every `==` and `!=` over what is called like a secret."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, node.comparators, strict=False):
            if not isinstance(operator, ast.Eq | ast.NotEq):
                continue
            if any(_SECRET.search(name.lstrip("_")) for side in (left, right) for name in names(side)):
                found.append((node.lineno, ast.unparse(node)))
    return found


@pytest.mark.parametrize("module", MODULES)
def test_no_secret_is_compared_letter_by_letter(module: str) -> None:
    found = [f"{module}:{line}: {text}" for line, text in compared((ROOT / module).read_text())]
    assert found == [], "compare with hmac.compare_digest, or look it up by its hash"


@pytest.mark.parametrize(
    "source",
    ["code == given", "row.code_hash != _hash(code)", "self._mac(of) == mac", "x['secret'] == y", "a == b.token"],
)
def test_what_would_be_found(source: str) -> None:
    assert compared(source)


def test_these_are_the_modules_that_handle_secrets() -> None:
    """Whoever begins to make or check one is named above."""
    handles = re.compile(r"^(import|from) (hmac|secrets|pyotp|jwt|hashlib)\b", re.MULTILINE)
    packages = ("gateway", "merchants", "wallet_app", "deploy")
    found = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        # a demo and a bench have nobody's secrets but those they make up
        if handles.search(path.read_text()) and not {"demo", "bench"} & set(path.parts)
    }
    assert found <= set(MODULES) | NOT_OF_SECRETS
