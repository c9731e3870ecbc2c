"""The page kit: sites of pages with sessions, languages, forms, safe headers and one look."""

from gateway import session_store, sessions
from gateway.calls import Call, accepted
from gateway.problems import Problem, not_found
from gateway.server import BookFacts, Server
from gateway.session_store import Session
from gateway.streams import Stream
from gateway.web.catalogue import later
from gateway.web.languages import CODES as LANGUAGES
from gateway.web.languages import Language
from gateway.web.site import HERE, LANGUAGE_COOKIE, LOOK_COOKIE, LOOKS, Page, Site, own_path
from gateway.web.visits import Moved, Raw, Shown, Told, Visit

__all__ = [
    "HERE",
    "LANGUAGES",
    "LANGUAGE_COOKIE",
    "LOOKS",
    "LOOK_COOKIE",
    "BookFacts",
    "Call",
    "Language",
    "Moved",
    "Page",
    "Problem",
    "Raw",
    "Server",
    "Session",
    "Shown",
    "Site",
    "Stream",
    "Told",
    "Visit",
    "accepted",
    "later",
    "not_found",
    "own_path",
    "session_store",
    "sessions",
]
