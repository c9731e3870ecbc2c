"""`manex simulate programme` on a real house's database, by the commands of docs/programme.md."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.commands.simulate import of_programme
from deploy.errors import Refusal
from deploy.home import TREE
from tests.stories.test_drill import everything
from tests.world import World

PAGE = (TREE / "docs" / "programme.md").read_text()
COMMANDS = re.findall(r"^    \./manex (simulate programme .*)$", PAGE, re.MULTILINE)
(RULES,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def manex(url: str, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy", *words],
        cwd=place,
        env={
            **os.environ,
            "PYTHONPATH": str(TREE),
            "MANEX_HOME": str(place / "home"),
            "MANEX_DATABASE_URL": url,
            "NO_COLOR": "1",
            "COLUMNS": "160",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def town(own_database_url: str) -> str:
    world = World(own_database_url)
    for shop in ("cafe", "gym"):
        world.shop(shop)
    for person in ("ann", "bob"):
        world.member(person)
        world.sale(person, "cafe", 1_000_000)
    world.sale("ann", "gym", 40_000)
    world.redeem("ann", "gym", 5_000)
    world.close()
    return own_database_url


@pytest.mark.row("C10")
def test_the_commands_of_the_page(town: str, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(RULES)
    before = everything(town)
    assert len(COMMANDS) == 3
    table, drawn, document = (manex(town, tmp_path, *shlex.split(command)) for command in COMMANDS)
    assert everything(town) == before
    assert (table.returncode, drawn.returncode, document.returncode) == (0, 0, 0), table.stderr + drawn.stderr
    assert "does not know" in table.stdout
    told = json.loads(document.stdout)
    assert [row["name"] for row in told["merchants"]] == ["cafe", "gym"]
    cafe, gym = told["merchants"]
    assert [cafe[side]["points"] for side in ("before", "after")] == [20_000, 200]
    assert [gym[side]["points"] for side in ("before", "after")] == [400, 2]
    # what expires first goes first: both came the same day, so all that the gym itself gave may be among it
    elsewhere = cafe["before"]["spent_elsewhere_points"]
    assert 4_600 <= elsewhere <= 5_000
    assert gym["before"]["net_minor"] == elsewhere == -cafe["before"]["net_minor"]
    assert gym["after"]["net_minor"] == 100 * elsewhere // 10_000
    words = " ".join(ElementTree.fromstring((tmp_path / "new.svg").read_text()).itertext())  # noqa: S314 - our own
    assert "20,000" in words


def asked(place: Path, rules: str, data: Path | None = None, svg: Path | None = None) -> None:
    (place / "new.yaml").write_text(rules)
    of_programme(
        place / "new.yaml", merchant=None, days=30, book=None, as_json=False, svg=svg, data=data, database=None
    )


def test_what_cannot_be_done_is_said(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANEX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MANEX_DATABASE_URL", database_url)
    with pytest.raises(Refusal, match="cafe: /points would give back more than the whole price"):
        asked(tmp_path, "cafe: {points: 2, per: 1}")
    good = "cafe: {points: 1, per: 100}"
    with pytest.raises(Refusal, match="no books here yet"):
        asked(tmp_path, good)
    with pytest.raises(Refusal, match="MANEX_DATABASE_URL says another"):
        asked(tmp_path, good, data=tmp_path)
    monkeypatch.delenv("MANEX_DATABASE_URL")
    with pytest.raises(Refusal, match="there is no house at"):
        asked(tmp_path, good, data=tmp_path)
    assert not (tmp_path / "postgres").exists()
