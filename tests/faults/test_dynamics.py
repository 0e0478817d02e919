"""Impossible input of a run gives one clear error before a model is loaded."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixCom
from examples import ROOT, variant, water

from bornflow.config.schema import validate
from bornflow.dynamics import md
from bornflow.dynamics.chunks import run_identity
from bornflow.dynamics.initial_conditions import read_structure
from bornflow.dynamics.settings import SystemSettings
from bornflow.dynamics.stability import StabilityMonitor
from bornflow.errors import BornflowError
from bornflow.inference.calculator import BornflowCalculator
from bornflow.inference.checkpoint import Checkpoint
from bornflow.io import frames
from bornflow.labels import relax
from bornflow.models.model import Model
from bornflow.models.pairs import list_pairs
from bornflow.spectra import response
from bornflow.structures.candidates import read_candidates
from bornflow.training import data
from bornflow.units import spectral_steps

CASES = ROOT.parent / "shared/cases"  # not part of the project
SYSTEM = {"structure": "s.extxyz", "temperature": 200, "steps": 20}
SETTINGS = SystemSettings.from_section(validate({"dynamics": {"systems": {"s": SYSTEM}}})["dynamics"], "s")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a start structure and a configuration, but no model."""
    monkeypatch.chdir(tmp_path)
    frames.write("s.extxyz", [water(2), water(3)])
    Path("cfg.yaml").write_text(yaml.safe_dump({"dynamics": {"systems": {"s": SYSTEM}}}))
    return tmp_path


