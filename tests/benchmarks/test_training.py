"""Timings of training steps, on batches that fit their names."""

import pytest
from examples import variant

from bornflow import config
from bornflow.benchmarks import training


@pytest.mark.parametrize(("batch", "atoms"), [("hexamer", [18]), ("four-hexamers", [18] * 4), ("box", [96])])
def test_batches_fit_their_names(batch, atoms):
    structures = training.structures(batch)
    assert [len(structure) for structure in structures] == atoms
    assert all(structure.pbc.all() == (batch == "box") for structure in structures)


def test_a_step_of_training_is_timed():
    options = config.load(None, "training")
    step = training.bornflow_step(variant(charges="local"), options, training.structures("hexamer"))
    times = training.measure_steps(step, seconds=0.05)
    assert 0 < times["step [ms]"] < 1e3 * times["first_step [s]"]
    assert times["steps"] >= 5
