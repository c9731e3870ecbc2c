"""What a merchant, and the network for all of them, asks of members' own purchases: segments, RFM, next offers."""

from typing import Final

from gateway.api import insight, shapes
from gateway.operation import ANY_OPERATOR, MAKER, Merchant, Operation

READ, WRITE = Merchant("segments:read"), Merchant("segments:write")
CSV: Final = ("text/csv",)

OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/segments/preview",
        READ,
        insight.post_segment_preview,
        "How many of the merchant's members a definition takes in, before it is saved.",
        answer=shapes.SegmentCountOut,
        request=shapes.SegmentPreviewIn,
    ),
    Operation(
        "GET",
        "/v1/segments/rfm",
        READ,
        insight.get_rfm,
        "The merchant's members by recency, frequency and spend, in fifths; as CSV when asked.",
        answer=shapes.RfmOut,
        query=shapes.RfmIn,
        also=CSV,
    ),
    Operation(
        "POST",
        "/v1/segments",
        WRITE,
        insight.post_segment,
        "Save a segment. The same name and definition again is the one that is there.",
        answer=shapes.SegmentOut,
        request=shapes.SegmentIn,
        refusals=("state_conflict", "limit_exceeded"),
    ),
    Operation(
        "GET",
        "/v1/segments",
        READ,
        insight.list_segments,
        "The merchant's segments in the order in which they were saved.",
        answer=shapes.SegmentPage,
        query=shapes.PageIn,
    ),
    Operation(
        "GET",
        "/v1/segments/{segment}",
        READ,
        insight.get_segment,
        "One segment, and how many members are in it now.",
        answer=shapes.SegmentCounted,
    ),
    Operation(
        "PUT",
        "/v1/segments/{segment}",
        WRITE,
        insight.put_segment,
        "Make the segment's next version. Those before stay as they are.",
        answer=shapes.SegmentOut,
        request=shapes.SegmentChangeIn,
        refusals=("limit_exceeded",),
    ),
    Operation(
        "GET",
        "/v1/segments/{segment}/members",
        READ,
        insight.list_segment_members,
        "Who is in it now, by id.",
        answer=shapes.SegmentMemberPage,
        query=shapes.PageIn,
    ),
    Operation(
        "GET",
        "/v1/segments/{segment}/members/{member}",
        READ,
        insight.get_segment_member,
        "Why a member who bought here is in it or not: each condition, what was found, and whether that meets it.",
        answer=shapes.SegmentExplanation,
    ),
    Operation(
        "GET",
        "/v1/members/{member}/next-offers",
        READ,
        insight.list_next_offers,
        "What the member is likely to buy here next, by own purchases here, and why.",
        answer=shapes.NextOfferList,
    ),
)

#: The same over all merchants of a book.
NETWORK: Final = (
    Operation(
        "POST",
        "/v1/operator/books/{book}/segments/preview",
        ANY_OPERATOR,
        insight.post_network_segment_preview,
        "How many members a definition takes in, by their purchases at all merchants.",
        answer=shapes.SegmentCountOut,
        request=shapes.SegmentPreviewIn,
    ),
    Operation(
        "GET",
        "/v1/operator/books/{book}/segments/rfm",
        ANY_OPERATOR,
        insight.get_network_rfm,
        "Members by recency, frequency and spend at all merchants, in fifths; as CSV when asked.",
        answer=shapes.RfmOut,
        query=shapes.RfmIn,
        also=CSV,
    ),
    Operation(
        "POST",
        "/v1/operator/books/{book}/segments",
        MAKER,
        insight.post_network_segment,
        "Save a segment of the network's.",
        answer=shapes.SegmentOut,
        request=shapes.SegmentIn,
        refusals=("state_conflict", "limit_exceeded"),
    ),
    Operation(
        "GET",
        "/v1/operator/books/{book}/segments",
        ANY_OPERATOR,
        insight.list_network_segments,
        "The network's segments in the order in which they were saved.",
        answer=shapes.SegmentPage,
        query=shapes.PageIn,
    ),
    Operation(
        "GET",
        "/v1/operator/books/{book}/segments/{segment}",
        ANY_OPERATOR,
        insight.get_network_segment,
        "One segment of the network's, and how many members are in it now.",
        answer=shapes.SegmentCounted,
    ),
    Operation(
        "GET",
        "/v1/operator/books/{book}/segments/{segment}/members",
        ANY_OPERATOR,
        insight.list_network_segment_members,
        "Who is in it now, by id.",
        answer=shapes.SegmentMemberPage,
        query=shapes.PageIn,
    ),
    Operation(
        "POST",
        "/v1/operator/books/{book}/next-offers",
        MAKER,
        insight.post_next_offers,
        "Find every shop's next offers for its members at each midnight from now on. Again changes nothing.",
        answer=shapes.NextOffersOn,
        request=shapes.NothingIn,
    ),
)
