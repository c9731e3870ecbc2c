"""The book laid against what banks, payment providers and tills say: what matches, what does not, and who has to act."""

from settlement.reconciliation.clock import JOB, after_files
from settlement.reconciliation.desk import Taken, bring, explain, match, merge, resolve, split
from settlement.reconciliation.disagreements import TYPES
from settlement.reconciliation.files import BadFile, File, file, read_csv
from settlement.reconciliation.lines import FILED, SOURCES, Line
from settlement.reconciliation.reconcile import Done, run
from settlement.reconciliation.store import (
    Adjustment,
    Break,
    BreakStep,
    MatchRow,
    Progress,
    adjustments,
    ages,
    break_,
    breaks,
    matches,
    place_of,
    progress,
    standing,
    steps,
    told_lines,
    whole,
)

__all__ = [
    "FILED",
    "JOB",
    "SOURCES",
    "TYPES",
    "Adjustment",
    "BadFile",
    "Break",
    "BreakStep",
    "Done",
    "File",
    "Line",
    "MatchRow",
    "Progress",
    "Taken",
    "adjustments",
    "after_files",
    "ages",
    "break_",
    "breaks",
    "bring",
    "explain",
    "file",
    "match",
    "matches",
    "merge",
    "place_of",
    "progress",
    "read_csv",
    "resolve",
    "run",
    "split",
    "standing",
    "steps",
    "told_lines",
    "whole",
]
