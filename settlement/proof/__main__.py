"""Verify a file where there is nothing else of Manex."""

import sys

from .verifying import main

sys.exit(main(sys.argv[1:]))
