"""What a refusal says to a person: the API's stable codes in words."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.web.catalogue import later as N_

#: By code, and where the code alone says too little by code and what its facts name.
_WORDS: Final[dict[tuple[str, str | None], str]] = {
    ("malformed_request", None): N_("We could not read what was sent. Please go back and try once more."),
    ("cursor_invalid", None): N_("This page of the list is no longer there. Please start from its beginning."),
    ("unauthenticated", None): N_("Please sign in."),
    ("forbidden", None): N_("This was not sent from one of our own pages, so nothing was done."),
    ("merchant_suspended", None): N_("This shop takes no points at the moment."),
    ("consent_required", None): N_("The spend code is missing or wrong."),
    ("spend_locked", None): N_("Your points are locked. Unlock them first, under Safety."),
    ("not_found", None): N_("We could not find that."),
    ("not_found", "member"): N_("We could not find that member. Please check the number."),
    ("method_not_allowed", None): N_("This page cannot do that."),
    ("duplicate_reference", None): N_("The shop has used this request for something else meanwhile."),
    ("state_conflict", None): N_("This cannot be done any more. Its state has changed."),
    ("state_conflict", "member"): N_("Your wallet does not allow this now."),
    ("hold_expired", None): N_("The time to answer is over."),
    ("code_already_used", None): N_("This spend code was used already. Wait for the next one."),
    ("code_expired", None): N_("This code is too old. Ask for a new one."),
    ("too_large", None): N_("That was too long."),
    ("unsupported_media_type", None): N_("We could not read what was sent. Please go back and try once more."),
    ("validation_failed", None): N_("Please check what you typed."),
    ("validation_failed", "/phone"): N_("That is not a telephone number we know how to reach."),
    ("validation_failed", "/to"): N_("This is not a member number or a telephone number you can give to."),
    ("validation_failed", "/day"): N_("That month has no such day."),
    ("validation_failed", "/month"): N_("Please choose a month."),
    ("validation_failed", "/year"): N_("Please check the year: it is of the same calendar as the month."),
    ("validation_failed", "/name"): N_("Another day needs a name, of at most sixty letters."),
    ("validation_failed", "/occasions"): N_("You have told that day already, or too many days."),
    ("step_up_required", None): N_("This code does not fit. Perhaps it is too old, or not the last one that was sent."),
    ("state_conflict", "phone"): N_("That number is another member’s."),
    ("idempotency_key_reused", None): N_("This form was sent before with other words. Please open it anew."),
    ("insufficient_points", None): N_("You do not have that many points to spend here."),
    ("limit_exceeded", None): N_("This would go beyond a limit."),
    ("limit_exceeded", "devices"): N_("You already have as many devices as a member may have. Remove one first."),
    ("limit_exceeded", "gifts_a_day"): N_("You have given as often as you may in one day."),
    ("limit_exceeded", "gift_points_a_day"): N_("That is more than you may give in one day."),
    ("limit_exceeded", "gift_received_a_day"): N_("That is more than this member may receive in one day."),
    ("limit_exceeded", "household"): N_("The household is full."),
    ("limit_exceeded", "household_month"): N_("That is more than you may spend for the other this month."),
    ("rate_limited", None): N_("That was very often in a short time. Please wait a little."),
    ("otp_locked", None): N_("There were too many wrong tries. Please wait, or ask for a new code."),
    ("internal", None): N_("Something went wrong on our side. Nothing is lost; please try once more."),
    ("unavailable", None): N_("We are not available for a moment. Please try once more."),
}

#: What a page that shows nothing else calls it.
_TITLES: Final[dict[str, str]] = {
    "unauthenticated": N_("Please sign in"),
    "not_found": N_("Nothing is here"),
    "rate_limited": N_("One moment, please"),
    "unavailable": N_("One moment, please"),
    "internal": N_("A fault of ours"),
}
_TITLE: Final = N_("This did not work")


def words(code: str, facts: Mapping[str, Any], pointer: str | None = None) -> str:
    """What to say of a refusal, still to be looked up in the catalogue."""
    for about in (facts.get("limit"), facts.get("what"), pointer):
        if (found := _WORDS.get((code, about))) is not None and about is not None:
            return found
    return _WORDS.get((code, None)) or _WORDS["internal", None]


def title(code: str) -> str:
    return _TITLES.get(code, _TITLE)
