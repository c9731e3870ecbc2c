"""What makes the pages an app: manifest, icons, the service worker, the page for when there is no network."""

from functools import cache
from pathlib import Path
from typing import Final

import anyio
import msgspec

from gateway.web import Raw, Shown, Visit, not_found
from wallet_app import icons

HERE: Final = Path(__file__).parent
_FRESH: Final = ((b"cache-control", b"no-cache"), (b"x-content-type-options", b"nosniff"))
_DAY: Final = ((b"cache-control", b"public, max-age=86400"), (b"x-content-type-options", b"nosniff"))

#: By the name in the address: pixels a side, and whether the picture fills the whole square (for round masks).
ICONS: Final = {"180": (180, True), "192": (192, False), "512": (512, False), "maskable": (512, True)}


async def offline(visit: Visit) -> Shown:  # noqa: ARG001 - every page is given its visit
    return Shown("offline.html")


async def manifest(visit: Visit) -> Raw:
    told = {
        "id": f"{visit.root}/",
        "name": visit.language.gettext("Manex wallet"),
        "short_name": visit.language.gettext("Wallet"),
        "lang": visit.language.code,
        "dir": visit.language.direction,
        "start_url": f"{visit.root}/",
        "scope": f"{visit.root}/",
        "display": "standalone",
        "background_color": "#f5f7f4",
        "theme_color": "#0d5c44",
        "icons": [
            {
                "src": f"{visit.root}/icon-{name}.png",
                "sizes": f"{pixels}x{pixels}",
                "type": "image/png",
                "purpose": "maskable" if whole else "any",
            }
            for name, (pixels, whole) in ICONS.items()
            if name != "180"
        ],
        "shortcuts": [{"name": visit.language.gettext("Card"), "url": f"{visit.root}/card"}],
    }
    return Raw(msgspec.json.encode(told), "application/manifest+json", _FRESH)


async def service_worker(visit: Visit) -> Raw:
    return Raw(_worker(visit.root, visit.version), "text/javascript; charset=utf-8", _FRESH)


@cache
def _worker(root: str, version: str) -> bytes:
    text = (HERE / "worker.js").read_text()
    return text.replace("{{root}}", root).replace("{{version}}", version).encode()


async def icon(visit: Visit) -> Raw:
    if (wanted := ICONS.get(visit.params["size"])) is None:
        raise not_found("icon")
    # beside the loop: drawn once in a process, and that takes a while
    return Raw(await anyio.to_thread.run_sync(_icon, *wanted), "image/png", _DAY)


@cache
def _icon(pixels: int, whole: bool) -> bytes:
    return icons.png(pixels, whole=whole)
