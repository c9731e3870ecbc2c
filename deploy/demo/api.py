"""The API server as the demo runs it: `python -m deploy.demo.api HOST PORT`, the database in MANEX_SERVE_URL."""

import os
import sys

from deploy import asgi
from gateway.server import Settings

if __name__ == "__main__":
    host, port = sys.argv[1:]
    # half a million requests a year: no line of the log for each
    asgi.serve(os.environ["MANEX_SERVE_URL"], host, int(port), settings=Settings(access_log=False))
