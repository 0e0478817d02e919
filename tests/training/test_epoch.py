"""One epoch is a function of the state of a run; neighbour lists and copies are computed once."""

import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from examples import variant, water

from bornflow.config.load import complete
from bornflow.io import frames
from bornflow.models import model
from bornflow.training import copies
from bornflow.training.epoch import run_epoch
from bornflow.training.loop import prepare
from bornflow.training.settings import TrainingSettings
from bornflow.training.split import split

SECTION = complete({"training": {"epochs": 3, "batch_atoms": 12}})["training"]
SETTINGS = TrainingSettings.from_section(SECTION)
SMALL = variant(radial=6, max_degree=2, features=8, channels=2)


def labelled(seed):
    atoms = water(2, seed=seed)
    return frames.with_labels(atoms, {"energy": -900.0 + seed, "forces": 0.1 * np.ones((len(atoms), 3))})


def vectors(state):
    return [np.array(leaf) for leaf in jax.tree.leaves((state.parameters, state.average, state.optimiser))]


def test_an_epoch_does_not_change_its_state_and_can_be_repeated():
    run, first = prepare([labelled(seed) for seed in range(3)], SMALL, SETTINGS, 0, None, [])
    start = run_epoch(run, first)
    before = vectors(start)
    once, twice = run_epoch(run, start), run_epoch(run, start)
    assert (once.epoch, len(once.history), start.epoch, len(start.history)) == (2, 2, 1, 1)
    for one, two in zip(vectors(once), vectors(twice), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(vectors(start), before, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(once.parameters, start.parameters)


def test_each_neighbour_list_is_built_once(monkeypatch):
    lists, build = [], model.list_pairs
    monkeypatch.setattr(model, "list_pairs", lambda *arguments: lists.append(1) or build(*arguments))
    prepare([labelled(seed) for seed in range(5)], SMALL, SETTINGS, 0, None, [])
    assert len(lists) == 5


def test_copies_are_searched_once_in_a_split(tmp_path, monkeypatch):
    profiles, profile = [], copies.profile
    monkeypatch.setattr(copies, "profile", lambda atoms: profiles.append(1) or profile(atoms))
    frames.write(tmp_path / "a.extxyz", [labelled(seed) for seed in range(8)])
    settings = replace(SETTINGS, implausible_labels="warn")
    train, valid = split([str(tmp_path / "a.extxyz")], [], settings)
    assert len(profiles) == 8 and len(train) + len(valid) == 8


@pytest.mark.parametrize(("split_by", "trained"), [("group", {"a-1"}), ("structure", {"a-0", "a-1"})])
def test_groups_of_a_given_validation_file_are_not_trained_on(tmp_path, split_by, trained):
    structures = [labelled(seed) for seed in range(3)]
    for atoms, name, group in zip(structures, ("a-0", "a-1", "v"), ("one", "other", "one"), strict=True):
        atoms.info.update(structure=name, group=group)
    frames.write(tmp_path / "a.extxyz", structures[:2])
    frames.write(tmp_path / "v.extxyz", structures[2:])
    settings = replace(SETTINGS, implausible_labels="warn", split_by=split_by)
    train, valid = split([str(tmp_path / "a.extxyz")], [str(tmp_path / "v.extxyz")], settings)
    assert {frames.name(atoms) for atoms in train} == trained
    assert [frames.name(atoms) for atoms in valid] == ["v"]


@pytest.mark.parametrize(
    "module", ["split", "comparison", "metrics_table", "learning_curve", "recipes", "tables", "metrics"]
)
def test_modules_that_only_read_import_no_jax(module):
    code = f"import sys, bornflow.training.{module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
