"""The model is one smooth function: exact gradients, the right symmetries, no trace of padding."""

import numpy as np
import pytest
from ase import Atoms
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


def same(found, expected, within):
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], atol=within, err_msg=key)


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


def test_a_structure_without_the_first_element_has_forces_too(model, parameters):
    atoms = Atoms("O2", [[0.0, 0.0, 0.0], [0.0, 0.3, 1.2]])
    forces = evaluate(model, parameters, atoms)["forces"]

    def energy(step):
        return evaluate(model, parameters, moved(atoms, [[0, 0, 0], [0, 0.3, 1.2 + step]]))["energy"]

    assert derivative(energy) == pytest.approx(-forces[1, 2], abs=1e-7)


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
    same(evaluate(model, parameters, shifted), before, 1e-8)


def test_another_choice_of_cell_is_the_same(model, parameters):
    box = water(8, 0.9)
    other = moved(box, box.positions, np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ box.cell.array)
    same(*(evaluate(model, parameters, atoms) for atoms in (other, box)), 1e-6)  # each has waves of its own


def test_permutation_of_atoms(model, parameters, structure):
    order = np.random.default_rng(3).permutation(len(structure))
    before, after = (evaluate(model, parameters, atoms) for atoms in (structure, structure[order]))
    for key in ("forces", "charges", "bec"):
        before[key] = before[key][order]
    same(after, before, 1e-9)


def test_supercell_gives_the_same_per_atom(model, parameters):
    box = water(8, 0.9)
    one, two = (evaluate(model, parameters, atoms) for atoms in (box, box.repeat((2, 1, 1))))
    assert two["energy"] == pytest.approx(2 * one["energy"], abs=1e-6)
    np.testing.assert_allclose(two["virial"], 2 * one["virial"], atol=1e-5)
    for key in ("forces", "charges", "bec"):
        np.testing.assert_allclose(two[key], np.concatenate([one[key]] * 2), atol=1e-6)


def test_padding_changes_nothing(model, parameters, structure):
    size = model.pairs(structure.numbers, structure.positions, cell_of(structure)).shape
    larger = Shape(size.atoms + 3, tuple(n + 5 for n in size.blocks), tuple(n + 2 for n in size.waves))
    plain, padded = (evaluate(model, parameters, structure, shape) for shape in (None, larger))
    for key in plain:
        np.testing.assert_allclose(padded[key], plain[key], atol=1e-9)


@pytest.mark.parametrize("density", [None, 0.5], ids=["cluster", "box"])
def test_smooth_as_an_atom_crosses_the_cutoff(model, parameters, density):
    """Energy and charges have no kink, forces and Born effective charges, their derivatives, no step."""
    first = water(1)
    second = moved(first, first.positions - first.positions[0])
    atoms = first + second
    if density:
        atoms.set_cell([9.5, 12.0, 12.0])
        atoms.pbc = True

    def at(distance, shape=None):
        atoms.positions[3:] = second.positions + first.positions[0] + [distance, 0, 0]
        return evaluate(model, parameters, atoms, shape)

    step = 1e-4
    at(model.cutoff - step)
    room = model.pairs(atoms.numbers, atoms.positions, cell_of(atoms)).shape
    at_cutoff = at(model.cutoff, room)
    bends = {}
    for width in (step, step / 10):
        below, above = (at(model.cutoff + sign * width, room) for sign in (-1, 1))
        slope = (above["energy"] - below["energy"]) / (2 * width)
        assert slope == pytest.approx(-at_cutoff["forces"][3:, 0].sum(), abs=5 * width)
        for key, middle in at_cutoff.items():
            bend = np.abs(below[key] - 2 * np.asarray(middle) + above[key]).max()
            bends.setdefault(key, []).append(bend)
    for key in ("energy", "charges"):
        assert bends[key][0] < 1e-6, key
    for key in ("forces", "bec", "virial"):
        assert bends[key][0] < 50 * step and bends[key][1] < 0.2 * bends[key][0] + 1e-9, key
