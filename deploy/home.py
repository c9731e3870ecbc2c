"""Where things are: the tree Manex runs from, and what is its own on this machine (database, log, locks)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy import config

TREE = Path(__file__).resolve().parent.parent


def manex_home() -> Path:
    """MANEX_HOME, else the user's data directory. Absolute, perhaps not yet there. `./manex` agrees."""
    chosen = config.text("MANEX_HOME")
    if chosen:
        return Path(chosen).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "manex"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "manex"
