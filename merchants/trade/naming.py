"""What rules name, looked up when they come into force: tiers of the ladders that count there, and segments, by version."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from ledger import Book, Tx, ids
from merchants import contracts, insight, programme, standing

#: Different segments that the rules of one version may ask for: their members are found every day.
LARGEST_SEGMENTS: Final = 100


class Names:
    """Tiers and segments as rules name them, for `contracts.Naming`."""

    def __init__(self, ladders: standing.LaddersCache) -> None:
        self._ladders = ladders

    def find(
        self, tx: Tx, book: Book, merchant_id: UUID, rules: Mapping[str, Any], shops: Collection[UUID] | None
    ) -> contracts.Found:
        named = programme.named(rules)
        tiers = [each for each in named if each.what == "tier"]
        segments = [each for each in named if each.segment is not None]
        faults: list[tuple[str, str, str]] = []
        if tiers:
            faults += _tier_faults(tiers, _ladders_at(book, self._ladders.of(tx, book), shops))
        if not segments:
            return contracts.Found(rules, faults)
        asked = {each.segment for each in segments if each.segment is not None}
        latest = insight.latest_versions(tx, book, merchant_id, asked)
        faults += _segment_faults(segments, latest)
        if len(asked) > LARGEST_SEGMENTS:
            faults.append(
                (segments[-1].at, "too_many", f"must be at most {LARGEST_SEGMENTS} different segments in all")
            )
        if faults:
            return contracts.Found(rules, faults)
        versions, kept = {}, set()
        for each in segments:
            assert each.segment is not None
            version = each.version or latest[each.segment]
            versions[each.name] = f"{ids.show('segment', each.segment)}@{version}"
            kept.add((each.segment, version))
        return contracts.Found(programme.with_versions(rules, versions), (), sorted(kept))

    def keep(self, tx: Tx, book: Book, found: contracts.Found) -> None:
        for id, version in found.segments:
            gone = insight.keep(tx, book, id, version)
            assert gone is None, (id, version)


def _ladders_at(
    book: Book, versions: Mapping[UUID, Sequence[Any]], shops: Collection[UUID] | None
) -> list[standing.Ladder]:
    """The ladders that count at these shops: each one's own, else the network's. At any: all there are."""
    owners = set(versions) if shops is None else {shop if shop in versions else book.public_id for shop in shops}
    return [versions[owner][-1].ladder for owner in sorted(owners) if owner in versions]


def _tier_faults(tiers: Sequence[programme.Named], ladders: list[standing.Ladder]) -> Iterator[tuple[str, str, str]]:
    """Where there is no ladder yet, any tier may be named: one may come."""
    there = sorted({tier.id for ladder in ladders for tier in ladder.tiers})
    if not ladders:
        return
    for each in tiers:
        if each.name not in there:
            yield (
                each.at,
                "unknown_tier",
                f"no such tier: the ladder that counts there has {', '.join(there) or 'none'}",
            )


def _segment_faults(segments: Sequence[programme.Named], latest: Mapping[UUID, int]) -> Iterator[tuple[str, str, str]]:
    for each in segments:
        newest = latest.get(each.segment) if each.segment is not None else None
        if newest is None:
            yield each.at, "unknown_segment", "no such segment of this merchant's, nor of the network's"
        elif each.version is not None and each.version > newest:
            yield each.at, "unknown_segment", f"its latest version is {newest}"
