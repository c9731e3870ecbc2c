"""Files that pages stand on: read once, named by a version that changes with any of them, kept by browsers for ever."""

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    body: bytes
    packed: bytes
    media_type: str


class Assets:
    """The files of the folders' `static`, those of a later folder before those of an earlier one of the same name."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.files: dict[str, Asset] = {}
        for folder in folders:
            for path in sorted((folder / "static").iterdir()):
                if path.suffix in TYPES:
                    body = path.read_bytes()
                    self.files[path.name] = Asset(body, gzip.compress(body, mtime=0), TYPES[path.suffix])
        every = b"\0".join(name.encode() + b"\0" + asset.body for name, asset in sorted(self.files.items()))
        self.version: Final = hashlib.sha256(every).hexdigest()[:12]
