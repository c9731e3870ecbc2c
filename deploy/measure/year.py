"""The Complete Journey as a table: what every household spent on every day of 2017, in cents."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from deploy.demo.journey import data_folder
from deploy.errors import Refusal
from deploy.home import TREE

if TYPE_CHECKING:
    import numpy.typing

    Table = numpy.typing.NDArray[numpy.int64]

LAYOUT: Final = 1
DAYS: Final = 365
BEGINNING: Final = datetime(2017, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Year:
    """`cents[i, d]` is what `households[i]` spent on day d of the year."""

    households: list[int]
    cents: Table

    def places(self) -> dict[int, int]:
        return {household: i for i, household in enumerate(self.households)}


def read(cache: Path) -> Year:
    """The year, from a file in the directory `cache` that is made if it is not there."""
    import numpy as np

    rows = msgspec.json.decode(
        made(cache / f"days-{LAYOUT}.json", __name__).read_bytes(), type=list[tuple[int, int, int]]
    )
    households = sorted({household for household, _, _ in rows})
    place = {household: i for i, household in enumerate(households)}
    cents = np.zeros((len(households), DAYS), dtype=np.int64)
    for household, day, total in rows:
        cents[place[household], day] += total
    return Year(households, cents)


def made(path: Path, module: str) -> Path:
    """A prepared file, written by `module` where it is not there: in a process of its own, since duckdb takes memory that is
    not given back."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, str(path)],
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise Refusal(f"the data could not be read:\n{done.stderr.decode(errors='replace').strip()[-2000:]}")
    return path


def write(path: Path, rows: Any) -> None:
    """Half a file is never left under its name."""
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(msgspec.json.encode(rows))
    new.replace(path)


def member(household: int) -> UUID:
    """The id by which a household is drawn. Any would do that is always the same."""
    return UUID(int=0x0191_0000_0000_7000_8000 << 48 | household)


def summed(table: Any, first: int, beyond: int) -> Table:
    """What each household spent from day `first` to before day `beyond`."""
    found: Table = table[:, max(0, first) : max(0, beyond)].sum(axis=1)
    return found


# Each line's money is rounded to cents (half away from zero) before anything is summed. Times are UTC, as in the data; the
# year's last evening in the shops' own time counts as its last day.
_DAYS: Final = """
    select household_id, greatest(0, least(?, date_diff('day', date '2017-01-01', cast(transaction_timestamp as date)))),
        cast(sum(cast(round(sales_value * 100) as bigint)) as bigint)
    from read_parquet(?) group by 1, 2 order by 1, 2
"""


def prepare(path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        write(path, connection.execute(_DAYS, [DAYS - 1, str(data_folder() / "transactions.parquet")]).fetchall())


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
