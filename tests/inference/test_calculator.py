"""The ASE calculator: what makes it evaluate a structure again."""

import numpy as np
import pytest
from examples import noisy_parameters, variant, water

from bornflow.inference.calculator import BornflowCalculator
from bornflow.inference.checkpoint import Checkpoint
from bornflow.models.model import Model


@pytest.mark.parametrize("neutral", [True, False])
def test_another_total_charge_is_another_structure(neutral):
    model = Model(variant(neutral=neutral), ("H", "O"))
    calculator = BornflowCalculator(Checkpoint(model, noisy_parameters(model), np.zeros(2)))
    atoms = water(2)
    energies, sums = [], []
    for charge in (0, 1, 0):
        atoms.info["charge"] = charge
        energies.append(calculator.get_potential_energy(atoms))
        sums.append(calculator.get_charges(atoms).sum())
    assert energies[0] == energies[2]
    assert (energies[0] != energies[1]) == neutral
    if neutral:
        np.testing.assert_allclose(sums, [0, 1, 0], atol=1e-6)
