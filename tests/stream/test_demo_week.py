"""A week of the demo's real baskets goes over a broker, and gives byte for byte what the direct road gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import ledger
import settlement
from deploy import postgres
from deploy.commands.audit import DEMO
from deploy.home import TREE
from tests.kafka_broker import KafkaBroker


def manex(home: Path, *words: str, **more: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", *words, "--json"],
        env={**os.environ, "MANEX_HOME": str(home), "PYTHONPATH": str(TREE), **more},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")
def test_both_roads_give_the_same_bytes_for_a_week_of_the_demo(tmp_path: Path, kafka: KafkaBroker) -> None:
    home = tmp_path / "home"
    # a day more, so that the week's window is closed, netted and settled
    manex(home, "demo", "--port", "0", "--no-serve", "--fresh", "--days", "8")
    with postgres.running(home) as server:
        url = server.dsn(DEMO)
        relay = ledger.relay.Relay(url, kafka.address, settlement.offset)
        stopping = threading.Event()
        thread = threading.Thread(target=relay.run, args=[stopping])
        db = ledger.Database(url, largest_pool=2)
        try:
            with db.tx("door") as tx:
                (book,) = ledger.books.all_books(tx)
                end = ledger.stream.end(tx, book.id)
            settlement.drain(db, book.id)
            began = time.monotonic()
            thread.start()
            while relay.published < end - 1:
                assert time.monotonic() - began < 120
                time.sleep(0.05)
            published = time.monotonic() - began
            found = settlement.check(db, book.id, kafka.address)
            print(
                f"{end - 1} events, published in {published:.1f} s, derived in {time.monotonic() - began - published:.1f} s"
            )
            assert (found.events, found.from_ledger, found.differing) == (end - 1, 0, [])
            assert found.events > 3_000
            assert settlement.check(db, book.id).differing == []
            # and as anybody runs it, with the server that is running
            more = {"MANEX_KAFKA_URL": kafka.url}
            told = manex(home, "settlement", "rebuild", "--check", "--kafka", "--database", DEMO, **more)
            assert told["same"] is True
            assert [(each["events"], each["from_ledger"]) for each in told["books"]] == [(end - 1, 0)]
            # by the one command that does all of it; the topic is there, and nothing is published twice
            told = manex(home, "settlement", "compare", "--database", DEMO, **more)
            assert (told["same"], told["broker"]) == (True, "the configured Kafka")
            assert [(each["events"], each["from_ledger"]) for each in told["books"]] == [(end - 1, 0)]
        finally:
            stopping.set()
            thread.join(30)
            db.close()
