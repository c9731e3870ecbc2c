"""The other half of the hundred histories of test_histories, for another worker."""

import pytest

from deploy.simulate.real import Simulated
from tests.simulate.test_histories import SEEDS, play


@pytest.mark.timeout(600)
def test_any_history_leaves_what_the_plain_model_says(simulated: Simulated) -> None:
    play(simulated, range(SEEDS // 2, SEEDS))
