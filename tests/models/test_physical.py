"""The model is one smooth function: exact gradients, the right symmetries, no effect of padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from examples import STRUCTURES, cell_of, graph_of, jiggle, noisy_parameters, variant, water
from scipy.spatial.transform import Rotation

from bornflow.models import electrostatics
from bornflow.models.graph import Shape
from bornflow.models.model import Model

PUBLISHED_LOREM = {"backbone": "lorem", "charge_degree": 2, "invariants": "published"}
STEP = 4e-4  # Å
BY_ATOM = ("forces", "charges", "bec", "screening", "effective_charges")  # the last two: coupled models


def derivative(function):
    """df/dx at 0 by central differences of fourth order."""
    near, far = (function(n * STEP) - function(-n * STEP) for n in (1, 2))
    return (8 * near - far) / (12 * STEP)


def evaluate(model, parameters, atoms, shape=None):
    out = model(parameters, graph_of(model, atoms, shape))
    given = {key: getattr(out, key) for key in BY_ATOM}
    by_atom = {key: np.asarray(values)[: len(atoms)] for key, values in given.items() if values is not None}
    return {"energy": float(out.energy), "virial": np.asarray(out.virial)} | by_atom


def assert_close(found, expected, within):
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=0, atol=within, err_msg=key)


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

        assert derivative(energy) == pytest.approx(-np.sum(forces * direction), abs=1e-6)


@pytest.mark.parametrize(
    ("backbone", "charges"),
    [
        ("physical", "uncoupled"),
        ("lorem", "local"),
        pytest.param("physical", "local", marks=pytest.mark.slow),
        pytest.param("lorem", "uncoupled", marks=pytest.mark.slow),
    ],
)
def test_forces_and_virial_are_derivatives_on_the_mesh_too(backbone, charges, monkeypatch):
    """Large cells use P3M; here a small cell is forced to. Charges depend on the positions."""
    used = []
    mesh_sum = electrostatics._mesh_sum
    monkeypatch.setattr(electrostatics, "_mesh_sum", lambda *args: used.append(1) or mesh_sum(*args))
    monkeypatch.setattr(electrostatics, "MESH_POINT", 0)
    monkeypatch.setattr(electrostatics, "MESH_START", 0)
    model = Model(variant(backbone=backbone, charges=charges), ("H", "O"))
    parameters, box = noisy_parameters(model), STRUCTURES["triclinic"]
    shape = model.pairs(box.numbers, box.positions, box.cell.array).shape
    out = evaluate(model, parameters, box, shape)
    rng = np.random.default_rng(0)
    direction, strain = rng.normal(size=(len(box), 3)) / 9, rng.normal(size=(3, 3)) / 30
    strain += strain.T

    def energy(step, direction=direction, strain=strain):
        deform = np.eye(3) + step * strain
        positions = (box.positions + step * direction) @ deform
        return evaluate(model, parameters, moved(box, positions, box.cell.array @ deform), shape)["energy"]

    expected = np.sum(out["virial"] * strain) - np.sum(out["forces"] * direction)
    assert derivative(energy) == pytest.approx(expected, abs=1e-6)
    assert used


@pytest.mark.parametrize(
    ("atoms", "elements", "changes"),
    [
        (jiggle(molecule("CH3CONH2"), 0), ("C", "H", "N", "O"), {"max_degree": 4, "radial": 32}),
        (STRUCTURES["triclinic"], ("H", "O"), {"radial_decay": 0, "harmonics": "solid"}),
        (STRUCTURES["triclinic"], ("H", "O"), PUBLISHED_LOREM),
    ],
    ids=["four elements and the default sizes", "the paper's radial and angular functions", "tensor charges"],
)
def test_forces_of_other_elements_and_functions(atoms, elements, changes):
    model = Model(variant(charges="local", **changes), elements)
    parameters = model.initialise(graph_of(model, atoms), 1)
    forces = evaluate(model, parameters, atoms)["forces"]
    direction = np.random.default_rng(0).normal(size=forces.shape) / 5

    def energy(step):
        return evaluate(model, parameters, moved(atoms, atoms.positions + step * direction))["energy"]

    assert derivative(energy) == pytest.approx(-np.sum(forces * direction), abs=1e-7)


def test_single_precision_is_close_to_double_precision(model, parameters, sample):
    precise = model(parameters, graph_of(model, sample))
    graph = model.graph(sample.numbers, sample.positions, cell_of(sample), None, np.float32)
    single = model(jax.tree.map(lambda leaf: jnp.asarray(leaf, np.float32), parameters), graph)
    for key in ("forces", "bec", "virial", "charges"):
        assert getattr(single, key).dtype == np.float32
        np.testing.assert_allclose(
            getattr(single, key),
            getattr(precise, key),
            rtol=0,
            atol=2e-5 * max(1, np.abs(getattr(precise, key)).max()),
            err_msg=key,
        )


def test_a_structure_without_the_first_element_has_correct_forces(model, parameters):
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
    rotated = {"forces": before["forces"] @ rotation.T}
    rotated["virial"] = rotation @ before["virial"] @ rotation.T
    rotated["bec"] = np.einsum("ab,ibc,dc->iad", rotation, before["bec"], rotation)
    assert_close(after, before | rotated, 1e-9)


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
    assert_close(evaluate(model, parameters, shifted), before, 1e-8)


def test_an_equivalent_cell_gives_the_same(model, parameters):
    box = water(8, 0.9)
    other = moved(box, box.positions, np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ box.cell.array)
    assert_close(
        *(evaluate(model, parameters, atoms) for atoms in (other, box)), 1e-6
    )  # the waves of the two cells differ


def test_permutation_of_atoms(model, parameters, structure):
    order = np.random.default_rng(3).permutation(len(structure))
    before, after = (evaluate(model, parameters, atoms) for atoms in (structure, structure[order]))
    assert_close(after, before | {key: before[key][order] for key in BY_ATOM if key in before}, 1e-9)


def test_supercell_gives_the_same_per_atom(model, parameters):
    box = water(8, 0.9)
    one, two = (evaluate(model, parameters, atoms) for atoms in (box, box.repeat((2, 1, 1))))
    twice = {key: np.concatenate([one[key]] * 2) for key in BY_ATOM if key in one}
    assert_close(two, {"energy": 2 * one["energy"]} | twice, 1e-6)
    assert_close(two, {"virial": 2 * one["virial"]}, 1e-5)


def test_padding_has_no_effect(model, parameters, sample):
    size = model.pairs(sample.numbers, sample.positions, cell_of(sample)).shape
    larger = Shape(size.atoms + 3, tuple(n + 5 for n in size.blocks), tuple(n + 2 for n in size.waves))
    plain, padded = (evaluate(model, parameters, sample, shape) for shape in (None, larger))
    assert_close(padded, plain, 1e-9)


@pytest.mark.parametrize("density", [None, 0.5], ids=["cluster", "box"])
def test_smooth_as_an_atom_crosses_the_cutoff(model, parameters, density):
    """Energy and charges have no kink; forces and Born effective charges, their derivatives, have no step."""
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
    for key in ("forces", "bec", "virial", *{"screening", "effective_charges"} & set(at_cutoff)):
        assert bends[key][0] < 50 * step and bends[key][1] < 0.2 * bends[key][0] + 1e-9, key
