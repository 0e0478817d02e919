"""Packing, tight-binding sampling, candidates from files, and farthest-point sampling."""

import numpy as np
import pytest
from examples import water

from bornflow.config.load import complete
from bornflow.errors import BornflowError
from bornflow.io import frames
from bornflow.structures.candidates import read_candidates
from bornflow.structures.connected import is_connected
from bornflow.structures.packing import box_edge, pack_water
from bornflow.structures.sample import sample
from bornflow.structures.select import select
from bornflow.structures.settings import PoolSettings, SoapSettings

SOAP = SoapSettings(**complete({})["structures"]["soap"])


def test_a_box_of_water_has_the_requested_density():
    assert box_edge(32, 0.997) == pytest.approx(9.866, abs=2e-3)  # the size in the literature


@pytest.mark.parametrize("density", [None, 0.997])
def test_packing_leaves_no_overlap(density):
    atoms = pack_water(12, np.random.default_rng(0), density)
    distances = atoms.get_all_distances(mic=density is not None)
    molecules = np.arange(36) // 3
    assert distances[molecules[:, None] != molecules].min() > 1.6


def test_a_too_dense_box_is_rejected(monkeypatch):
    monkeypatch.setattr("bornflow.structures.packing.ATTEMPTS", 500)
    with pytest.raises(BornflowError, match="lower the density"):
        pack_water(32, np.random.default_rng(0), 1.3)


def test_a_pool_is_sampled_reproducibly_and_hotter_runs_stretch_more():
    pools = {"cluster-2": {"molecules": 2, "select": 2, "starts": 1, "steps": 60, "interval": 10}}
    settings = PoolSettings(**complete({"structures": {"pools": pools}})["structures"]["pools"]["cluster-2"])
    first, second = (sample("cluster-2", settings, seed=3) for _ in range(2))
    assert len(first) == 1 + 2 * 6
    assert len({atoms.info["structure"] for atoms in first}) == len(first)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-6)


def test_a_pool_of_files_keeps_names_and_drops_labels(tmp_path):
    labelled = [frames.with_labels(water(2, seed=seed), {"energy": -1.0}) for seed in range(3)]
    frames.write(tmp_path / "own.extxyz", labelled)
    pool = read_candidates([str(tmp_path / "own.extxyz")], relax=False)
    assert [atoms.info["structure"] for atoms in pool] == [a.info["structure"] for a in labelled]
    assert all(frames.label(atoms, "energy") is None for atoms in pool)
    np.testing.assert_allclose(pool[1].positions, labelled[1].positions, atol=1e-7)


def test_a_pool_of_boxes_and_clusters_is_rejected():
    with pytest.raises(BornflowError, match="a pool of its own"):
        select([water(4), water(4, 0.9)], 1, SOAP, 50.0)
    assert len(select([water(4), water(4, 0.9)], 2, SOAP, 50.0)) == 2


def test_a_longer_selection_begins_with_the_shorter_one():
    pool = [water(2, seed=seed) for seed in range(20)]
    names = [[atoms.info["structure"] for atoms in select(pool, n, SOAP, 50.0)] for n in (3, 8)]
    assert names[1][:3] == names[0]
    assert len(set(names[1])) == 8


def test_the_outlier_is_selected():
    pool = [water(1, seed=0) for _ in range(10)]
    for index, atoms in enumerate(pool):
        atoms.info["structure"] = f"w{index}"
        atoms.positions[1] *= 1 + 1e-4 * index
    pool[6].positions[1] = 2 * pool[6].positions[0] - pool[6].positions[2] + [0.3, 0, 0]
    assert select(pool, 2, SOAP, 50.0)[1].info["structure"] == "w6"


def test_clusters_that_fell_apart_are_left_out():
    atoms = water(2)
    assert is_connected(atoms, 20.0)
    atoms.positions[3:] += 30
    assert not is_connected(atoms, 20.0)
    with pytest.raises(BornflowError, match="only 0 of the pool have not fallen apart"):
        select([atoms], 1, SOAP, 4.0)
