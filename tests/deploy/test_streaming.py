"""`manex up` with Kafka: a relay and a consumer beside the gateways, supervised, measured, and no condition of serving."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.home import TREE
from deploy.soak.house import House, Line, idempotency_key
from tests.kafka_broker import KafkaBroker
from tests.stream.conftest import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loaded macOS runner takes minutes")


@pytest.fixture
def kafka() -> Iterator[KafkaBroker]:
    made = KafkaBroker()
    made.start()
    yield made
    made.close()


def metrics(house: House) -> dict[str, float]:
    token = (house.home / "keys" / "metrics.token").read_text().strip()
    line = Line(house.port)
    lines = line.send("GET", "/metrics", None, token).body.decode().splitlines()
    line.close()
    return {line.rsplit(" ", 1)[0].split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"}


def dies_and_comes_back(house: House, part: str) -> None:
    first = house.beside(part)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: house.beside(part) != first, f"no other {part}")


@pytest.mark.timeout(180)
def test_up_publishes_and_consumes_and_starts_again_what_dies(tmp_path: Path, kafka: KafkaBroker) -> None:
    with House(tmp_path / "home", 1, {"MANEX_KAFKA_URL": kafka.url}) as house:
        shops, members = house.found(1)
        until(lambda: metrics(house).get("manex_relay_published_total", 0) > 0, "nothing was published", 40)
        until(lambda: metrics(house)["manex_settlement_lag_records"] == 0, "nothing was consumed", 40)
        for part in ("relay", "consumer"):
            dies_and_comes_back(house, part)
        kafka.kill()  # and nobody waits for the broker
        line = Line(house.port)
        body = f'{{"branch": "{shops[0].branch}", "external_reference": "1", "member": "{members[0].number}",'
        body += ' "total": {"amount": 500, "currency": "USD"}}'
        answer = line.send("POST", "/v1/sales", body.encode(), shops[0].key, Idempotency_Key=idempotency_key())
        line.close()
        assert answer.status == 200
        until(lambda: metrics(house)["manex_relay_lag_records"] > 0, "the lag is told")
        kafka.start()
        until(lambda: metrics(house)["manex_relay_lag_records"] == 0, "published again", 40)
        until(lambda: metrics(house)["manex_settlement_lag_records"] == 0, "consumed again", 40)
    assert "cut off" not in house.said()


@pytest.mark.timeout(180)
def test_relay_and_consumer_run_by_themselves_where_up_leaves_them(tmp_path: Path, kafka: KafkaBroker) -> None:
    told = {"MANEX_KAFKA_URL": kafka.url, "MANEX_KAFKA_PROCESSES": "off"}
    with House(tmp_path / "home", 1, told) as house:
        house.found(1)
        assert house.beside("relay") is None
        started = [command(house, kafka, part) for part in ("relay", "relay", "consume")]
        try:
            until(lambda: metrics(house).get("manex_relay_lag_records") == 0, "nothing was published", 60)
            until(lambda: metrics(house)["manex_settlement_lag_records"] == 0, "nothing was consumed", 60)
        finally:
            for process in started:
                process.terminate()
        assert [process.wait(30) for process in started] == [0, 0, 0]


def command(house: House, kafka: KafkaBroker, part: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy", "stream", part],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("MANEX_")},
            "PYTHONPATH": str(TREE),
            "MANEX_HOME": str(house.home),
            "MANEX_KAFKA_URL": kafka.url,
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_without_kafka_the_commands_say_what_to_set(tmp_path: Path) -> None:
    for words in (["stream", "relay"], ["settlement", "rebuild", "--check", "--kafka"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "deploy", *words],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("MANEX_")},
                "PYTHONPATH": str(TREE),
                "MANEX_HOME": str(tmp_path / "home"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "set MANEX_KAFKA_URL" in done.stderr
