"""Hexamers are built from the graph of their hydrogen bonds and recognised by it."""

import subprocess
import sys

import ase.io
import numpy as np
import pytest
from examples import PUBLISHED, ROOT

from bornflow.connectivity import dangling_hydrogens, hydrogen_bonds
from bornflow.io import frames
from bornflow.structures.hexamers import (
    ISOMERS,
    embed,
    isomer,
    lowest_minimum,
    orientations,
    place_hydrogens,
)


@pytest.mark.parametrize(("name", "bonds"), [("book", 7), ("cage", 8), ("prism", 9)])
def test_hydrogens_are_placed_by_the_graph(name, bonds):
    rng = np.random.default_rng(0)
    oxygens = embed(ISOMERS[name], rng)
    for way in orientations(ISOMERS[name])[::20]:
        atoms = place_hydrogens(oxygens, way, rng)
        assert len(way) == bonds
        assert hydrogen_bonds(atoms, longest=2.6) == set(way)
        np.testing.assert_allclose([atoms.get_distance(0, 1), atoms.get_distance(0, 2)], 0.97)


@pytest.mark.slow
def test_the_prism_is_found():
    prism = lowest_minimum("prism", seed=0, tries=100)
    assert isomer(prism) == "prism"
    assert len(hydrogen_bonds(prism)) == 9
    assert hydrogen_bonds(prism[prism.numbers == 1]) == set()


def test_an_unknown_isomer_is_rejected():
    words = ["--isomers", "boat", "--out", "o.extxyz"]
    command = [sys.executable, "-m", "bornflow.structures.hexamers", *words]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and "boat" in result.stderr and "prism" in result.stderr


@pytest.mark.parametrize(("name", "bonds"), [("book", 7), ("cage", 8), ("prism", 9)])
def test_shipped_hexamers_are_minima_with_their_hydrogen_bonds(name, bonds):
    (atoms,) = frames.read(ROOT / f"resources/structures/{name}.extxyz")
    assert len(hydrogen_bonds(atoms)) == bonds
    assert dangling_hydrogens(atoms).sum() == 12 - bonds
    assert isomer(atoms) == name
    labelled = {
        frame.info["structure"]: frame for frame in frames.read(ROOT / "resources/labels/water.extxyz")
    }
    np.testing.assert_allclose(labelled[name].positions, atoms.positions, atol=1e-6)
    force = np.abs(frames.label(labelled[name], "forces")).max()
    assert force < 0.08, "eV/Å; relaxed to 0.05 on a coarser grid"


@pytest.mark.skipif(
    not (PUBLISHED / "hexamers").exists(), reason="BORNFLOW_PUBLISHED_STRUCTURES names no folder of them"
)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hexamers/book.xyz", "book"),
        ("hexamers/cage.xyz", "cage"),
        ("water27/H2O6.xyz", "prism"),
        ("water27/H2O6c2.xyz", None),
    ],
)
def test_published_hexamers_are_recognised(path, name):
    assert isomer(ase.io.read(PUBLISHED / path)) == name
