"""The audit while others write, of one book among several, and as the command a person runs."""

import itertools
import json
import threading
from collections.abc import Callable

import psycopg
import pytest
import typer
from typer.testing import CliRunner

import ledger.audit
import settlement.audit
from deploy.commands.audit import audit
from deploy.house import House
from tests.audit.story import window
from tests.world import SPEND_KEY, World

CHECKS = [*ledger.audit.CHECKS, *settlement.audit.CHECKS]


@pytest.mark.row("A15")
def test_it_runs_while_two_processes_write(world: World) -> None:
    world.shop("cafe", mode="deferred", purchase_fee_ppm=7_001, redemption_fee_ppm=9_001)
    world.shop("books", mode="prefunded", bought=100_000)
    for name in ("ann", "bob"):
        world.member(name)
        world.earn(name, at="cafe", points=1_000)
        world.earn(name, at="books", points=1_000)
    other = House.open(world.url, SPEND_KEY)
    stop = threading.Event()
    posted: list[int] = []

    def write(house: House, member: str, at: str) -> None:
        while not stop.is_set():
            requests = [world.request("sale", world.sale_of(member, at, 300)) for _ in range(5)]
            redemption = world.redemption_of(member, at, 3, capture=len(posted) % 3 > 0)
            house.committer.post_all([*requests, world.request("redemption", redemption)])
            house.drain(world.book_id)
            posted.append(len(requests))

    def settle() -> None:
        for number in itertools.count(1):
            if stop.is_set():
                return
            window(world, number)

    writers = [
        threading.Thread(target=settle),
        threading.Thread(target=write, args=(world.house, "ann", "books")),
        threading.Thread(target=write, args=(other, "bob", "cafe")),
        threading.Thread(target=write, args=(other, "ann", "cafe")),
    ]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            before = len(posted)
            assert [f for f in ledger.audit.run(world.url, CHECKS).findings if not f.ok] == []
            while len(posted) == before:
                assert all(writer.is_alive() for writer in writers)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
        other.close()


def test_one_book_is_proved_without_the_others(copy: Callable[[], str]) -> None:
    url = copy()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into ledger.book (public_id, network, mode, currency, exponent, shown_as, face_value_minor,"
            " points_life_days, time_zone, window_schedule, operator_id, created_at)"
            " select gen_random_uuid(), 'other', mode, currency, exponent, shown_as, face_value_minor, points_life_days,"
            " time_zone, window_schedule, gen_random_uuid(), created_at from ledger.book"
        )
        conn.execute("insert into ledger.head select max(id), 7, sha256('') from ledger.book")
        [(spoiled,)] = conn.execute("select max(public_id::text)::uuid from ledger.book where network = 'other'")
    assert ledger.audit.run(url, CHECKS, book=1).clean
    broken = {f.name for f in ledger.audit.run(url, CHECKS, book=spoiled).findings if not f.ok}
    assert broken == {"sequence_gap_free", "hash_chain"}
    with pytest.raises(ledger.errors.BookNotFound):
        ledger.audit.run(url, CHECKS, book=3)


def command(url: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setenv("MANEX_DATABASE_URL", url)
    app = typer.Typer()
    app.command()(audit)
    result = CliRunner().invoke(app, ["--database", str(psycopg.conninfo.conninfo_to_dict(url)["dbname"]), *words])
    return result.exit_code, result.stdout


@pytest.mark.row("A15")
def test_the_command_says_clean(honest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = command(honest, monkeypatch=monkeypatch)
    assert code == 0
    assert "hash_chain" in said
    assert "\nclean, " in said


@pytest.mark.row("A15")
def test_the_command_names_the_rows_and_fails(copy: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = copy()
    with psycopg.connect(url) as conn:
        [(lot,)] = conn.execute("update ledger.lot set remaining = remaining + 1 where points = 70 returning id")
    code, said = command(url, monkeypatch=monkeypatch)
    assert code == 1
    assert f"lot {lot}" in said
    code, said = command(url, "--json", monkeypatch=monkeypatch)
    assert code == 1
    told = json.loads(said)
    assert told["verdict"] == "broken"
    (check,) = [c for c in told["checks"] if c["name"] == "lots_derived"]
    assert check["ok"] is False
    assert check["offending"][0]["lot"] == str(lot)
    assert {"name", "proves", "ok", "rows", "seconds", "offending"} == check.keys()
