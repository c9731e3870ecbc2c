"""Which of some amounts add up to a sum. Pure, and bounded: beyond the bound nothing is claimed."""

from collections.abc import Sequence
from typing import Final

#: Partial sums that are looked at before the search gives up.
MOST_STEPS: Final = 20_000


def only_subset(amounts: Sequence[int], wanted: int) -> tuple[int, ...] | None:
    """The places of the one set of `amounts` (positive) that adds up to `wanted`; None when there is none, more than one,
    or no telling within the bound.
    """
    places = sorted((i for i in range(len(amounts)) if 0 < amounts[i] <= wanted), key=lambda i: (-amounts[i], i))
    # what is left from each place on: a sum that cannot be reached any more is not looked for
    left = [0]
    for place in reversed(places):
        left.append(left[-1] + amounts[place])
    left.reverse()
    found: list[tuple[int, ...]] = []
    steps = 0
    stack: list[tuple[int, int, tuple[int, ...]]] = [(0, wanted, ())]
    while stack:
        at, missing, chosen = stack.pop()
        if missing == 0:
            found.append(chosen)
            if len(found) > 1:
                return None
            continue
        steps += 1
        if steps > MOST_STEPS:
            return None
        if at == len(places) or left[at] < missing:
            continue
        stack.append((at + 1, missing, chosen))
        if amounts[places[at]] <= missing:
            stack.append((at + 1, missing - amounts[places[at]], (*chosen, places[at])))
    return tuple(sorted(found[0])) if found else None
