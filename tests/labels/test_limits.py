"""Limits of labels: overlapping atoms, too large forces and energies are rejected."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from examples import ROOT, water

from bornflow.errors import Rejected
from bornflow.io import frames
from bornflow.labels import limits
from bornflow.labels.engines import create, xtb
from bornflow.labels.label import label_structures
from bornflow.labels.settings import load_settings
from bornflow.units import FORCE_AU

SETTINGS = replace(load_settings(None), known=[])


def near(distance: float, symbol: str = "H") -> Atoms:
    """Two waters; an atom of the second, of element `symbol`, is at `distance` [Å] from the first oxygen."""
    atoms = water(2)
    atoms.positions[4] = atoms.positions[0] + [0, 0, distance]
    atoms.symbols[4] = symbol
    return atoms


@pytest.mark.parametrize("distance", [0.0017, 0.05, 0.1, 0.2, 0.3, 0.4, 0.48])
def test_overlapping_atoms_get_no_label(distance, tmp_path):
    labelled, ((_, reason),) = label_structures([near(distance), water(1)], "xtb", SETTINGS, tmp_path)
    assert len(labelled) == 1
    assert f"atoms 0 (O) and 4 (H) are {distance:.2g} Å apart, 0.48 Å or more expected" in reason


def test_an_atom_may_not_overlap_with_a_periodic_image():
    atoms = Atoms("HH", [[0.1, 2, 2], [3.9, 2, 2]], cell=[4, 4, 4], pbc=True)
    with pytest.raises(Rejected, match=r"atoms 0 \(H\) and 1 \(H\) are 0.2 Å apart"):
        limits.reject_overlaps(atoms)
    with pytest.raises(Rejected, match=r"atoms 0 \(He\) and 0 \(He\) are 0.25 Å apart"):
        limits.reject_overlaps(Atoms("He", cell=[0.25, 9, 9], pbc=True))
    atoms.pbc = False
    limits.reject_overlaps(atoms)


@pytest.mark.parametrize("name", ["H2", "N2", "CO", "C2H2", "H2O", "HCN", "P2", "LiF", "Na2", "SO2", "F2"])
def test_molecules_are_within_all_limits(name):
    atoms = molecule(name)
    free, _, _ = xtb.calculate(atoms, 5e-4)
    limits.reject(atoms, free.forces * FORCE_AU)
    assert np.isfinite(free.energy)


def test_shipped_labels_are_within_all_limits():
    for name in ("water", "water-xtb"):
        for atoms in frames.read(ROOT / f"resources/labels/{name}.extxyz"):
            limits.reject(atoms, frames.label(atoms, "forces"))
            if name == "water-xtb":
                limits.reject_energy(atoms, frames.label(atoms, "energy"), xtb._free_atom)


@pytest.mark.parametrize("size", [101.0, 1e6, np.nan, np.inf])
def test_the_atom_with_a_too_large_force_is_named(size):
    forces = np.zeros((3, 3))
    forces[1, 2] = size
    with pytest.raises(Rejected, match=r"force on atom 1 \(H\) is .* eV/Å, 100 or less expected"):
        limits.reject_forces(water(1), forces)
    forces[1, 2] = 99.0
    limits.reject_forces(water(1), forces)


@pytest.mark.parametrize("apart", [-16.0, 16.0, np.nan])
def test_an_energy_far_from_that_of_free_atoms_is_rejected(apart):
    with pytest.raises(Rejected, match=r"eV per atom from that of free atoms, at most ±15 expected"):
        limits.reject_energy(water(1), -30 + 3 * apart, lambda symbol: -10.0)
    limits.reject_energy(water(1), -30 - 3 * 14.0, lambda symbol: -10.0)


def test_hartree_in_place_of_electronvolt_is_rejected():
    atoms = water(1)
    energy = xtb._single_point(atoms, np.zeros(3)).energy
    with pytest.raises(Rejected, match="free atoms"):
        limits.reject_energy(atoms, energy, xtb._free_atom)


def test_a_known_label_beyond_the_limits_is_not_used(tmp_path):
    (made,), _ = label_structures([water(2)], "xtb", SETTINGS, tmp_path)
    labels = {key: frames.label(made, key) for key in frames.LABELS}
    spoilt = frames.with_labels(made, labels | {"forces": 1e4 * labels["forces"]})
    frames.write(tmp_path / "known.extxyz", [spoilt])
    known = replace(SETTINGS, known=[str(tmp_path / "known.extxyz")])
    labelled, ((_, reason),) = label_structures([water(2)], "xtb", known, tmp_path)
    assert not labelled and "100 or less expected" in reason


def test_cp2k_is_not_started_for_overlapping_atoms(tmp_path):
    without = replace(SETTINGS, cp2k=replace(SETTINGS.cp2k, command="no-such-program"))
    with pytest.raises(Rejected, match="apart"):
        create("cp2k", without).label(near(0.1), tmp_path)
