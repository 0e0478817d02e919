"""A model whose forces an integrator can follow, and options of short runs."""

import jax
import numpy as np
import pytest

from bornflow.config.schema import validate
from bornflow.inference.calculator import BornflowCalculator
from bornflow.inference.checkpoint import Checkpoint

SYSTEM = {"structure": "s.extxyz", "temperature": 200, "steps": 300, "equilibration": 40}


@pytest.fixture
def options():
    """Options of a run, as `dynamics.md` completes them, with changes; a random model breaks bonds."""
    section = validate({"dynamics": {"systems": {"s": SYSTEM}, "part_steps": 50}})["dynamics"]
    whole = {k: v for k, v in section.items() if k != "systems"} | section["systems"]["s"]
    return lambda **changes: whole | {"bond_limit": 100, "energy_limit": 10, "drift_limit": 10} | changes


@pytest.fixture(scope="module")
def gentle(model, parameters):
    """The random model with a tenth of its weights in the readouts: forces an integrator can follow."""

    def shrink(path, leaf):
        return leaf * (0.3 if "'energy'" in str(path) or "'charge'" in str(path) else 1)

    return Checkpoint(model, jax.tree_util.tree_map_with_path(shrink, parameters), np.array([-10.0, -100.0]))


@pytest.fixture
def calculator(gentle):
    return BornflowCalculator(gentle, dtype="float64")
