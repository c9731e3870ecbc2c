"""What a window publishes holds, to the last field, with no server: statements, the supply, members' receipts."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

import settlement
from deploy.keys import proof_key
from settlement import proof
from tests.settlement import proving
from tests.settlement.proving import receipt, seal, signed, supply, written
from tests.world import World

TRUSTED = {proving.SEALING.signer.x}


@pytest.fixture
def told(world: Any) -> Any:
    """Three shops, two windows, members with points of every funding."""
    world.shop("bakery", "prefunded", purchase_ppm=5_000, redemption_ppm=10_000)
    world.shop("cafe", "deferred", purchase_ppm=3_333, redemption_ppm=12_345)
    world.shop("gym", "deferred")
    world.shop("barber", "closed_loop")
    world.stock("bakery", 1_000)
    world.earn("ann", "bakery", 100, 9_999)
    world.earn("ann", "cafe", 70, 1_001)
    world.earn("bob", "barber", 30, 500)
    world.earn("bob", "bakery", 11, 0)
    world.earn(None, "cafe", 0, 4_000)
    world.redeem("ann", "gym", 120)
    world.redeem("ann", "cafe", 30)
    world.close()
    world.earn("eve", "bakery", 55, 1_234)
    world.redeem("bob", "cafe", 41)
    world.redeem("eve", "gym", 5)
    world.close(2)
    assert seal(world) == 2
    return world


def test_every_shops_statement_proves_itself(told: Any) -> None:
    for number in (1, 2):
        for shop, row in told.positions(number).items():
            if shop == "operator":
                continue
            document, position = signed(told, shop, number), row.position
            proof.statement.verify(document, TRUSTED)
            assert document["party"]["position_minor"] == position.position_minor
            assert len(document["items"]) == position.items


def test_no_field_of_a_statement_can_be_altered(told: Any) -> None:
    document = signed(told, "cafe")
    assert len(document["items"]) > 2
    stood = []
    for what, changed in proving.altered(document):
        try:
            proof.statement.verify(changed, TRUSTED)
        except (proof.Fault, proof.Malformed):
            continue
        stood.append(what)
    assert stood == []


@pytest.mark.row("G10")
def test_no_field_of_the_supply_or_a_receipt_can_be_altered(told: Any) -> None:
    document, own = supply(told), receipt(told, "eve")
    proof.supply.verify(document, TRUSTED)
    proof.supply.verify_receipt(own, document)
    stood = []
    for what, changed in proving.altered(document):
        try:
            proof.supply.verify(changed, TRUSTED)
        except (proof.Fault, proof.Malformed):
            continue
        stood.append(what)
    for what, changed in proving.altered(own):
        try:
            proof.supply.verify_receipt(changed, document)
        except (proof.Fault, proof.Malformed):
            continue
        stood.append(f"receipt {what}")
    assert stood == []


def test_a_forged_statement_names_the_first_item_that_does_not_hold(told: Any) -> None:
    document = signed(told, "cafe")
    document["items"][1]["fee_ppm"] += 1
    with pytest.raises(proof.Fault) as fault:
        proof.statement.verify(document, TRUSTED)
    assert fault.value.at == "/items/1"
    assert document["items"][1]["item"] in fault.value.why


def test_an_item_left_out_with_all_its_sums_is_missed_by_the_signed_leaf(told: Any) -> None:
    document = signed(told, "cafe")
    document["items"].pop()
    document["party"]["items"] -= 1
    with pytest.raises(proof.Fault):
        proof.statement.verify(document, TRUSTED)


def test_another_key_proves_nothing_to_who_trusts_ours(told: Any) -> None:
    other = proof.Signer(proof_key())
    document = signed(told, "cafe")
    document["signature"] = proof.window.signature(other, document["head"])
    proof.statement.verify(document)
    with pytest.raises(proof.Fault):
        proof.statement.verify(document, TRUSTED)


def test_windows_are_linked_and_so_are_carries(told: Any, tmp_path: Path) -> None:
    first, second = (written(tmp_path / f"{n}.json", signed(told, "cafe", n)) for n in (1, 2))
    linked = proof.verdict(second, before=first)
    assert linked.code == 0, linked.why
    assert "the fee's carry came in as it went out of the window before" in linked.proved
    assert proof.verdict(first, before=second).code == 1
    assert proof.verdict(second, before=written(tmp_path / "s.json", supply(told, 1))).code == 0


def test_a_seal_made_again_is_the_same_bytes(told: Any) -> None:
    tables = ("seal", "sealed_party", "sealed_holding")

    def rows() -> list[Any]:
        return [told.sql(f"select t::text from settlement.{table} t order by 1") for table in tables]

    before = rows()
    for table in tables:
        told.sql(f"delete from settlement.{table}")
    settlement.rebuild(told.db, told.book_id)
    assert seal(told) == 2
    assert rows() == before
    assert seal(told) == 0


@pytest.mark.row("G10")
def test_the_supply_is_of_the_close_and_of_no_moment_after_it(world: Any) -> None:
    world.shop("bakery", "prefunded")
    world.shop("cafe", "deferred")
    world.stock("bakery", 1_000)
    world.earn("ann", "bakery", 100)
    world.earn("bob", "cafe", 40)
    world.redeem("ann", "cafe", 30)
    world.close()
    world.earn("ann", "bakery", 500)
    world.redeem("bob", "bakery", 40)
    assert seal(world) == 1
    told = supply(world)["head"]["supply"]
    assert told["members"] == 2
    assert {n: int(v) for n, v in told["held"].items() if v != "0"} == {
        "prefunded_points": 70,
        "prefunded_minor": 7_000,
        "deferred_points": 40,
        "deferred_minor": 4_000,
    }
    assert (told["accepted"]["prefunded_points"], told["open"]["prefunded_points"]) == ("30", "100")
    assert receipt(world, "ann")["holding"]["sums"]["prefunded_points"] == "70"


def test_what_was_settled_before_the_close_is_no_longer_open(world: Any) -> None:
    world.shop("bakery", "prefunded")
    world.shop("cafe", "deferred")
    world.stock("bakery", 1_000)
    world.earn("ann", "bakery", 100)
    world.redeem("ann", "cafe", 30)
    world.fund(1)
    world.redeem("ann", "cafe", 10)
    world.close(2)
    assert seal(world) == 2
    assert supply(world, 1)["head"]["supply"]["accepted"]["prefunded_points"] == "30"
    assert supply(world, 2)["head"]["supply"]["accepted"]["prefunded_points"] == "10"


def test_a_member_without_points_has_no_receipt_and_a_leaf_tells_nothing(told: Any) -> None:
    told.member("nobody")
    assert receipt(told, "nobody") is None
    told.member("ann")
    one = receipt(told, "ann")["holding"]["salt"]
    assert told.sql("select count(*) from settlement.sealed_holding where window_number = 1") == [(0,)]
    told.earn("ann", "cafe", 1)
    told.close(3)
    seal(told)
    assert receipt(told, "ann")["holding"]["salt"] != one


def test_many_members_are_in_blocks_that_meet(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement.sealing, "BLOCK", 4)
    monkeypatch.setattr(settlement.sealing, "CHUNK", 3)
    world.shop("cafe", "deferred")
    names = [f"m{n}" for n in range(13)]
    for n, name in enumerate(names):
        world.earn(name, "cafe", n + 1)
    world.close()
    seal(world)
    document = supply(world)
    for name in names:
        proof.supply.verify_receipt(receipt(world, name), document)


def test_a_window_without_items_carries_what_was_left_over(told: Any, tmp_path: Path) -> None:
    told.close(3)
    assert seal(told) == 1
    carried = [shop for shop in told.positions(3) if shop != "operator"]
    assert "cafe" in carried
    for shop in carried:
        document = signed(told, shop, 3)
        assert (document["items"], document["party"]["items"]) == ([], 0)
        files = [written(tmp_path / f"{n}.json", signed(told, shop, n)) for n in (2, 3)]
        verdict = proof.verdict(files[1], before=files[0])
        assert verdict.code == 0, verdict.why
    told.close(4)
    assert seal(told) == 1
    proof.supply.verify(supply(told, 4), TRUSTED)


def test_a_book_of_nobody_is_sealed(world: Any) -> None:
    world.shop("cafe", "deferred")
    world.earn(None, "cafe", 0, 500)
    world.close()
    assert seal(world) == 1
    document = supply(world)
    proof.supply.verify(document, TRUSTED)
    assert document["head"]["supply"]["members"] == 0
    assert document["head"]["statements"] == {"parties": 0, "items": 0, "root": proof.merkle.EMPTY.hex()}


def test_two_that_seal_at_once_make_one_seal(told: Any) -> None:
    for n in (3, 4, 5):
        told.earn("ann", "cafe", 1)
        told.close(n)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: seal(told), range(4)))
    assert sum(done) == 3
    assert told.sql("select count(*) from settlement.seal") == [(5,)]


def test_a_key_that_signs_later_windows_leaves_the_older_ones_theirs(told: Any, tmp_path: Path) -> None:
    told.earn("ann", "cafe", 9)
    told.close(3)
    newer = settlement.Sealing(proof.Signer(proof_key()), proving.SEALING.salts)
    assert seal(told, newer) == 1
    both = {"keys": [proof.keys.jwk(s.signer.x) for s in (proving.SEALING, newer)]}
    keys = written(tmp_path / "keys.json", both)
    now, then = (written(tmp_path / f"{n}.json", supply(told, n)) for n in (3, 2))
    assert proof.verdict(now, key=keys, before=then).code == 0
    assert proof.verdict(now, key=written(tmp_path / "old.json", both["keys"][0])).code == 1


def test_the_verifier_needs_nothing_of_manex(told: Any, tmp_path: Path) -> None:
    """Taken out of the tree, on a path of its own, it proves the same file."""
    room = Path(proof.__file__).parent
    copytree(room, tmp_path / "proof", ignore=lambda *_: ["__pycache__"])
    file = written(tmp_path / "statement.json", signed(told, "cafe"))
    keys = written(tmp_path / "keys.json", proof.keys.jwk(proving.SEALING.signer.x))

    def run(*words: Any) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "proof", *map(str, words)], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    done = run(file, "--key", keys)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith("HOLDS")
    loaded = subprocess.run(
        [sys.executable, "-c", "import proof, sys; print(sorted(sys.modules))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert not {"ledger", "settlement", "psycopg", "msgspec"} & set(eval(loaded))  # noqa: S307 - our own words
    document = json.loads(file.read_text())
    document["party"]["position_minor"] += 1
    assert run(written(file, document)).returncode == 1
    file.write_text("{")
    assert run(file).returncode == 2
    assert run(tmp_path / "none.json").returncode == 2
    assert run().returncode == 2


def test_a_bought_out_issuers_points_are_told_as_they_were_at_the_close(database_url: str) -> None:
    """A buy-out after a close turns every lot, and changes nothing of what is published of that close."""
    coalition = World(database_url)
    try:
        coalition.shop("cafe", mode="deferred", line=900)
        coalition.member("ann")
        coalition.earn("ann", at="cafe", points=40)
        close = partial(settlement.windows.close, coalition.house.db, coalition.house.committer, coalition.book_id)
        close(number=1)
        coalition.topup("cafe", 500)
        coalition.buy_out("cafe")
        close(number=2)
        assert settlement.sealing.catch_up(coalition.house.db, coalition.book_id, proving.SEALING) == 2
        held = {}
        for number in (1, 2):
            with coalition.house.db.tx("door") as tx:
                found = settlement.seal(tx, coalition.book_id, number)
            assert found is not None
            sums = settlement.sealing.supply(found)["head"]["supply"]["held"]
            held[number] = {name: int(value) for name, value in sums.items() if value != "0"}
        assert held[1].keys() == {"deferred_points", "deferred_minor"}
        assert held[2].keys() == {"prefunded_points", "prefunded_minor"}
        assert held[1]["deferred_points"] == held[2]["prefunded_points"] == 40
    finally:
        coalition.close()
