"""Covalent bonds: molecules, ions, hydrogen bonds, shared hydrogens, periodic cells, solids."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.collections import g2
from examples import water

from bornflow.connectivity import count_connected, count_molecules, covalent_bonds
from bornflow.errors import BornflowError

SALTS = {"LiF": 2, "NaCl": 2, "AlF3": 4, "AlCl3": 4, "LiH": 2, "BeH": 2, "Li2": 2, "Na2": 2}


def one_water(oxygen, up, length=0.9584) -> Atoms:
    """A water whose two hydrogens point along `up`."""
    up = np.array(up, float) / np.linalg.norm(up)
    side = np.cross(up, [0.3, 0.4, 0.86])
    side /= np.linalg.norm(side)
    half = np.radians(104.45 / 2)
    arms = [np.cos(half) * up + sign * np.sin(half) * side for sign in (1, -1)]
    return Atoms("OHH", [oxygen, *(oxygen + length * arm for arm in arms)])


def shell(ion: str, distance: float, outward: bool = True) -> Atoms:
    """An ion and six waters, their oxygens at `distance`."""
    atoms = Atoms(ion, [[0, 0, 0]])
    for direction in np.vstack([np.eye(3), -np.eye(3)]):
        atoms += one_water(distance * direction, direction if outward else -direction)
    return atoms


@pytest.mark.parametrize("name", g2.names)
def test_a_molecule_is_connected_and_ions_of_a_salt_are_not(name):
    assert count_connected(molecule(name)) == SALTS.get(name, 1)


SHELLS = [("Na", 2.40), ("Na", 2.2), ("K", 2.80), ("Li", 1.95), ("Rb", 2.9), ("Cs", 3.1), ("Be", 1.65)]
SHELLS += [
    ("Mg", 2.07),
    ("Ca", 2.4),
    ("Sr", 2.6),
    ("Ba", 2.8),
    ("Zn", 2.08),
    ("Fe", 2.0),
    ("Al", 1.9),
    ("La", 2.5),
]


@pytest.mark.parametrize(("ion", "distance"), SHELLS)
def test_an_ion_and_its_six_waters_are_seven_molecules(ion, distance):
    atoms = shell(ion, distance)
    assert count_connected(atoms) == 7
    assert len(covalent_bonds(atoms).first) == 12, "two O-H bonds a water"


@pytest.mark.parametrize(("ion", "distance"), [("Cl", 3.15), ("Br", 3.3), ("I", 3.6), ("F", 2.6)])
def test_an_anion_whose_waters_point_at_it_is_a_molecule_of_its_own(ion, distance):
    assert count_connected(shell(ion, distance, outward=False)) == 7


def proton(first: float, second: float) -> Atoms:
    """H5O2+ (or H3O+ and a water): a proton between two oxygens at these distances."""
    return (
        one_water(np.zeros(3), [-1, 0, 0])
        + Atoms("H", [[first, 0, 0]])
        + one_water(np.array([first + second, 0, 0]), [1, 0, 0])
    )


@pytest.mark.parametrize(
    ("first", "second", "bonds", "groups"),
    [(1.2, 1.2, 6, 1), (1.15, 1.25, 6, 1), (1.05, 1.5, 5, 2), (1.2, 1.5, 5, 2), (0.97, 1.6, 5, 2)],
)
def test_a_proton_has_two_bonds_only_if_their_lengths_are_similar(first, second, bonds, groups):
    atoms = proton(first, second)
    assert len(covalent_bonds(atoms).first) == bonds
    assert count_connected(atoms) == groups


def test_a_stretched_bond_is_kept_although_another_oxygen_is_near():
    pair = one_water(np.zeros(3), [1, 0, 0], length=1.2)
    pair += one_water(pair.positions[1] + 1.5 * (pair.positions[1] / 1.2), pair.positions[1])
    assert count_connected(pair) == 2
    assert sorted(zip(*covalent_bonds(pair)[:2], strict=True)) == [(0, 1), (0, 2), (3, 4), (3, 5)]


@pytest.mark.parametrize(
    ("atoms", "groups"),
    [
        (Atoms("OH3", [[0, 0, 0.1], [0.98, 0, 0], [-0.49, 0.85, 0], [-0.49, -0.85, 0]]), 1),
        (Atoms("FHF", [[-1.14, 0, 0], [0, 0, 0], [1.14, 0, 0]]), 1),
        (Atoms("B2H6", [[0, 0, 0.88], [0, 0, -0.88], [0, 0.97, 0], [0, -0.97, 0]] + [
            [x, 0, z] for x in (1.04, -1.04) for z in (1.46, -1.46)]), 1),
        (Atoms("H4", [[0, 0, 0], [0.74, 0, 0], [0, 0, 1.8], [0.74, 0, 1.8]]), 2),
        (Atoms("ClH", [[0, 0, 0], [1.28, 0, 0]]), 1),
        (Atoms("BrBr", [[0, 0, 0], [2.28, 0, 0]]), 1),
        (Atoms("I3", [[0, 0, 0], [2.92, 0, 0], [-2.92, 0, 0]]), 1),
        (Atoms("CH3ZnCH3", [[0, 0, 1.93], [1.03, 0, 2.3], [-0.51, 0.89, 2.3], [-0.51, -0.89, 2.3]] + [
            [0, 0, 0], [0, 0, -1.93], [1.03, 0, -2.3], [-0.51, 0.89, -2.3], [-0.51, -0.89, -2.3]]), 1),
        (Atoms("FeCO", [[0, 0, 0], [1.82, 0, 0], [2.97, 0, 0]]), 1),
        (Atoms("ArAr", [[0, 0, 0], [3.8, 0, 0]]), 2),
        (Atoms("SF6", np.vstack([np.zeros((1, 3)), 1.56 * np.eye(3), -1.56 * np.eye(3)])), 1),
    ],
    ids=["H3O+", "FHF-", "B2H6", "two H2", "HCl", "Br2", "I3-", "Zn(CH3)2", "FeCO", "Ar2", "SF6"],
)  # fmt: skip
def test_other_molecules(atoms, groups):
    assert count_connected(atoms) == groups


@pytest.mark.parametrize(
    ("solid", "groups"),
    [
        (bulk("Cu", cubic=True), 4),
        (bulk("NaCl", "rocksalt", a=5.64, cubic=True), 8),
        (bulk("MgO", "rocksalt", a=4.21, cubic=True), 8),
        (bulk("Si", cubic=True), 1),
        (bulk("C", cubic=True), 1),
    ],
)
def test_atoms_of_metals_and_salts_are_single_molecules_and_a_covalent_crystal_is_one(solid, groups):
    assert count_connected(solid) == groups
    assert len(covalent_bonds(solid).first) == (16 if groups == 1 else 0), (
        "each of eight atoms has four bonds"
    )


@pytest.mark.parametrize("move", [0.0, 1.7, 5.1])
def test_bonds_cross_the_faces_of_a_cell(move):
    atoms = water(8, 0.9)
    atoms.positions += move
    atoms.wrap()
    bonds = covalent_bonds(atoms)
    vectors = atoms.positions[bonds.second] + bonds.shifts @ atoms.cell.array - atoms.positions[bonds.first]
    assert np.linalg.norm(vectors, axis=1).max() < 1.3
    assert (len(bonds.first), count_connected(atoms)) == (16, 8)


def test_an_atom_is_bonded_to_its_own_images_once_in_each_direction():
    chain = Atoms("C", [[0, 0, 0]], cell=[1.4, 20, 20], pbc=True)
    assert covalent_bonds(chain).shifts.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("given", [-2, 0, 7, 2.5, "two", True, np.nan, np.array([1, 2])])
def test_an_impossible_number_of_molecules_is_rejected(given):
    atoms = water(2)
    atoms.info["n_molecules"] = given
    with pytest.raises(BornflowError, match=r"n_molecules is .* an integer from 1 to 6 .* remove it"):
        count_molecules(atoms)


def test_the_number_of_molecules_in_the_file_is_used():
    atoms = water(2)
    for given in (1, 3, np.int64(3), 3.0):
        atoms.info["n_molecules"] = given
        assert count_molecules(atoms) == given
    del atoms.info["n_molecules"]
    assert count_molecules(atoms) == 2


@pytest.mark.parametrize(
    "cell", [np.zeros((3, 3)), np.full((3, 3), np.nan), 0.1 * np.eye(3), 1e30 * np.eye(3)]
)
def test_an_invalid_cell_is_rejected_with_the_name_of_the_structure(cell):
    atoms = water(2)
    atoms.cell, atoms.pbc = cell, True
    with pytest.raises(BornflowError, match="water-2-0: the cell"):
        covalent_bonds(atoms)
