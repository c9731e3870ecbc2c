"""What the demo writes down so that a killed run can be taken up."""

import stat
from pathlib import Path

import pytest

from deploy.demo import state
from deploy.demo.plan import Plan
from deploy.demo.state import Buy, Decisions, Device, Files, Gift, Joined, Journal, Redeem
from deploy.errors import Refusal

PLAN = Plan(shop_of_store={7: 0}, most_points=[{0: 10}], credit_lines=[0], baskets_by_day=[3, 5])
FIRST = Decisions(
    1, [Joined(4, "123")], [Device(4, "ABC")], [Buy(0, 10_000, 1_000)], [Redeem(99, 250)], [Gift(98, 4, 5, 100)]
)


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    files = Files(tmp_path / "demo")
    begun = state.State(state.VERSION, seed=3, days=None, plan=PLAN, branches={7: "brn_7"})
    files.write(begun)
    assert files.read() == begun
    assert stat.S_IMODE(files.state.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


def test_nothing_was_begun_yet(tmp_path: Path) -> None:
    assert Files(tmp_path / "demo").read() is None


@pytest.mark.parametrize("text", [b"", b"{}", b'{"version": 0, "seed": 1}', b"\xff"])
def test_a_state_of_another_version_is_refused(tmp_path: Path, text: bytes) -> None:
    files = Files(tmp_path / "demo")
    files.state.write_bytes(text)
    with pytest.raises(Refusal, match="--fresh"):
        files.read()


def test_the_journal_gives_back_what_was_added(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.read() == []
    journal.add(FIRST)
    journal.add(Decisions(2))
    assert journal.read() == [FIRST, Decisions(2)]
    journal.close()


@pytest.mark.parametrize("torn", [b"{", b'{"hour":2,"joined":[[5,"1', b'{"hour":2}'])
def test_a_line_cut_short_by_a_kill_is_as_if_never_written(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.add(FIRST)
    journal.close()
    with path.open("ab") as file:
        file.write(torn)
    again = Journal(path)
    assert again.read() == [FIRST]
    again.add(Decisions(2))
    assert again.read() == [FIRST, Decisions(2)]
    again.close()


def test_a_plan_counts_baskets_by_day() -> None:
    assert [PLAN.baskets(days) for days in (1, 2, 365, None)] == [3, 5, 5, 5]
