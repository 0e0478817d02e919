"""Born effective charges of coupled models follow eqs. 3 and 9, evaluated here by finite differences."""

from functools import partial

import jax
import numpy as np
import pytest
from ase import Atoms
from examples import STRUCTURES, cell_of, features_of, graph_of, jiggle, noisy_parameters, variant, water

from bornflow.models.charges import with_screening
from bornflow.models.model import Model

STEP = 1e-4  # Å


@partial(jax.jit, static_argnums=0)
def effective_charges(model, parameters, graph):
    scalars = features_of(model, parameters, graph).scalars
    return model.network.apply(parameters, scalars, graph, method="effective_charges")[0]


def by_finite_differences(model, parameters, atoms: Atoms, index: int) -> np.ndarray:
    """Z[α, β] = Q_i δ_αβ + Σ_k (r_k − r_i)_α ∂Q_k/∂r_iβ, every k at its nearest image."""
    arms = atoms.get_distances(index, range(len(atoms)), mic=atoms.pbc.any(), vector=True)
    shape = model.pairs(atoms.numbers, atoms.positions, cell_of(atoms)).shape
    tensor = np.asarray(effective_charges(model, parameters, graph_of(model, atoms, shape)))[index] * np.eye(
        3
    )
    for axis in range(3):
        change = 0
        for steps, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            moved = atoms.copy()
            moved.positions[index, axis] += steps * STEP
            change = change + weight * np.asarray(
                effective_charges(model, parameters, graph_of(model, moved, shape))
            )
        tensor[:, axis] += arms.T @ change / (12 * STEP)
    return tensor


@pytest.mark.parametrize("where", ["one atom", "two far atoms", "isolated", "large cell", "triclinic box"])
def test_one_reverse_pass_equals_finite_differences(model, parameters, where):
    if not model.network.is_coupled:
        pytest.skip("an uncoupled model has a tensor head")
    if where in STRUCTURES:
        unit = atoms = STRUCTURES[where]
    else:
        unit = jiggle(water(2, 0.9), 5)
        unit.set_cell(unit.cell.array @ [[1, 0, 0], [0.2, 1, 0], [0.1, 0.15, 1]], scale_atoms=True)
        # The model uses the small cell. The reference moves one atom of a supercell, which is so large that
        # no atom has two images of another atom as neighbours.
        atoms = unit.repeat((3, 3, 3))
    found = np.asarray(model(parameters, graph_of(model, unit)).bec)
    for index in (0, len(unit) // 2):
        expected = by_finite_differences(model, parameters, atoms, index)
        if len(unit) > 2:
            assert np.abs(expected - expected.T).max() > 1e-5, "a symmetric one would not show a wrong order"
        np.testing.assert_allclose(found[index], expected, rtol=0, atol=1e-7)


def test_global_screening_scales_all_charges_and_leaves_the_energy(model, parameters):
    if model.variant.charges != "global":
        pytest.skip("not a model with one γ")
    graph = graph_of(model, water(2))
    one, two = (model(with_screening(parameters, gamma), graph) for gamma in (1.0, -1.7))
    np.testing.assert_allclose(two.bec, -1.7 * one.bec, atol=1e-12)
    for key in ("energy", "forces", "charges"):
        np.testing.assert_array_equal(getattr(two, key), getattr(one, key))


def test_local_screening_varies_with_the_environment(model, parameters):
    if model.variant.charges != "local":
        pytest.skip("not a model with γ_i")
    screening = np.asarray(model(parameters, graph_of(model, water(3))).screening)
    assert screening.shape == (9,)
    assert np.std(screening) > 1e-3


@pytest.mark.parametrize("density", [None, 0.9], ids=["cluster", "box"])
@pytest.mark.parametrize(
    ("backbone", "charges"),
    [("physical", "local"), pytest.param("lorem", "uncoupled", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("charge", [0, 2])
def test_charges_add_up_to_the_total_charge_and_forces_stay_a_gradient(backbone, charges, density, charge):
    model = Model(variant(backbone=backbone, charges=charges, neutral=True), ("H", "O"))
    parameters, atoms = noisy_parameters(model), water(3 if density is None else 8, density)
    atoms.info["charge"] = charge
    out = model(parameters, graph_of(model, atoms))
    assert np.sum(out.charges) == pytest.approx(charge, abs=1e-12)
    assert np.abs(out.charges).max() > 1e-3
    energies = []
    for step in (2, 1, -1, -2):
        atoms.positions[4, 1] += step * 1e-3
        energies.append(float(model(parameters, graph_of(model, atoms)).energy))
        atoms.positions[4, 1] -= step * 1e-3
    numerical = np.dot(energies, [1, -8, 8, -1]) / 12e-3
    assert float(out.forces[4, 1]) == pytest.approx(numerical, abs=1e-6)
