"""Every record that a test posted, held against what its kind declares for the stream."""

import msgspec

from deploy.events import FACTS
from tests.world import World


def faults(world: World) -> set[str]:
    """What records hold that their kind does not declare, or the other way round."""
    found = set()
    for kind, payload in world.rows("select kind, payload::text from ledger.record"):
        if kind not in FACTS:
            found.add(f"{kind} is not declared")
            continue
        try:
            msgspec.json.decode(payload, type=FACTS[kind])
        except msgspec.ValidationError as error:
            found.add(f"{kind}: {error}")
    return found
