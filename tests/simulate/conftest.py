"""A house for simulations on the run's shared database."""

from collections.abc import Iterator

import pytest

from deploy.simulate.real import Simulated


@pytest.fixture
def simulated(database_url: str) -> Iterator[Simulated]:
    opened = Simulated.open(database_url)
    yield opened
    opened.close()
