"""A model whose forces an integrator can follow, and settings of short runs."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from bornflow.config.schema import validate
from bornflow.dynamics.settings import SystemSettings
from bornflow.inference.calculator import BornflowCalculator
from bornflow.inference.checkpoint import Checkpoint

SYSTEM = {"structure": "s.extxyz", "temperature": 200, "steps": 300, "equilibration": 40}


@pytest.fixture(scope="session")
def settings():
    """A function that makes settings of a run; limits are wide, since a random model breaks bonds."""
    section = validate({"dynamics": {"systems": {"s": SYSTEM}, "part_steps": 50}})["dynamics"]
    made = replace(SystemSettings.from_section(section, "s"), bond_limit=100, energy_limit=10, drift_limit=10)
    return lambda **changes: replace(made, **changes)


@pytest.fixture(scope="module")
def gentle(model, parameters):
    """The random model with readout weights divided by ten: forces that an integrator can follow."""

    def shrink(path, leaf):
        return leaf * (0.3 if "'energy'" in str(path) or "'charge'" in str(path) else 1)

    return Checkpoint(model, jax.tree_util.tree_map_with_path(shrink, parameters), np.array([-10.0, -100.0]))


@pytest.fixture
def calculator(gentle):
    return BornflowCalculator(gentle, dtype="float64")
