"""Trained models as an engine: means and spreads, rejected structures, known labels, the command line."""

import os
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
import yaml
from ase.build import molecule
from examples import noisy_parameters, search_path, variant, water

from bornflow.errors import BornflowError
from bornflow.inference import BornflowCalculator, checkpoint
from bornflow.inference.checkpoint import Checkpoint
from bornflow.inference.predict import predict_labels
from bornflow.io import frames
from bornflow.labels.engines import create
from bornflow.labels.label import label_structures
from bornflow.labels.settings import ModelSettings, load_settings
from bornflow.models.model import Model

SETTINGS = replace(load_settings(None), known=[], gate={"sum_rule": 0.05, "nonlinearity": 1e-5})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models with different weights and charges."""
    written = []
    for number, charges in enumerate(("local", "uncoupled")):
        model = Model(variant(charges=charges), ("H", "O"))
        parameters = jax.tree.map(lambda leaf, f=1 + 0.1 * number: f * leaf, noisy_parameters(model))
        folder = tmp_path_factory.mktemp("models") / charges
        checkpoint.save(folder, Checkpoint(model, parameters, np.array([-13.0, -430.0])), charges, {}, 0)
        written.append(str(folder))
    return written


def labelled_by(folders, structures, tmp_path, **changes):
    settings = replace(SETTINGS, model=ModelSettings(folders), **changes)
    return label_structures(structures, "model", settings, tmp_path)


def test_labels_are_means_with_the_spread_of_the_models(folders, tmp_path, caplog):
    ion = water(2, seed=3)
    ion.info.update(charge=1, multiplicity=2)
    structures = [water(8, 0.9, seed=1), ion]
    labelled, rejected = labelled_by(folders, structures, tmp_path)
    assert not rejected
    assert "water-2-3: models are not told multiplicities" in caplog.text
    predicted = [predict_labels(checkpoint.load(folder), structures) for folder in folders]
    for atoms, frame, *members in zip(structures, labelled, *predicted, strict=True):
        assert frame.info["structure"] == atoms.info["structure"]
        values = {key: np.array([frames.label(one, key) for one in members]) for key in frames.LABELS}
        for key in ("energy", "forces"):
            np.testing.assert_allclose(frames.label(frame, key), values[key].mean(axis=0), rtol=1e-9)
        shift = frames.label(frame, "bec") - values["bec"].mean(axis=0)
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-9)
        spread = np.linalg.norm(values["forces"].std(axis=0, ddof=1), axis=1).max()
        assert frame.info["force_uncertainty"] == pytest.approx(spread, rel=1e-6)
        assert frame.info["energy_uncertainty"] > 0 and frame.info["bec_uncertainty"] > 0
        assert frame.info["label_settings"].count("sha256:") == 2
        assert frame.info["sum_rule"] < 1e-5 < frame.info["unshifted_sum_rule"]


def test_structures_outside_the_models_are_rejected_by_name(folders, tmp_path):
    methane, overlapping, good = molecule("CH4"), water(1, seed=1), water(1)
    methane.info["structure"] = "methane"
    overlapping.positions[1] = overlapping.positions[0]
    labelled, rejected = labelled_by(folders[:1], [methane, overlapping, good], tmp_path)
    assert [frames.name(atoms) for atoms in labelled] == [frames.name(good)]
    assert "force_uncertainty" not in labelled[0].info  # of one model
    reasons = dict(rejected)
    assert "structure methane contains C; the model knows H, O only" in reasons["methane"]
    assert "0 Å apart" in reasons[frames.name(overlapping)]


def test_a_label_is_known_again_unless_the_models_differ(folders, tmp_path):
    (made,), _ = labelled_by(folders[:1], [water(1)], tmp_path)
    labels = {key: frames.label(made, key) for key in frames.LABELS}
    marked = frames.with_labels(made, labels | {"energy": -1.0})  # to be recognised by
    frames.write(tmp_path / "known.extxyz", [marked])
    known = [str(tmp_path / "known.extxyz")]
    (again,), _ = labelled_by(folders[:1], [water(1)], tmp_path, known=known)
    (other,), _ = labelled_by(folders[1:], [water(1)], tmp_path, known=known)
    assert frames.label(again, "energy") == -1
    assert frames.label(other, "energy") < -400
    assert other.info["label_hash"] != made.info["label_hash"]


def test_relaxed_structures_are_minima(folders, tmp_path):
    engine = create("model", replace(SETTINGS, model=ModelSettings(folders[:1])))
    moved = water(1)
    moved.positions = engine.relax(moved, tmp_path)
    moved.calc = BornflowCalculator.from_checkpoint(folders[0])
    assert np.linalg.norm(moved.get_forces(), axis=1).max() < 0.0101


def test_folders_are_needed_and_checked(tmp_path):
    with pytest.raises(BornflowError, match=r"labels\.model\.folders: no model given"):
        create("model", SETTINGS)
    with pytest.raises(BornflowError, match=r"missing: no config\.yaml"):
        create("model", replace(SETTINGS, model=ModelSettings([str(tmp_path / "missing")])))


def test_the_command_labels_a_file(folders, tmp_path):
    frames.write(tmp_path / "structures.extxyz", [water(1), water(2)])
    section = {"engine": "model", "model": {"folders": folders}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"labels": section}))
    command = [sys.executable, "-m", "bornflow.labels.label", "--structures", "structures.extxyz"]
    done = subprocess.run(
        [*command, "--config", "config.yaml", "--out", "labelled.extxyz"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": search_path()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "labels (model): 2/2 structures" in done.stderr
    labelled = frames.read(tmp_path / "labelled.extxyz")
    assert [atoms.info["label_program"] for atoms in labelled] == ["bornflow", "bornflow"]
