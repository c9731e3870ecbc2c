"""The members' wallet: pages that work without scripts, and become an app with them."""

from wallet_app.pages import ROOT, site

__all__ = ["ROOT", "site"]