def rejection(monkeypatch, capsys, **changes) -> str:
    """The one line that `dynamics.md` ends with."""
    given = {"checkpoint": "no-model", "structure": "s.extxyz", "config": "cfg.yaml", "out": "r.h5"} | changes
    words = [f"--{key}={value}" for key, value in given.items()]
    monkeypatch.setattr(sys, "argv", ["md", *words])
    with pytest.raises(SystemExit) as end:
        md.main()
    message = str(end.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


REJECTED = {
    "frame -1": ({"frame": -1}, "s.extxyz contains 2 frames, counted from 0: there is no frame -1"),
    "frame 2": ({"frame": 2}, "there is no frame 2, choose one from 0 to 1"),
    "frame huge": ({"frame": 10**30}, "there is no frame 1000000"),
    "seed -1": ({"seed": -1}, "--seed is -1; choose an integer from 0 to 4294967295"),
    "seed 2**32": ({"seed": 2**32}, "--seed is 4294967296"),
    "seed huge": ({"seed": 10**40}, "--seed is 1000"),
    "folder": ({"out": "folder.h5"}, "folder.h5, which is a folder"),
    "no suffix": ({"out": "run"}, "whose name ends in .h5"),
    "csv": ({"out": "run.csv"}, "whose name ends in .h5"),
    "failed": ({"out": "r.failed.extxyz"}, "whose name ends in .h5"),
    "structure": ({"out": "s.extxyz"}, "is read (--structure) and would be overwritten"),
    "other suffix": ({"out": "r.extxyz"}, "whose name ends in .h5"),
    "structure as h5": (
        {"out": "twin.h5", "structure": "twin.h5"},
        "is read (--structure) and would be overwritten",
    ),
    "failed frames": ({"out": "old.h5", "structure": "old.failed.extxyz"}, "would be overwritten"),
    "parts file": ({"out": "file.h5"}, "file.parts is a file"),
    "parts of others": ({"out": "mine.h5"}, "mine.parts contains thesis.tex, which is no chunk of a run"),
    "parent is a file": ({"out": "s.extxyz/r.h5"}, "the folder s.extxyz is not writable"),
    "parent of the system": ({"out": "/proc/none/r.h5"}, "the folder /proc/none is not writable"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_arguments_are_rejected_before_the_model_is_loaded(folder, monkeypatch, capsys, case):
    changes, reason = REJECTED[case]
    Path("folder.h5").mkdir()
    Path("file.parts").touch()
    Path("mine.parts").mkdir()
    Path("mine.parts/thesis.tex").write_text("years of work")
    for copy in ("twin.h5", "old.failed.extxyz"):
        Path(copy).write_bytes(Path("s.extxyz").read_bytes())
    before = sorted(path.name for path in folder.rglob("*"))
    assert reason in rejection(monkeypatch, capsys, **changes)
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_rejected(folder, monkeypatch, capsys):
    Path("locked").mkdir(mode=0o500)
    assert "the folder locked is not writable" in rejection(monkeypatch, capsys, out="locked/r.h5")


def test_without_a_fault_only_the_model_is_missing(folder, monkeypatch, capsys):
    """The arguments above are rejected because of their faults: valid ones reach the missing model."""
    for changes in ({}, {"frame": 1}, {"seed": 2**32 - 1}, {"out": "new/folder/r.h5"}):
        assert "no-model" in rejection(monkeypatch, capsys, **changes)


CONSTRAINTS = {
    "FixAtoms": (lambda: FixAtoms([0, 4]), 2),
    "FixCartesian": (lambda: FixCartesian([3], [True, False, False]), 1),
    "FixBondLengths": (lambda: FixBondLength(0, 1), 2),
    "FixCom": (lambda: FixCom(), 6),
}


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_a_constraint_is_rejected_by_everything_that_moves_atoms(kind, model, parameters, tmp_path):
    make, count = CONSTRAINTS[kind]
    atoms = water(2)
    atoms.set_constraint(make())
    calculator = BornflowCalculator(Checkpoint(model, parameters, np.zeros(2)))
    expected = rf"water-2-0: constraints \({kind}\) fix {count} of 6 atoms, .* remove the constraints"
    with pytest.raises(BornflowError, match=expected):
        md.simulate(atoms, calculator, SETTINGS, 0, tmp_path / "r.h5")
    with pytest.raises(BornflowError, match=expected):
        response.in_field([atoms], calculator, 0.01, 0.5, 3)
    assert not list(tmp_path.iterdir())


def constrained_file(path) -> Path:
    """Water with two fixed atoms, as ASE writes it."""
    atoms = water(8, 0.9)
    atoms.set_constraint(FixAtoms([0, 4]))
    frames.write(path, [water(8, 0.9, seed=1), atoms])
    return path


def test_a_constrained_structure_of_a_file_is_rejected(folder, monkeypatch, capsys):
    constrained_file("held.extxyz")
    message = rejection(monkeypatch, capsys, structure="held.extxyz", frame=1)
    assert "held.extxyz, frame 1 (water-8-0): constraints (FixAtoms) fix 2 of 24 atoms" in message
    assert "move_mask" in message
    with pytest.raises(BornflowError, match="fix 2 of 24"):
        read_structure("held.extxyz", 1, [2, 1, 1])


def test_a_relaxation_rejects_constrained_structures_and_writes_no_file(folder, monkeypatch):
    constrained_file("held.extxyz")
    words = ["--structures=held.extxyz", "--out=o.extxyz", "--rejected=r.csv"]
    monkeypatch.setattr(sys, "argv", ["relax", *words])
    with pytest.raises(SystemExit, match=r"held.extxyz, water-8-0: .* a relaxation moves all atoms"):
        relax.main()
    assert not Path("o.extxyz").exists()
    assert not Path("r.csv").exists()


def test_a_pool_of_constrained_structures_is_rejected_if_relaxed_and_otherwise_reported(folder, caplog):
    constrained_file("held.extxyz")
    with pytest.raises(BornflowError, match="the relaxation of the pool moves all atoms"):
        read_candidates(["held.extxyz"], relax=True)
    pool = read_candidates(["held.extxyz"], relax=False)
    assert not any(atoms.constraints for atoms in pool)
    assert caplog.text.count("constraints are left out") == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_molecules": "two"}, "n_molecules=two found; an integer"),
        ({"n_molecules": -3}, "n_molecules=-3 found"),
        ({"n_molecules": 2.5}, "n_molecules=2.5 found"),
        ({"n_molecules": 25}, "n_molecules=25 found; an integer from 1 to 24"),
        ({"cell": np.zeros(3)}, "no Lattice is given"),
        ({"cell": [10, 10, 1e9]}, "component of 1e.09 Å"),
        ({"cell": [1.0, 1.0, 1.0]}, "check the unit"),
        ({"shift": 1e30}, r"has a coordinate of 1e\+30 Å"),
    ],
)
def test_an_invalid_start_structure_is_rejected_with_file_and_frame(folder, change, reason):
    atoms = water(8, 0.9)
    if "cell" in change:
        atoms.set_cell(change["cell"])
    atoms.positions[3, 0] += change.get("shift", 0.0)
    if "n_molecules" in change:
        atoms.info["n_molecules"] = change["n_molecules"]
    frames.write("bad.extxyz", [atoms])
    with pytest.raises(BornflowError, match=rf"bad.extxyz.*{reason}"):
        read_structure("bad.extxyz", 0, [1, 1, 1])


def test_a_number_of_molecules_that_disagrees_with_the_bonds_is_reported(folder, caplog):
    atoms = water(8, 0.9)
    for given, warning in ((8, ""), (4, "n_molecules is 4, but the covalent bonds connect its atoms to 8")):
        atoms.info["n_molecules"] = given
        frames.write("w.extxyz", [atoms])
        assert read_structure("w.extxyz", 0, [2, 1, 1]).info["n_molecules"] == 2 * given
        assert warning in caplog.text


def test_unused_velocities_of_a_file_are_reported(folder, caplog):
    atoms = water(2)
    atoms.set_momenta(np.ones((6, 3)))
    frames.write("v.extxyz", [atoms])
    read_structure("v.extxyz", 0, [1, 1, 1])
    assert "its velocities are not used" in caplog.text


def test_a_water_may_leave_an_ion_and_no_hydrogen_its_oxygen(tmp_path):
    atoms = water(2)
    atoms.symbols[0] = "Na"  # with two hydrogens next to it
    monitor = StabilityMonitor(atoms, SETTINGS, tmp_path / "f.extxyz")
    assert sorted(zip(*monitor.bonds[:2], strict=True)) == [(3, 4), (3, 5)]
    atoms.positions[:3] += 8.0
    monitor.check(atoms, 1, 0.0, 300.0)
    atoms.positions[4] += 3.0
    with pytest.raises(BornflowError, match=r"step 2: the bond of atom 3 \(O\) and atom 4 \(H\)"):
        monitor.check(atoms, 2, 0.0, 300.0)


FAR = [1e30, -1e30, 1e200, 1e12, 2e4]


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("periodic", [False, True])
def test_atoms_too_far_away_are_rejected_and_do_not_kill_the_process(far, periodic):
    positions = np.array([[far, 2.5, 3.5], [4.4, 1.8, 2.7], [4.4, 3.2, 3.7]])
    cell = 10 * np.eye(3) if periodic else None
    with pytest.raises(BornflowError, match=r"atom 0 has a coordinate of .* the largest possible is 10000 Å"):
        list_pairs(np.zeros(3, int), positions, cell, 1, 6.0, 3.0)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (5000 * np.eye(3), "the long-range sum needs"),
        (0.1 * np.eye(3), "check the unit"),
        (1e300 * np.eye(3), "the cell"),
    ],
)
def test_cells_that_need_too_much_memory_are_rejected(cell, reason):
    with pytest.raises(BornflowError, match=reason):
        list_pairs(np.zeros(3, int), np.eye(3), cell, 1, 6.0, 3.0)


