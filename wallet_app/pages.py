"""Every page of the wallet."""

from pathlib import Path
from typing import Final

from gateway import web
from gateway.web import Page, Server
from wallet_app import (
    app_files,
    approvals,
    card,
    choices,
    club,
    gifts,
    history,
    home,
    household,
    joining,
    next_offers,
    notices,
    offers,
    profile,
    safety,
    shops,
    standing,
)

ROOT: Final = "/wallet"
SIGN_IN: Final = "/wallet/sign-in"

PAGES: Final = (
    Page("GET", "/", home.show),
    Page("GET", "/sign-in", joining.show, "anybody"),
    Page("POST", "/sign-in", joining.ask, "anybody"),
    Page("POST", "/sign-in/code", joining.verify, "anybody"),
    Page("POST", "/join", joining.join, "anybody"),
    Page("POST", "/sign-out", joining.sign_out),
    Page("GET", "/card", card.show),
    Page("POST", "/devices", card.enrol),
    Page("GET", "/approvals", approvals.show),
    Page("POST", "/approvals/{redemption}/approve", approvals.approve),
    Page("POST", "/approvals/{redemption}/decline", approvals.decline),
    Page("GET", "/history", history.show),
    Page("GET", "/history/{record}", history.receipt),
    Page("GET", "/gifts", gifts.show),
    Page("POST", "/gifts", gifts.ask),
    Page("POST", "/gifts/give", gifts.give),
    Page("GET", "/household", household.show),
    Page("POST", "/household/{step}", household.step),
    Page("POST", "/household/{step}/{of}", household.step),
    Page("GET", "/shops", shops.show),
    Page("GET", "/shops/{shop}", club.show),
    Page("GET", "/standing", standing.show),
    Page("GET", "/notices", notices.show),
    Page("GET", "/offers", offers.show),
    Page("POST", "/offers/{offer}/activate", offers.activate),
    Page("GET", "/next-offers", next_offers.show),
    Page("POST", "/next-offers", next_offers.choose),
    Page("GET", "/profile", profile.show),
    Page("POST", "/profile/consents", profile.consent),
    Page("POST", "/profile/occasions", profile.add_occasion),
    Page("POST", "/profile/occasions/remove", profile.remove_occasion),
    Page("POST", "/profile/export/code", profile.ask_code),
    Page("POST", "/profile/export", profile.export),
    Page("POST", "/profile/phone/codes", profile.ask_codes),
    Page("POST", "/profile/phone", profile.change_phone),
    Page("GET", "/safety", safety.show),
    Page("POST", "/safety/lock", safety.lock),
    Page("POST", "/safety/devices/{device}/remove", safety.remove_device),
    Page("POST", "/safety/sessions/{session}/end", safety.end_session),
    Page("POST", "/safety/sessions/end-others", safety.end_others),
    Page("GET", "/more", choices.show),
    Page("POST", "/choices", choices.choose, "anybody"),
    Page("GET", "/events", home.events),
    Page("GET", "/offline", app_files.offline, "anybody"),
    Page("GET", "/manifest.webmanifest", app_files.manifest, "anybody"),
    Page("GET", "/sw.js", app_files.service_worker, "anybody"),
    Page("GET", "/icon-{size}.png", app_files.icon, "anybody"),
)


def site(server: Server) -> web.Site:
    """The wallet over `server`."""
    return web.Site(server, ROOT, Path(__file__).parent, PAGES, sign_in=SIGN_IN)
