"""The doors but the wallet's: the API for merchants, members and operators, the page kit, later the portal and the console."""

#: What floors above may import: the API's functions, through which pages act, and the kit that pages are made with.
__all__ = ["api", "web"]
