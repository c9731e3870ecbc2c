"""`./manex`: what it says and decides before there is a .venv. None is made here."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from deploy.home import TREE, manex_home


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("manex_script", str(TREE / "manex"))
    spec = importlib.util.spec_from_loader("manex_script", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no manexc beside it
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a lock and a .venv whose Python is this one."""
    (tmp_path / "requirements.lock").write_text("one==1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def stamp(script: ModuleType, tree: Path) -> None:
    wanted = script.wanted_stamp(str(tree), script.python_of(str(tree / ".venv")))
    (tree / ".venv" / script.STAMP).write_text(wanted + "\n")


def test_an_old_python_is_told_what_to_install(script: ModuleType) -> None:
    with pytest.raises(script.CannotStart, match=r"3\.11 or newer and this is 3\.9\. Install .*python3-pip"):
        script.newer_python((3, 9, 2), lambda _name: None)


def test_an_old_python_hands_over_to_a_newer_one(script: ModuleType) -> None:
    assert script.newer_python((3, 9, 2), {"python3.12": "/opt/python3.12"}.get) == "/opt/python3.12"


def test_a_python_new_enough_stays(script: ModuleType) -> None:
    assert script.newer_python((3, 11, 0), lambda _name: "/opt/python3.13") is None


def test_an_old_python_can_read_the_script() -> None:
    compile_for_38 = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 8))"
    subprocess.run([sys.executable, "-c", compile_for_38, TREE / "manex"], check=True)


def test_a_stamped_venv_is_ready(script: ModuleType, tree: Path) -> None:
    stamp(script, tree)
    assert script.is_ready(str(tree), str(tree / ".venv"))


def test_a_half_made_venv_is_not_ready(script: ModuleType, tree: Path) -> None:
    assert not script.is_ready(str(tree), str(tree / ".venv"))


def test_another_lock_makes_a_venv_stale(script: ModuleType, tree: Path) -> None:
    stamp(script, tree)
    (tree / "requirements.lock").write_text("one==2\n")
    assert not script.is_ready(str(tree), str(tree / ".venv"))


def test_a_venv_whose_python_is_gone_is_not_ready(script: ModuleType, tree: Path) -> None:
    stamp(script, tree)
    python = tree / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(tree / "gone")
    assert not script.is_ready(str(tree), str(tree / ".venv"))


def test_a_ready_venv_under_the_home_serves_a_tree_that_cannot_be_written(
    script: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home = tree / "home"
    _, second = script.candidates(str(tree), str(own_home))
    own_home.mkdir()
    (tree / ".venv").rename(second)
    (Path(second) / script.STAMP).write_text(script.wanted_stamp(str(tree), script.python_of(second)))
    monkeypatch.setattr(script, "make", lambda *_: pytest.fail("it was ready"))
    assert script.ready_venv(str(tree), str(own_home)) == second


def test_nowhere_to_write_is_said(script: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "can_make", lambda _venv: False)
    with pytest.raises(script.CannotStart, match="MANEX_HOME"):
        script.ready_venv(str(tree), str(tree / "home"))


def test_a_missing_pip_is_found_missing(script: ModuleType, tmp_path: Path) -> None:
    without = tmp_path / "python"
    without.write_text("#!/bin/sh\nexit 1\n")
    without.chmod(0o755)
    assert script.find_pip([str(without)]) is None


@pytest.mark.parametrize(("version", "good"), [("22.2.2", False), ("22.3", True), ("23.0.1", True)])
def test_a_pip_must_know_another_python(script: ModuleType, tmp_path: Path, version: str, good: bool) -> None:
    with_pip = tmp_path / "python"
    with_pip.write_text(f"#!/bin/sh\necho 'pip {version} from /x (python 3.11)'\n")
    with_pip.chmod(0o755)
    assert script.find_pip([str(with_pip)]) == (str(with_pip) if good else None)


@pytest.mark.parametrize(
    "environ",
    [{"MANEX_HOME": "/srv/manex"}, {"XDG_DATA_HOME": "/srv/data"}, {}],
    ids=["own", "xdg", "none"],
)
def test_script_and_package_agree_on_the_home(
    script: ModuleType, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MANEX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert script.home(os.environ, sys.platform) == str(manex_home())


def test_the_lock_is_hashed_and_names_no_address() -> None:
    lock = (TREE / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    entries = [entry for entry in lock.split("\n") if entry[:1].isalnum()]
    assert entries
    assert all("==" in entry and entry.endswith("\\") for entry in entries)


def test_it_runs_from_any_directory(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "__main__.py").write_text("raise SystemExit('shadowed')")
    done = subprocess.run([TREE / "manex", "--help"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.startswith("Usage: manex")
