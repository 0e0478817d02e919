"""The labelling job: rejected structures are named, known labels are used, batches are joined."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from ase import Atoms
from examples import ROOT, water

from bornflow.config.load import complete
from bornflow.errors import BornflowError, Rejected
from bornflow.io import frames, rejections
from bornflow.labels.engines import create
from bornflow.labels.engines.base import text_hash
from bornflow.labels.finite_field import accept, central_difference
from bornflow.labels.join_sets import join
from bornflow.labels.label import label_structures
from bornflow.labels.settings import XTBSettings, load_settings

SETTINGS = replace(load_settings(None), known=[])


def test_a_rejected_structure_is_named_and_the_others_are_labelled(tmp_path):
    structures = [water(1, seed=0), water(8, 0.9, seed=1), water(2, seed=2)]
    labelled, rejected = label_structures(structures, "xtb", SETTINGS, tmp_path)
    assert [atoms.info["structure"] for atoms in labelled] == ["water-1-0", "water-2-2"]
    assert [name for name, _ in rejected] == ["water-8-1"]
    assert "is periodic" in rejected[0][1]
    rejections.write(tmp_path / "rejected.csv", rejected)
    assert (tmp_path / "rejected.csv").read_text().startswith("structure,reason\nwater-8-1,")


def test_the_gate_is_applied(tmp_path):
    strict = replace(SETTINGS, gate={"sum_rule": 0.05, "nonlinearity": 1e-12})
    labelled, rejected = label_structures([water(1)], "xtb", strict, tmp_path)
    assert not labelled
    assert "labels.gate.nonlinearity" in rejected[0][1]


def test_a_kink_in_the_forces_that_satisfies_the_sum_rule_is_rejected(tmp_path):
    shipped = next(a for a in frames.read(ROOT / "resources/labels/water.extxyz") if len(a) == 18)
    gate = SETTINGS.gate
    forces = {(axis, sign): np.zeros((18, 3)) for axis in range(3) for sign in (1, -1)}
    forces[0, 1][[0, 4], 0] = 9.5e-5, -9.5e-5  # 0.095 e in two of its charges
    response = central_difference(forces, np.zeros((18, 3)), 5e-4)
    assert response.sum_rule < 1e-12
    with pytest.raises(Rejected, match="nonlinearity"):
        accept(response.residuals, gate)
    accept({key: shipped.info[key] for key in gate}, gate)


def test_labels_carry_their_own_provenance_only(tmp_path):
    atoms = water(1)
    atoms.info["scf_retried"] = "3"
    atoms.info["label_program"] = "another"
    (made,), _ = label_structures([atoms], "xtb", SETTINGS, tmp_path)
    assert "scf_retried" not in made.info
    assert made.info["label_program"].startswith("tblite")


def test_a_box_does_not_get_the_label_of_a_cluster(tmp_path):
    (made,), _ = label_structures([water(1)], "xtb", SETTINGS, tmp_path)
    frames.write(tmp_path / "known.extxyz", [made])
    box = frames.read(tmp_path / "known.extxyz")[0]
    box.set_cell([9, 9, 9])
    box.pbc = True
    known = replace(SETTINGS, known=[str(tmp_path / "known.extxyz")])
    assert "is periodic" in label_structures([box], "xtb", known, tmp_path)[1][0][1]


def test_sets_are_joined_without_repeating_a_calculation(tmp_path):
    first, _ = label_structures([water(1), water(2)], "xtb", SETTINGS, tmp_path)
    second, _ = label_structures([water(2), water(3)], "xtb", SETTINGS, tmp_path)
    joined = join([*first, *second])
    assert [len(atoms) for atoms in joined] == [3, 6, 9]
    second[1].info["structure"] = first[0].info["structure"]
    with pytest.raises(BornflowError, match="two structures are called"):
        join([*first, *second])


def test_sets_labelled_by_different_methods_are_not_joined(tmp_path):
    (one,), _ = label_structures([water(1)], "xtb", SETTINGS, tmp_path)
    (two,), _ = label_structures([water(2)], "xtb", replace(SETTINGS, xtb=XTBSettings(field=1e-3)), tmp_path)
    with pytest.raises(
        BornflowError, match=r"1-0 was labelled with\n.*0.0005au, .*\nand water-2-0 with\n.*0.001au"
    ):
        join([one, two])
    (two,), _ = label_structures([water(2)], "xtb", SETTINGS, tmp_path)
    two.info["field_operator"] = "berry"
    with pytest.raises(BornflowError, match=r"position\nand water-2-0 with\n.*berry"):
        join([one, two])
    del one.info["label_hash"]
    with pytest.raises(BornflowError, match="water-1-0 has no label_hash"):
        join([one])


@pytest.mark.parametrize("key", ["12e4567890123456", "00e4567890123456", "1234567890123456"])
def test_a_hash_is_text_when_it_is_read_again(key, tmp_path):
    atoms = water(1)
    atoms.info["label_hash"] = text_hash(key + 48 * "0")
    frames.write(tmp_path / "s.extxyz", [atoms])
    assert frames.read(tmp_path / "s.extxyz")[0].info["label_hash"] == f"sha256:{key}"


def test_no_geometry_is_trained_on_twice():
    data = complete(yaml.safe_load((ROOT / "config/config.yaml").read_text()))["training"]["data"]
    seen = {}
    for atoms in frames.read_all([ROOT / path for path in data]):
        distances = np.sort(atoms.get_all_distances(mic=bool(atoms.pbc.any())).ravel())
        same = seen.setdefault((len(atoms), *np.round(distances[len(atoms) : len(atoms) + 40], 4)), atoms)
        assert same is atoms, f"{atoms.info['structure']} is {same.info['structure']}"


def test_a_known_label_is_used_unchanged(tmp_path):
    path = tmp_path / "known.extxyz"
    frames.write(tmp_path / "s.extxyz", [water(2)])
    structures = frames.read(tmp_path / "s.extxyz")
    (made,), _ = label_structures(structures, "xtb", SETTINGS, tmp_path)
    labels = {key: frames.label(made, key) for key in frames.LABELS}
    marked = frames.with_labels(made, labels | {"energy": 1.25})
    structures[0].info["label_hash"] = "that of another label"
    frames.write(path, [marked])
    renamed = structures[0].copy()
    renamed.info["structure"] = "again"
    (taken,), _ = label_structures([renamed], "xtb", replace(SETTINGS, known=[str(path)]), tmp_path)
    assert frames.label(taken, "energy") == 1.25
    assert taken.info["structure"] == "again"
    assert taken.info["label_hash"] == made.info["label_hash"], "provenance is the label's"
    strict = replace(SETTINGS, known=[str(path)], gate={"sum_rule": 0.05, "nonlinearity": 1e-12})
    assert label_structures([renamed], "xtb", strict, tmp_path)[1][0][0] == "again", "the gate applies to all"
    spoilt = labels["bec"] + 0.2 * (np.arange(6) == 0)[:, None, None]
    frames.write(path, [frames.with_labels(made, labels | {"bec": spoilt})])
    ((_, reason),) = label_structures([renamed], "xtb", replace(SETTINGS, known=[str(path)]), tmp_path)[1]
    assert reason.startswith("sum_rule is 0.2"), "the value in the file is not trusted"
    for damaged in (frames.with_labels(made, {"energy": 1.25}), moved_hydrogen(marked)):
        frames.write(path, [damaged])
        (fresh,), _ = label_structures([renamed], "xtb", replace(SETTINGS, known=[str(path)]), tmp_path)
        assert frames.label(fresh, "energy") < -100, "a hash alone is no label of this structure"
    frames.write(path, [marked])
    renamed.positions[0, 0] += 1e-3
    (fresh,), _ = label_structures([renamed], "xtb", replace(SETTINGS, known=[str(path)]), tmp_path)
    assert frames.label(fresh, "energy") < -100


def moved_hydrogen(atoms):
    moved = atoms.copy()
    moved.calc = atoms.calc
    moved.positions[1] += 0.3
    return moved


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Atoms("OH2H", [[0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]]), "11 electrons"),
        (lambda: Atoms("OH2", [[0, 0, 0], [1, 0, 0], [1, 0, 0]]), "GFN2-xTB failed for .*"),
        (lambda: Atoms("OX", [[0, 0, 0], [1, 0, 0]]), "8 electrons"),
    ],
    ids=["radical", "coincident", "no element"],
)
def test_structures_that_xtb_cannot_label_are_rejected_and_the_others_labelled(make, reason, tmp_path):
    bad = make()
    bad.info["structure"] = "bad"
    labelled, rejected = label_structures([water(1), bad, water(2)], "xtb", SETTINGS, tmp_path)
    assert len(labelled) == 2
    ((name, said),) = rejected
    assert name == "bad" and re.search(reason, said)
    with pytest.raises(Rejected, match=reason):
        create("xtb", SETTINGS).relax(bad, tmp_path)


def test_relaxing_fails_if_every_structure_is_rejected(tmp_path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"labels": {"engine": "xtb"}}))
    for structures, status in (([water(2), water(8, 0.9)], 0), ([water(8, 0.9)], 1)):
        frames.write(tmp_path / "s.extxyz", structures)
        files = ("--structures", "s.extxyz", "--out", "r.extxyz", "--rejected", "r.csv")
        common = ("--config", "c.yaml", *files)
        result = run("bornflow.labels.relax", *common, cwd=tmp_path)
        assert result.returncode == status, result.stderr
        assert "water-8-0," in (tmp_path / "r.csv").read_text()
    assert "every structure of s.extxyz was rejected, water-8-0: " in result.stderr
    assert len(frames.read(tmp_path / "r.extxyz")) == 1, "the existing file is kept"


def test_xtb_relaxes_clusters_and_rejects_boxes(tmp_path):
    moved = water(2)
    moved.positions = create("xtb", SETTINGS).relax(moved, tmp_path)
    assert 0.95 < moved.get_distance(0, 1) < 0.98
    with pytest.raises(Rejected, match="is periodic"):
        create("xtb", SETTINGS).relax(water(8, 0.9), tmp_path)


def run(module, *arguments, cwd):
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_batches_are_labelled_and_joined_and_too_many_rejections_fail(tmp_path):
    structures = [water(1 + seed % 2, seed=seed) for seed in range(5)] + [water(8, 0.9, seed=9)]
    frames.write(tmp_path / "s.extxyz", structures)
    labels = {"engine": "xtb", "batch_size": 4, "known": [], "max_rejected": 0.2}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"labels": labels}))
    for batch in "01":
        common = ("--structures", "s.extxyz", "--config", "c.yaml", "--batch", batch)
        result = run(
            "bornflow.labels.label",
            *common,
            "--out",
            f"{batch}.extxyz",
            "--rejected",
            f"{batch}.csv",
            cwd=tmp_path,
        )
        assert result.returncode == 0, result.stderr
    join = ("--tables", "0.csv", "1.csv", "--out", "rejected.csv")
    assert run("bornflow.io.rejections", *join, cwd=tmp_path).returncode == 0
    join_batches = ("--labelled", "0.extxyz", "1.extxyz", "--rejected", "rejected.csv", "--config", "c.yaml")
    result = run("bornflow.labels.join_batches", *join_batches, "--out", "all.extxyz", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    joined = frames.read(tmp_path / "all.extxyz")
    assert [atoms.info["structure"] for atoms in joined] == [a.info["structure"] for a in structures[:5]]
    assert np.isfinite(frames.label(joined[0], "bec")).all()
    labels["max_rejected"] = 0.1
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"labels": labels}))
    (tmp_path / "all.extxyz").unlink()
    result = run("bornflow.labels.join_batches", *join_batches, "--out", "all.extxyz", cwd=tmp_path)
    assert result.returncode == 1
    assert "1 of 6 structures were rejected" in result.stderr
    assert "Traceback" not in result.stderr
    assert (tmp_path / "rejected.csv").read_text().count("\nwater-8-9,") == 1
    assert not (tmp_path / "all.extxyz").exists()


def test_without_a_table_of_rejections_the_exit_status_reports_them(tmp_path):
    frames.write(tmp_path / "s.extxyz", [water(1), water(8, 0.9), water(2)])
    result = run(
        "bornflow.labels.label",
        "--structures",
        "s.extxyz",
        "--engine",
        "xtb",
        "--out",
        "l.extxyz",
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "1 of 3 structures were rejected; l.extxyz contains the others" in result.stderr
    assert len(frames.read(tmp_path / "l.extxyz")) == 2
