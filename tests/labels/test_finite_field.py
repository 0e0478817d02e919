"""Eq. 10: the order of indices, residuals, and the tight-binding engine against dipole derivatives."""

import numpy as np
import pytest
from examples import water
from tblite.interface import Calculator

from bornflow.errors import BornflowError
from bornflow.labels.engines import xtb
from bornflow.labels.finite_field import accept, central_difference
from bornflow.units import BOHR

FIELD = 5e-4


def test_index_order_on_an_asymmetric_tensor():
    rng = np.random.default_rng(0)
    bec, free = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 3))
    fields = {(axis, sign): sign * FIELD * np.eye(3)[axis] for axis in range(3) for sign in (1, -1)}
    forces = {key: free + np.einsum("iab,a->ib", bec, field) for key, field in fields.items()}
    result = central_difference(forces, free, FIELD)
    np.testing.assert_allclose(result.bec, bec, atol=1e-10)
    assert result.sum_rule == pytest.approx(np.abs(bec.sum(axis=0)).max())
    assert result.nonlinearity == pytest.approx(0, abs=1e-12)


def test_a_missing_run_is_named():
    with pytest.raises(BornflowError, match="y-1"):
        forces = {(a, s): np.zeros((1, 3)) for a in range(3) for s in (1, -1) if (a, s) != (1, -1)}
        central_difference(forces, np.zeros((1, 3)), FIELD)


def test_the_gate_rejects_residuals_that_are_too_large_or_not_a_number():
    forces = {(a, s): np.full((1, 3), 1e-3) for a in range(3) for s in (1, -1)}
    result = central_difference(forces, np.zeros((1, 3)), FIELD)
    with pytest.raises(BornflowError, match=r"nonlinearity is 0\.002"):
        accept(result.residuals, {"sum_rule": 1.0, "nonlinearity": 1e-4})
    forces[0, 1] = np.full((1, 3), np.nan)
    with pytest.raises(BornflowError, match="sum_rule is nan"):
        accept(
            central_difference(forces, np.zeros((1, 3)), FIELD).residuals,
            {"sum_rule": 1.0, "nonlinearity": 1.0},
        )


def test_tight_binding_becs_are_dipole_derivatives():
    atoms = water(2)
    free, in_fields, _ = xtb.calculate(atoms, FIELD)
    forces = {direction: each.forces for direction, each in in_fields.items()}
    result = central_difference(forces, free.forces, FIELD)
    atom, step = 4, 1e-3
    for axis in range(3):
        ends = []
        for sign in (1, -1):
            positions = atoms.positions / BOHR
            positions[atom, axis] += sign * step
            calculator = Calculator("GFN2-xTB", atoms.numbers, positions)
            calculator.set("verbosity", 0)
            calculator.set("accuracy", 0.01)
            ends.append(np.array(calculator.singlepoint().get("dipole")))
        derivative = (ends[0] - ends[1]) / (2 * step)  # ∂M_α/∂r_axis
        np.testing.assert_allclose(result.bec[atom, :, axis], derivative, atol=2e-4)
    assert result.sum_rule < 1e-6


def test_periodic_structures_are_rejected():
    with pytest.raises(BornflowError, match="use engine cp2k"):
        xtb.calculate(water(8, 0.9), FIELD)
