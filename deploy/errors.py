"""What a person at the terminal has to know and do: shown as it reads, without a traceback."""

from __future__ import annotations


class Refusal(Exception):
    """A command cannot go on. Its text says why and what helps; the command exits with `exit_code`."""

    exit_code = 1
