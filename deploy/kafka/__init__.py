"""Apache Kafka on this machine, for rehearsals: its published jars, fetched by plain Maven, one broker or three on loopback.

Nothing of a running house needs this: a house is told where its brokers are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from deploy.errors import Refusal
from deploy.home import TREE, manex_home

#: What is fetched, by its coordinates; where from is Maven's own business.
POM: Final = Path(__file__).with_name("pom.xml")
HOST: Final = "127.0.0.1"
FETCH_SECONDS: Final = 600.0
START_SECONDS: Final = 90.0


def missing() -> str | None:
    """What this machine lacks to run Apache Kafka; None when nothing."""
    lacking = [name for name in ("java", "mvn") if shutil.which(name) is None]
    return f"Apache Kafka needs {' and '.join(lacking)} on PATH" if lacking else None


def jars() -> Path:
    """The directory of the jars, fetched once; Refusal where they cannot be had."""
    place = manex_home() / "kafka" / "jars"
    if (place / ".whole").exists():
        return place
    if (why := missing()) is not None:
        raise Refusal(why)
    place.mkdir(parents=True, exist_ok=True)
    asked = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={place}"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=FETCH_SECONDS, cwd=place, check=False)
    except subprocess.TimeoutExpired:
        raise Refusal("Maven did not fetch Kafka's jars in time") from None
    if done.returncode:
        raise Refusal(f"Maven could not fetch Kafka's jars:\n{done.stdout[-2000:]}{done.stderr[-1000:]}")
    (place / ".whole").touch()
    return place


class Brokers:
    """One broker or three, each also a controller, their logs in a directory of their own. They end with this process."""

    def __init__(self, count: int, place: Path) -> None:
        self._jars = jars()
        self._place = place
        self._ports = [(_free_port(), _free_port()) for _ in range(count)]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * count
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # an id that begins with a dash would be taken for an option
        cluster = cluster.replace("-", "A")
        for number in range(count):
            self._properties(number).parent.mkdir(parents=True)
            self._properties(number).write_text(self._configured(number))
            self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties(number)))

    @property
    def url(self) -> str:
        return "kafka://" + ",".join(f"{HOST}:{port}" for port, _ in self._ports)

    @property
    def count(self) -> int:
        return len(self._ports)

    def __enter__(self) -> Self:
        try:
            for number in range(self.count):
                self.start(number)
            self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, number: int) -> None:
        with (self._place / f"broker-{number}.log").open("ab") as log:
            self._processes[number] = subprocess.Popen(
                [
                    # nobody is left behind when this process is killed
                    *(sys.executable, "-I", "-S", str(TREE / "deploy" / "postgres_launch.py"), str(os.getpid())),
                    *("self", str(os.getuid()), str(os.getgid()), shutil.which("java") or "java"),
                    *(
                        "-Xmx384m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        f"{self._jars}/*",
                        "kafka.Kafka",
                    ),
                    str(self._properties(number)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> None:
        """Return when every broker takes connections."""
        give_up = time.monotonic() + START_SECONDS
        for number, (port, _) in enumerate(self._ports):
            while True:
                with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
                    break
                process = self._processes[number]
                if process is None or process.poll() is not None or time.monotonic() > give_up:
                    raise Refusal(f"Kafka does not start:\n{self._said(number)}")
                time.sleep(0.1)

    def kill(self, number: int) -> None:
        """kill -9."""
        process = self._processes[number]
        if process is not None:
            process.kill()
            process.wait()
        self._processes[number] = None

    def stop(self) -> None:
        for process in self._processes:
            if process is not None:
                process.send_signal(signal.SIGKILL)  # what they hold is thrown away
                process.wait()

    def _said(self, number: int) -> str:
        with contextlib.suppress(OSError):
            text = (self._place / f"broker-{number}.log").read_text(errors="replace")
            return "\n".join(text.splitlines()[-15:])
        return ""

    def _properties(self, number: int) -> Path:
        return self._place / f"broker-{number}" / "server.properties"

    def _java(self, *arguments: str) -> None:
        done = subprocess.run(
            ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*", *arguments],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Refusal(f"Kafka cannot be set up:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")

    def _configured(self, number: int) -> str:
        port, controller = self._ports[number]
        voters = ",".join(f"{n + 1}@{HOST}:{c}" for n, (_, c) in enumerate(self._ports))
        several = self.count > 1
        told = {
            "process.roles": "broker,controller",
            "node.id": number + 1,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._place / f"broker-{number}" / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": self.count,
            "min.insync.replicas": 2 if several else 1,
            "offsets.topic.replication.factor": self.count,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": self.count,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "broker.session.timeout.ms": 6000,
        }
        return "".join(f"{name}={value}\n" for name, value in told.items())


@contextlib.contextmanager
def running(count: int) -> Iterator[Brokers]:
    """Brokers that keep nothing."""
    with tempfile.TemporaryDirectory(prefix="manex-kafka-") as place, Brokers(count, Path(place)) as brokers:
        yield brokers


def _free_port() -> int:
    with socket.socket() as plug:
        plug.bind((HOST, 0))
        return int(plug.getsockname()[1])


def main(arguments: Sequence[str]) -> None:
    """`python -m deploy.kafka [COUNT]`: brokers until Ctrl-C."""
    with running(int(arguments[0]) if arguments else 1) as brokers:
        print(f"MANEX_KAFKA_URL={brokers.url}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
