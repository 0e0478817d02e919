"""The model is one smooth function: exact gradients, the right symmetries, no trace of padding."""

import numpy as np
import pytest
from examples import cell_of, graph_of, water
from scipy.spatial.transform import Rotation

from bornflow.models.graph import Shape

STEP = 4e-4  # Å


def derivative(function):
    """df/dx at 0 by central differences of fourth order."""
    near, far = (function(n * STEP) - function(-n * STEP) for n in (1, 2))
    return (8 * near - far) / (12 * STEP)


def evaluate(model, parameters, atoms, shape=None):
    out = model(parameters, graph_of(model, atoms, shape))
    n = len(atoms)
    return {
        "energy": float(out["energy"]),
        "forces": np.asarray(out["forces"])[:n],
        "charges": np.asarray(out["charges"])[:n],
        "bec": np.asarray(out["bec"])[:n],
        "virial": np.asarray(out["virial"]),
    }


def moved(atoms, positions, cell=None):
    new = atoms.copy()
    new.positions = positions
    if cell is not None:
        new.cell = cell
    return new


def test_forces_are_the_gradient_of_the_energy(model, parameters, structure):
    forces = evaluate(model, parameters, structure)["forces"]
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.normal(size=forces.shape)
        direction /= np.linalg.norm(direction)

        def energy(step, direction=direction):
            displaced = moved(structure, structure.positions + step * direction)
            return evaluate(model, parameters, displaced)["energy"]

        assert derivative(energy) == pytest.approx(-np.sum(forces * direction), abs=1e-7)


def test_virial_is_the_derivative_with_strain(model, parameters, structure):
    if not structure.pbc.any():
        pytest.skip("an isolated structure has no stress")
    virial = evaluate(model, parameters, structure)["virial"]
    strain = np.random.default_rng(1).normal(size=(3, 3))
    strain = (strain + strain.T) / np.linalg.norm(strain + strain.T) / 10

    def energy(step):
        deform = np.eye(3) + step * strain
        strained = moved(structure, structure.positions @ deform, structure.cell.array @ deform)
        return evaluate(model, parameters, strained)["energy"]

    assert derivative(energy) == pytest.approx(np.sum(virial * strain), abs=1e-7)


@pytest.mark.parametrize("improper", [1, -1])
def test_rotations_and_reflections(model, parameters, structure, improper):
    rotation = improper * Rotation.random(random_state=2).as_matrix()
    before = evaluate(model, parameters, structure)
    cell = None if cell_of(structure) is None else structure.cell.array @ rotation.T
    after = evaluate(model, parameters, moved(structure, structure.positions @ rotation.T, cell))
    assert after["energy"] == pytest.approx(before["energy"], abs=1e-9)
    np.testing.assert_allclose(after["forces"], before["forces"] @ rotation.T, atol=1e-9)
    np.testing.assert_allclose(
        after["bec"], np.einsum("ab,ibc,dc->iad", rotation, before["bec"], rotation), atol=1e-9
    )


def test_bec_has_all_nine_components_free(model, parameters):
    bec = evaluate(model, parameters, water(3))["bec"]
    asymmetry = np.abs(bec - bec.transpose(0, 2, 1)).max()
    assert asymmetry > 1e-4, "the antisymmetric part is dead"
    assert np.abs(bec[:, 0, 1] + bec[:, 1, 0]).max() > 1e-4, "the anisotropic part is dead"


def test_translation_and_wrapping(model, parameters, structure):
    before = evaluate(model, parameters, structure)
    shifted = moved(structure, structure.positions + [0.3, -7.1, 2.2])
    if structure.pbc.any():
        shifted.wrap()
    after = evaluate(model, parameters, shifted)
    assert after["energy"] == pytest.approx(before["energy"], abs=1e-8)
    np.testing.assert_allclose(after["bec"], before["bec"], atol=1e-8)


def test_permutation_of_atoms(model, parameters, structure):
    order = np.random.default_rng(3).permutation(len(structure))
    before, after = (evaluate(model, parameters, atoms) for atoms in (structure, structure[order]))
    assert after["energy"] == pytest.approx(before["energy"], abs=1e-9)
    np.testing.assert_allclose(after["forces"], before["forces"][order], atol=1e-9)


def test_supercell_gives_the_same_per_atom(model, parameters):
    box = water(8, 0.9)
    one, two = (evaluate(model, parameters, atoms) for atoms in (box, box.repeat((2, 1, 1))))
    assert two["energy"] == pytest.approx(2 * one["energy"], abs=1e-5)
    np.testing.assert_allclose(two["forces"][: len(box)], one["forces"], atol=1e-5)
    np.testing.assert_allclose(two["bec"][: len(box)], one["bec"], atol=1e-9)


def test_padding_changes_nothing(model, parameters, structure):
    size = model.pairs(structure.numbers, structure.positions, cell_of(structure)).shape
    larger = Shape(size.atoms + 3, tuple(n + 5 for n in size.blocks), tuple(n + 2 for n in size.waves))
    plain, padded = (evaluate(model, parameters, structure, shape) for shape in (None, larger))
    for key in plain:
        np.testing.assert_allclose(padded[key], plain[key], atol=1e-9)


def test_smooth_as_an_atom_crosses_the_cutoff(model, parameters):
    atoms = water(1)
    energies = []
    for distance in (model.cutoff - 1e-5, model.cutoff + 1e-5):
        pair = atoms + moved(atoms, atoms.positions - atoms.positions[0] + [0, 0, 0])
        pair.positions[3:] += atoms.positions[0] + [distance, 0, 0]
        energies.append(evaluate(model, parameters, pair))
    assert energies[0]["energy"] == pytest.approx(energies[1]["energy"], abs=1e-4)
    np.testing.assert_allclose(energies[0]["forces"], energies[1]["forces"], atol=1e-3)
