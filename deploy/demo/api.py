"""The API server as the demo runs it: `python -m deploy.demo.api PARENT HOST PORT CODES`, the database in MANEX_SERVE_URL.

CODES is a pipe to the demo, which shows on its terminal what is said to telephones once people are served.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Final

WATCH_SECONDS: Final = 0.25


def watch(parent: int) -> None:
    """End this process once its parent is gone, on any system and however early that happened.

    At once, not in order: nobody waits for an answer, and the next demo must find the database to itself.
    """
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def main() -> None:
    parent, host, port, codes = sys.argv[1:]
    pipe = int(codes)
    os.set_blocking(pipe, False)  # a demo that does not read keeps nobody waiting

    def say(text: str) -> None:
        os.write(pipe, text.replace("\n", " ").encode() + b"\n")

    threading.Thread(target=watch, args=[int(parent)], name="watch", daemon=True).start()
    # after the watch began: this takes a second, in which the parent may be killed
    from deploy import asgi
    from gateway.server import Settings

    # half a million requests a year: no line of the log for each
    asgi.serve(
        os.environ["MANEX_SERVE_URL"],
        host,
        int(port),
        settings=Settings(access_log=False),
        say=say,
    )


if __name__ == "__main__":
    main()
