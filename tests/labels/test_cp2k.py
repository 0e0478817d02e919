"""Real CP2K: its own parser accepts every kind of input; a monomer's label; the cache answers."""

import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from examples import water

from bornflow.errors import BornflowError
from bornflow.labels import cp2k_input, cp2k_run, engines
from bornflow.settings import complete

needs_cp2k = pytest.mark.skipif(
    not shutil.which("cp2k.psmp") or not shutil.which("mpiexec"),
    reason="CP2K is not installed (Debian: apt-get install cp2k)",
)


def options(**changes):
    cheap = {"cutoff": 150, "force_cutoff": 200, "vacuum": 5, "eps_scf": 1e-6} | changes
    return complete({"labels": {"cp2k": cheap}})["labels"]


def test_inputs_hold_nothing_that_changes_from_run_to_run():
    first, second = (cp2k_input.build_input(water(2), options()["cp2k"], (0, 1)) for _ in range(2))
    assert first == second
    assert "/" not in first


def test_an_unknown_element_is_named():
    with pytest.raises(BornflowError, match="Kr"):
        cp2k_input.build_input(molecule("H2O") + Atoms("Kr", [[0, 0, 5.0]]), options()["cp2k"])


def test_a_missing_program_is_named():
    with pytest.raises(BornflowError, match="no-such-cp2k is not installed"):
        cp2k_run.Program("no-such-cp2k")


@needs_cp2k
@pytest.mark.parametrize("method", ["gapw", "gpw", "gpw_fine"])
@pytest.mark.parametrize("operator", ["auto", "berry"])
@pytest.mark.parametrize("density", [None, 0.9], ids=["cluster", "box"])
@pytest.mark.parametrize("run", [{}, {"field": (1, -1)}, {"fine": True}], ids=["field-free", "field", "fine"])
def test_cp2k_accepts_the_input(tmp_path, method, operator, density, run):
    program = cp2k_run.Program(options()["cp2k"]["command"])
    for safe in (False, True):
        settings = options(method=method, field_operator=operator)["cp2k"]
        program.check(cp2k_input.build_input(water(4, density), settings, **run, safe=safe), tmp_path)


@needs_cp2k
def test_cp2k_refuses_a_wrong_input(tmp_path):
    program = cp2k_run.Program(options()["cp2k"]["command"])
    wrong = cp2k_input.build_input(water(1), options()["cp2k"]).replace("EPS_SCF", "EPS_SFC")
    with pytest.raises(BornflowError, match="EPS_SFC"):
        program.check(wrong, tmp_path)


@needs_cp2k
def test_the_label_of_a_monomer(tmp_path):
    atoms = molecule("H2O")
    atoms.info["structure"] = "monomer"
    settings = options() | {"cache": str(tmp_path / "cache")}
    label = engines.cp2k(atoms, settings, tmp_path / "work", threads=2)
    assert label.response.sum_rule < 0.05
    assert label.response.nonlinearity < 1e-4
    oxygen = label.response.bec[0]
    # The molecule lies in the yz plane with its axis along z: Z is diagonal on the oxygen atom.
    np.testing.assert_allclose(oxygen - np.diag(np.diag(oxygen)), 0, atol=0.02)
    assert (np.diag(oxygen) < -0.3).all()
    assert label.energy == pytest.approx(-469, abs=3)
    assert not list((tmp_path / "work").iterdir()), "scratch is left behind"
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    assert len(stored) == 8  # field-free, six in fields, and on the finer grid
    again = engines.cp2k(atoms, settings, tmp_path / "work", threads=2)
    np.testing.assert_array_equal(again.response.bec, label.response.bec)
    assert {path: path.stat().st_mtime_ns for path in stored} == stored, "a finished run was repeated"