def test_a_training_names_the_structure_that_is_too_far_apart():
    atoms = water(1)
    atoms.info["structure"] = "flown"
    atoms.positions[0, 0] = 1e30
    with pytest.raises(BornflowError, match="structure flown: atom 0 has a coordinate"):
        data.make_buckets([atoms], Model(variant(), ("H", "O")), np.zeros(2), 10)


@pytest.mark.parametrize("resolution", [1e300, 1e-320, 0.0, -5.0, float("nan"), float("inf"), 5e4])
def test_an_impossible_resolution_is_rejected(resolution):
    with pytest.raises(BornflowError, match=r"spectra.resolution is .* choose a finer one"):
        spectral_steps(resolution, 0.5)
    assert spectral_steps(20, 0.5) == 3336


@pytest.mark.skipif(not (CASES / "files").is_dir(), reason="the cases that were found are not here")
def test_earlier_failures_are_rejected():
    with pytest.raises(BornflowError, match="fix 48 of 96 atoms"):
        read_structure(CASES / "files/06-constraint/fixed.extxyz", 0, [1, 1, 1])
    ids = []
    for name in ("h2o", "d2o"):
        atoms = read_structure(CASES / f"files/07-masses/{name}.extxyz", 0, [1, 1, 1])
        ids.append(run_identity(atoms, SETTINGS, 0, b""))
    assert ids[0] != ids[1]
    assert atoms.get_masses()[1] == 2.014
