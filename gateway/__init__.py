"""Every door but the members' wallet: API, merchant portal, operator console."""
