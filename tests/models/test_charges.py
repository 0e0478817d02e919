"""Born effective charges of coupled models are what eqs. 3 and 9 say, found without their shortcut."""

from functools import partial

import numpy as np
import pytest
from ase import Atoms
from examples import graph_of, jiggle, water

from bornflow.models.charges import with_screening
from bornflow.models.graph import edges

STEP = 1e-4  # Å


def effective_charges(model, parameters, atoms: Atoms) -> np.ndarray:
    apply = partial(model.network.apply, parameters)
    graph = graph_of(model, atoms)
    features = apply(edges(graph), graph, method="describe")
    return np.asarray(apply(features.scalars, graph, method="effective_charges")[0])


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
