"""Packing, tight-binding sampling, farthest-point sampling, and the hexamers' hydrogen bonds."""

import ase.io
import numpy as np
import pytest
from examples import PUBLISHED, ROOT, water

from bornflow.config.load import complete
from bornflow.connectivity import dangling_hydrogens, hydrogen_bonds
from bornflow.errors import BornflowError
from bornflow.io import frames
from bornflow.structures.generate import generate
from bornflow.structures.isomers import ISOMERS, embed, isomer, lowest, orientations, place_hydrogens
from bornflow.structures.packing import box_edge, pack_water
from bornflow.structures.select import holds_together, select

SOAP = complete({})["structures"]["soap"]


def test_a_box_of_water_has_the_density_asked_for():
    assert box_edge(32, 0.997) == pytest.approx(9.866, abs=2e-3)  # the size that the literature uses


@pytest.mark.parametrize("density", [None, 0.997])
def test_packing_leaves_no_overlap(density):
    atoms = pack_water(12, np.random.default_rng(0), density)
    distances = atoms.get_all_distances(mic=density is not None)
    molecules = np.arange(36) // 3
    assert distances[molecules[:, None] != molecules].min() > 1.6


def test_too_dense_a_box_is_rejected(monkeypatch):
    monkeypatch.setattr("bornflow.structures.packing.ATTEMPTS", 500)
    with pytest.raises(BornflowError, match="lower the density"):
        pack_water(32, np.random.default_rng(0), 1.3)


def test_a_pool_is_sampled_reproducibly_and_hotter_runs_stretch_more():
    pools = {"cluster-2": {"molecules": 2, "select": 2, "starts": 1, "steps": 60, "interval": 10}}
    options = complete({"structures": {"pools": pools}})["structures"]["pools"]["cluster-2"]
    first, second = (generate("cluster-2", options, seed=3) for _ in range(2))
    assert len(first) == 1 + 2 * 6
    assert len({atoms.info["structure"] for atoms in first}) == len(first)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-6)


def test_a_pool_of_files_keeps_names_and_drops_labels(tmp_path):
    labelled = [frames.with_labels(water(2, seed=seed), {"energy": -1.0}) for seed in range(3)]
    frames.write(tmp_path / "own.extxyz", labelled)
    pools = {"own": {"files": [str(tmp_path / "own.extxyz")], "select": 2}}
    options = complete({"structures": {"pools": pools}})["structures"]["pools"]["own"]
    pool = generate("own", options, seed=0)
    assert [atoms.info["structure"] for atoms in pool] == [a.info["structure"] for a in labelled]
    assert all(frames.label(atoms, "energy") is None for atoms in pool)
    np.testing.assert_allclose(pool[1].positions, labelled[1].positions, atol=1e-7)


def test_a_pool_of_boxes_and_clusters_is_rejected():
    with pytest.raises(BornflowError, match="a pool of its own"):
        select([water(4), water(4, 0.9)], 1, SOAP, 50.0)
    assert len(select([water(4), water(4, 0.9)], 2, SOAP, 50.0)) == 2


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
    prism = lowest("prism", seed=0, tries=100)
    assert isomer(prism) == "prism"
    assert len(hydrogen_bonds(prism)) == 9
    assert hydrogen_bonds(prism[prism.numbers == 1]) == set()


def test_a_longer_selection_begins_with_the_shorter_one():
    pool = [water(2, seed=seed) for seed in range(20)]
    names = [[atoms.info["structure"] for atoms in select(pool, n, SOAP, 50.0)] for n in (3, 8)]
    assert names[1][:3] == names[0]
    assert len(set(names[1])) == 8


def test_selection_reaches_the_outlier():
    pool = [water(1, seed=0) for _ in range(10)]
    for index, atoms in enumerate(pool):
        atoms.info["structure"] = f"w{index}"
        atoms.positions[1] *= 1 + 1e-4 * index
    pool[6].positions[1] = 2 * pool[6].positions[0] - pool[6].positions[2] + [0.3, 0, 0]
    assert select(pool, 2, SOAP, 50.0)[1].info["structure"] == "w6"


def test_clusters_that_fell_apart_are_left_out():
    atoms = water(2)
    assert holds_together(atoms, 20.0)
    atoms.positions[3:] += 30
    assert not holds_together(atoms, 20.0)
    with pytest.raises(BornflowError, match="0 that hold together"):
        select([atoms], 1, SOAP, 4.0)


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
