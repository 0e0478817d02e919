"""Steps of training are timed, on the batches they say."""

import pytest
from examples import variant

from bornflow import config
from bornflow.benchmarks import training


@pytest.mark.parametrize(("batch", "atoms"), [("hexamer", [18]), ("four-hexamers", [18] * 4), ("box", [96])])
def test_batches_are_what_their_names_say(batch, atoms):
    found = training.structures(batch)
    assert [len(structure) for structure in found] == atoms
    assert all(structure.pbc.all() == (batch == "box") for structure in found)


def test_a_step_of_training_is_timed():
    options = config.load(None, "training")
    step = training.ours(variant(charges="local"), options, training.structures("hexamer"))
    found = training.repeat(step, seconds=0.05)
    assert 0 < found["step [ms]"] < 1e3 * found["first_step [s]"]
    assert found["steps"] >= 5
