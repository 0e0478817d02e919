"""Born effective charges of coupled models are what eqs. 3 and 9 say, found without their shortcut."""

import numpy as np
import pytest
from ase import Atoms
from examples import features_of, graph_of, jiggle, noisy_parameters, variant, water

from bornflow.models.charges import with_screening
from bornflow.models.variants import Model

STEP = 1e-4  # Å


def effective_charges(model, parameters, atoms: Atoms) -> np.ndarray:
    graph = graph_of(model, atoms)
    scalars = features_of(model, parameters, graph).scalars
    return np.asarray(model.network.apply(parameters, scalars, graph, method="effective_charges")[0])


def by_finite_differences(model, parameters, atoms: Atoms, index: int) -> np.ndarray:
    """Z[α, β] = Q_i δ_αβ + Σ_k (r_k − r_i)_α ∂Q_k/∂r_iβ, every k at its nearest image."""
    arms = atoms.get_distances(index, range(len(atoms)), mic=atoms.pbc.any(), vector=True)
    tensor = effective_charges(model, parameters, atoms)[index] * np.eye(3)
    for axis in range(3):
        change = 0
        for steps, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            moved = atoms.copy()
            moved.positions[index, axis] += steps * STEP
            change = change + weight * effective_charges(model, parameters, moved)
        tensor[:, axis] += arms.T @ change / (12 * STEP)
    return tensor


@pytest.mark.parametrize("where", ["cluster", "triclinic box"])
def test_one_reverse_pass_equals_finite_differences(model, parameters, where):
    if not model.network.is_coupled:
        pytest.skip("an uncoupled model has a tensor head")
    if where == "cluster":
        unit = atoms = water(3)
    else:
        unit = jiggle(water(2, 0.9), 5)
        unit.set_cell(unit.cell.array @ [[1, 0, 0], [0.2, 1, 0], [0.1, 0.15, 1]], scale_atoms=True)
        # The small cell is described by itself; the reference moves one atom of a cell so large that
        # no atom sees another one twice.
        atoms = unit.repeat((3, 3, 3))
    found = np.asarray(model(parameters, graph_of(model, unit))["bec"])
    for index in (0, 4):
        expected = by_finite_differences(model, parameters, atoms, index)
        assert np.abs(expected - expected.T).max() > 1e-5, "a symmetric tensor would not show a wrong order"
        np.testing.assert_allclose(found[index], expected, atol=1e-7)


def test_global_screening_scales_all_charges_and_leaves_the_energy(model, parameters):
    if model.variant["charges"] != "global":
        pytest.skip("not a model with one γ")
    graph = graph_of(model, water(2))
    one, two = (model(with_screening(parameters, gamma), graph) for gamma in (1.0, -1.7))
    np.testing.assert_allclose(two["bec"], -1.7 * one["bec"], atol=1e-12)
    for key in ("energy", "forces", "charges"):
        np.testing.assert_array_equal(two[key], one[key])


def test_local_screening_varies_with_the_environment(model, parameters):
    if model.variant["charges"] != "local":
        pytest.skip("not a model with γ_i")
    screening = np.asarray(model(parameters, graph_of(model, water(3)))["screening"])
    assert screening.shape == (9,)
    assert np.std(screening) > 1e-3


@pytest.mark.parametrize("density", [None, 0.9], ids=["cluster", "box"])
def test_neutral_charges_add_up_to_nothing_and_forces_stay_a_gradient(density):
    model = Model(variant(charges="local", neutral=True), ("H", "O"))
    parameters, atoms = noisy_parameters(model), water(3 if density is None else 8, density)
    out = model(parameters, graph_of(model, atoms))
    assert np.sum(out["charges"]) == pytest.approx(0, abs=1e-12)
    assert np.abs(out["charges"]).max() > 1e-3
    energies = []
    for step in (2, 1, -1, -2):
        atoms.positions[4, 1] += step * 1e-3
        energies.append(float(model(parameters, graph_of(model, atoms))["energy"]))
        atoms.positions[4, 1] -= step * 1e-3
    numerical = np.dot(energies, [1, -8, 8, -1]) / 12e-3
    assert float(out["forces"][4, 1]) == pytest.approx(numerical, abs=1e-6)
