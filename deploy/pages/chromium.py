"""The Chromium of this machine. None is brought along."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from deploy.errors import Refusal

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Debian's, Fedora's, and Google's own.
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def wanted() -> str:
    """Where it is; a Refusal that says what to install."""
    if (path := found()) is None:
        raise Refusal("there is no Chromium on this machine: install one, such as by apt-get install chromium")
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        raise Refusal(
            "playwright, which drives Chromium, is not installed: it comes with the tests' packages"
        ) from None
    return path


@contextlib.contextmanager
def opened() -> Iterator[Browser]:
    """A browser without a window."""
    path = wanted()
    from playwright.sync_api import sync_playwright

    args = ["--disable-dev-shm-usage", "--disable-gpu"]
    if os.geteuid() == 0:
        # as root Chromium's own sandbox cannot be made
        args.append("--no-sandbox")
    with sync_playwright() as playing:
        made = playing.chromium.launch(executable_path=path, args=args)
        try:
            yield made
        finally:
            made.close()
