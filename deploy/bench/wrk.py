"""wrk as the load generator, where it is installed: it takes less of the machine than one in Python does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import ledger
from deploy.bench import served
from deploy.bench.network import Network, Shop
from deploy.bench.slot import Slot
from deploy.errors import Refusal

TIMEOUT_SECONDS: Final = 600

#: A sale a request, each with a reference and a key of its own: shops and members come from a file.
_SCRIPT: Final = """
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init(args)
  name, shops, members, n = args[1], {}, {}, 0
  for line in io.lines(args[2]) do
    local token, branch = line:match("(%S+) (%S+)")
    if token == "member" then members[#members + 1] = branch else shops[#shops + 1] = {token, branch} end
  end
  math.randomseed(id + 1)
end
function request()
  n = n + 1
  local shop = shops[math.random(#shops)]
  local reference = name .. "-" .. id .. "-" .. n
  local first, second = 100 * math.random(5, 50), 100 * math.random(5, 50)
  local body = '{"branch":"' .. shop[2] .. '","external_reference":"' .. reference .. '","total":{"amount":'
    .. first + second .. ',"currency":"USD"},"member":"' .. members[math.random(#members)]
    .. '","lines":[{"amount":{"amount":' .. first .. ',"currency":"USD"},"category":"bakery"},{"amount":{"amount":'
    .. second .. ',"currency":"USD"},"category":"dairy"}],"payments":[{"type":"card","amount":{"amount":'
    .. first + second .. ',"currency":"USD"}}]}'
  return wrk.format("POST", nil, {["Authorization"] = "Bearer " .. shop[1], ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = "wrk-0000000000-" .. reference}, body)
end
function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.stdout:write(string.format('{"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
"""


def installed() -> bool:
    return shutil.which("wrk") is not None


class Wrk:
    """One sale a request at the house on `port`."""

    def __init__(self, place: Path, network: Network, keys: dict[Shop, str], name: str, port: int) -> None:
        self._place, self._name, self._port = place, name, port
        self._turn = 0
        self._script, self._facts = place / f"{name}.lua", place / f"{name}.txt"
        self._script.write_text(_SCRIPT)
        with self._facts.open("w") as file:
            file.writelines(f"{key} {ledger.ids.show('branch', shop.branch)}\n" for shop, key in keys.items())
            file.writelines(f"member {ledger.ids.show('member', member.id)}\n" for member in network.members)

    def work(self, seconds: float, connections: int) -> Slot:
        self._turn += 1
        threads = min(connections, max(1, (os.cpu_count() or 1) // 2))
        done = subprocess.run(
            [
                *("wrk", "-t", str(threads), "-c", str(connections), "-d", f"{max(1, round(seconds))}s"),
                *("--timeout", "30s", "-s", str(self._script), f"http://{served.HOST}:{self._port}/v1/sales"),
                *("--", f"{self._name}-{self._turn}", str(self._facts)),
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        told = done.stdout.rpartition("\n")[2]
        if done.returncode != 0 or not told.startswith("{"):
            raise Refusal(f"wrk failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        found = json.loads(told)
        answers = {"accepted": found["requests"] - found["failed"]}
        if found["failed"]:
            answers["failed"] = found["failed"]
        elapsed = found["microseconds"] / 1e6
        return Slot(found["requests"], elapsed, found["p50"] / 1000, found["p99"] / 1000, 0.0, answers)
