"""Statements and the public supply, proved from files alone: standard library and `cryptography`, no server, no database.

The rest of settlement makes these files (`settlement/sealed/sealing.py`); nothing here knows how.
"""

from . import keys, merkle, statement, sums, supply, window
from .keys import Signer
from .reading import Fault, Malformed, canonical, read
from .verifying import Verdict, verdict

__all__ = [
    "Fault",
    "Malformed",
    "Signer",
    "Verdict",
    "canonical",
    "keys",
    "merkle",
    "read",
    "statement",
    "sums",
    "supply",
    "verdict",
    "window",
]
