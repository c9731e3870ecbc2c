"""The doors but the wallet's: the API for merchants, members and operators, later the portal and the console."""
