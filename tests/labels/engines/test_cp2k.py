"""Real CP2K: its own parser accepts every kind of input, a monomer is labelled, results are cached."""

import shutil
import time
from dataclasses import replace
from multiprocessing import Process
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from examples import ROOT, water

from bornflow.config.load import complete
from bornflow.errors import BornflowError, Rejected
from bornflow.io import frames
from bornflow.labels.engines import create
from bornflow.labels.engines.cp2k import input_file, linear_response, relax, run
from bornflow.labels.engines.cp2k.cache import Cache
from bornflow.labels.engines.cp2k.engine import CP2K
from bornflow.labels.engines.cp2k.output_file import Output
from bornflow.labels.engines.cp2k.program import Program
from bornflow.labels.label import label_structures
from bornflow.labels.linear_response import compare_with_finite_fields
from bornflow.labels.settings import LabelSettings, StudySettings, load_settings
from bornflow.labels.study import differences_from_references
from bornflow.units import BOHR

needs_cp2k = pytest.mark.skipif(
    not shutil.which("cp2k.psmp") or not shutil.which("mpiexec"),
    reason="CP2K is not installed (Debian: apt-get install cp2k)",
)


def settings(cache="no-cache", **changes) -> LabelSettings:
    """Cheap settings, with a separate folder of finished calculations."""
    cheap = {"cutoff": 150, "force_cutoff": 200, "vacuum": 5, "eps_scf": 1e-6} | changes
    labels = {"cache": str(cache), "known": [], "cp2k": cheap}
    return LabelSettings.from_section(complete({"labels": labels})["labels"])


def test_inputs_are_the_same_in_every_run():
    first, second = (input_file.build_input(water(2), settings().cp2k, (0, 1)) for _ in range(2))
    assert first == second
    assert "/" not in first


def test_an_unknown_element_is_named():
    with pytest.raises(BornflowError, match="listed for Ce"):
        input_file.build_input(molecule("H2O") + Atoms("Ce", [[0, 0, 5.0]]), settings().cp2k)


def test_a_missing_program_is_named():
    with pytest.raises(BornflowError, match="no-such-cp2k is not installed"):
        Program("no-such-cp2k")


def test_threads_become_processes():
    assert Program("env RANKS={ranks} true", threads=3).command == ["env", "RANKS=3", "true"]


@needs_cp2k
@pytest.mark.parametrize("method", ["gapw", "gpw", "gpw_fine"])
@pytest.mark.parametrize("operator", ["auto", "berry"])
@pytest.mark.parametrize("density", [None, 0.9], ids=["cluster", "box"])
@pytest.mark.parametrize("run", [{}, {"field": (1, -1)}, {"fine": True}], ids=["field-free", "field", "fine"])
def test_cp2k_accepts_the_input(tmp_path, method, operator, density, run):
    program = Program(settings().cp2k.command)
    for safe in (False, True):
        chosen = settings(method=method, field_operator=operator).cp2k
        program.check(input_file.build_input(water(4, density), chosen, **run, safe=safe), tmp_path)


@needs_cp2k
def test_cp2k_rejects_a_wrong_input(tmp_path):
    program = Program(settings().cp2k.command)
    wrong = input_file.build_input(water(1), settings().cp2k).replace("EPS_SCF", "EPS_SFC")
    with pytest.raises(BornflowError, match="EPS_SFC"):
        program.check(wrong, tmp_path)


@needs_cp2k
@pytest.mark.parametrize(
    "command",
    ["env false cp2k.psmp", "timeout -s TERM 0.3 cp2k.psmp", "timeout -s KILL 0.3 cp2k.psmp"],
    ids=["not launched", "ended", "killed"],
)
def test_a_failure_that_the_structure_does_not_cause_ends_the_job(tmp_path, command):
    engine = create("cp2k", settings(tmp_path / "cache", command=command))
    with pytest.raises(BornflowError, match=r"ended with status -?\d+ .* run again") as error:
        engine.label(water(1), tmp_path / "work")
    assert not isinstance(error.value, Rejected)


@needs_cp2k
def test_a_run_that_hangs_is_stopped_and_rejected(tmp_path):
    program = Program("sh -c 'exec sleep 60' cp2k.psmp", hours=1 / 3600)
    with pytest.raises(Rejected, match=r"took more than 0\.000277778 hours \(labels\.cp2k\.hours\)"):
        program.run("", tmp_path, "run")


@needs_cp2k
def test_an_abort_rejects_the_structure_with_cp2ks_reason(tmp_path):
    radical = water(1)[:2]
    radical.info["structure"] = "radical"
    engine = create("cp2k", settings(tmp_path / "cache"))
    with pytest.raises(Rejected, match="odd number of electrons"):
        engine.label(radical, tmp_path / "work")


def test_the_last_step_of_a_relaxation_is_read_after_an_incomplete_one(tmp_path):
    path = tmp_path / "steps.xyz"
    frame = "2\n i = 1, E = -1.0\nO 0.0 0.0 0.0\nH 0.0 0.0 {}\n"
    path.write_text(frame.format(0.9)[:-20] + "\n" + frame.format(1.1))
    np.testing.assert_allclose(relax._last_step(path, 2)[1], [0, 0, 1.1])
    path.write_text(path.read_text()[:-5])
    with pytest.raises(Rejected, match="does not end with a frame"):
        relax._last_step(path, 2)


@needs_cp2k
@pytest.mark.parametrize("build", [relax.build_input, linear_response.build_input])
def test_cp2k_accepts_the_inputs_of_other_calculations(tmp_path, build):
    program = Program(settings().cp2k.command)
    program.check(build(water(2), settings().cp2k), tmp_path)


@needs_cp2k
@pytest.mark.slow
@pytest.mark.parametrize("cut", [False, True], ids=["state complete", "state cut off"])
def test_a_relaxation_resumes_after_a_kill(tmp_path, cut):
    atoms = molecule("H2O")
    atoms.info["structure"] = "monomer"
    atoms.set_distance(0, 1, 1.2, fix=0)
    engine = create("cp2k", settings(tmp_path / "cache"))
    work = tmp_path / "work"
    job = Process(target=engine.relax, args=(atoms, work))
    job.start()
    deadline = time.monotonic() + 120
    while not list(work.glob(f"*/{relax.STATE_FILE}")) and time.monotonic() < deadline:
        time.sleep(0.2)
    job.kill()
    job.join()
    states = list(work.glob(f"*/{relax.STATE_FILE}"))
    assert states, "no step was finished"
    if cut:
        states[0].write_text(states[0].read_text()[:2000])
    atoms.positions = engine.relax(atoms, work)
    # revPBE's water: 0.97 Å and 104.3 degrees; the basis and the cheap settings move both a little.
    assert atoms.get_distance(0, 1) == pytest.approx(0.975, abs=0.015)
    assert atoms.get_distance(0, 2) == pytest.approx(0.975, abs=0.015)
    assert atoms.get_angle(1, 0, 2) == pytest.approx(104.5, abs=2)
    assert not list(work.iterdir()), "scratch is left behind"


@needs_cp2k
@pytest.mark.slow
def test_linear_response_agrees_with_finite_fields(tmp_path):
    atoms = molecule("H2O")
    atoms.rattle(0.05, seed=1)
    atoms.info["structure"] = "monomer"
    engine = CP2K(settings(tmp_path / "cache", cutoff=250, force_cutoff=300))
    row = compare_with_finite_fields(atoms, engine, tmp_path / "work")
    assert row["difference, gpw [e]"] < 0.005
    assert row["difference, gapw [e]"] < 0.02  # GPW's grid error on the oxygen atom


def test_tensors_of_linear_response_are_transposed():
    rows = ["APT |  0.6  0.1  0.2", "APT |  0.3  0.5  0.4", "APT |  0.7  0.8  0.9"]
    text = "\n".join(["APT | Atom  1 - GAPT  0.6", *rows, "PROGRAM ENDED AT", ""])
    (tensor,) = linear_response.parse(text, 1)
    # Printed [displacement, dipole]; bornflow's order is [field, force].
    np.testing.assert_array_equal(tensor, [[0.6, 0.3, 0.7], [0.1, 0.5, 0.8], [0.2, 0.4, 0.9]])
    for damaged in (text.replace("PROGRAM ENDED AT", ""), text.replace("Atom  1", "Atom  2"), text[:60]):
        with pytest.raises(Rejected):
            linear_response.parse(damaged, 1)


@needs_cp2k
def test_an_scf_that_does_not_converge_is_repeated_and_then_rejected_by_name(tmp_path):
    atoms = molecule("H2O")
    atoms.info["structure"] = "monomer"
    hopeless = settings(tmp_path / "cache", cutoff=100, force_cutoff=100, vacuum=4, max_scf=1)
    labelled, rejected = label_structures([atoms], "cp2k", hopeless, tmp_path / "work")
    assert not labelled
    ((name, reason),) = rejected
    assert name == "monomer" and reason.startswith("field-free run: the SCF did not converge (")
    assert Path(reason.split("(")[1].rstrip(")")).exists()
    assert not list((tmp_path / "cache").rglob("*.json")), "a rejected calculation is kept as a result"
    # Tried twice: the second, safe input uses orbital transformation with conjugate gradients.
    (tried,) = (tmp_path / "work").rglob("field-free.inp")
    assert "MINIMIZER CG" in tried.read_text()


@needs_cp2k
def test_a_divergence_that_ends_the_program_is_repeated_too(tmp_path):
    """Versions from 2024.1 on abort; the launcher imitates them in the first run, with their box."""
    box = tmp_path / "box"
    line, reason = " " + 79 * "*", "KS energy is an abnormal value (NaN/Inf)"
    box.write_text(f"{line}\n * [ABORT] {'*':>69}\n *  \\___/    {reason} *\n *    |   *\n{line}\n")
    launcher = tmp_path / "launcher"
    launcher.write_text(
        f'#!/bin/sh\ncase "$*" in *" -o "*) [ -e {tmp_path}/tried ] || fail=1;; esac\n'
        f'[ "$fail" ] || exec "$@"\ntouch {tmp_path}/tried\n'
        f'while [ "$1" != -o ]; do shift; done; cp {box} "$2"; exit 1\n'
    )
    launcher.chmod(0o755)
    cheapest = {"cutoff": 100, "force_cutoff": 100, "vacuum": 4}
    engine = create("cp2k", settings(tmp_path / "cache", **cheapest, command=f"{launcher} cp2k.psmp"))
    label = engine.label(water(1), tmp_path / "work")
    assert label.provenance["scf_retried"].split()[0] == "0"


@pytest.mark.slow
@needs_cp2k
def test_a_structure_that_only_the_safer_solver_converges_is_labelled(tmp_path):
    atoms = molecule("H2O")
    atoms.info["structure"] = "monomer"
    few_steps = settings(tmp_path / "cache", cutoff=100, force_cutoff=100, vacuum=4, max_scf=10)
    engine = create("cp2k", few_steps, threads=2)
    label = engine.label(atoms, tmp_path / "work")
    assert label.provenance["scf_retried"] == "0", "the field-free run, and no other"
    assert label.response.sum_rule < 0.5
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    assert len(stored) == 7
    again = engine.label(atoms, tmp_path / "work")
    assert again.provenance == label.provenance
    assert {path: path.stat().st_mtime_ns for path in stored} == stored, "a finished run was repeated"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '{"version": "2023.1", "ene',
        '{"version": "2023.1"}',
        '{"version": "2023.1", "energy": NaN, "forces": [[0, 0, 0]], "scf_steps": 9, "wall_s": 1}',
        '{"version": "2023.1", "energy": -1, "forces": [[0, 0, 0], [0, 0, 0]], "scf_steps": 9, "wall_s": 1}',
    ],
)
def test_a_damaged_file_of_the_cache_is_not_used(tmp_path, text, caplog):
    cache = Cache(tmp_path)
    output = Output("2023.1", -17.0, np.zeros((1, 3)), 9, wall=1.5)
    cache.put("abcdef", output)
    assert (cache.get("abcdef", 1).energy, cache.get("abcdef", 1).wall) == (-17.0, 1.5)
    cache.path("abcdef").write_text(text)
    assert cache.get("abcdef", 1) is None
    assert "abcdef.json is damaged" in caplog.text


@needs_cp2k
def test_the_identity_of_a_calculation():
    command = settings().cp2k.command
    program = Program(command)
    text = input_file.build_input(water(1), settings().cp2k)
    key = program.key(text)
    assert Program(command).key(text) == key
    assert program.key(text + " ") != key
    changed = {"version": "2022.1", "data_hashes": program.data_hashes | {input_file.POTENTIAL_FILE: "0"}}
    for name, value in changed.items():
        other = Program(command)
        other.__dict__[name] = value
        assert other.key(text) != key


@needs_cp2k
def test_the_label_of_a_monomer(tmp_path):
    atoms = molecule("H2O")
    atoms.info["structure"] = "monomer"
    engine = create("cp2k", settings(tmp_path / "cache"), threads=2)
    label = engine.label(atoms, tmp_path / "work")
    assert label.response.sum_rule < 0.05
    assert label.response.nonlinearity < 1e-4
    oxygen = label.response.bec[0]
    # The molecule lies in the yz plane with its axis along z: Z is diagonal on the oxygen atom.
    np.testing.assert_allclose(oxygen - np.diag(np.diag(oxygen)), 0, atol=0.02)
    assert (np.diag(oxygen) < -0.3).all()
    assert label.energy == pytest.approx(-469, abs=3)
    check_moments(engine, atoms, label, tmp_path)
    assert not list((tmp_path / "work").iterdir()), "scratch is left behind"
    steps = [int(number) for number in label.provenance["scf_steps"].split()]
    along, against = steps[1:7:2], steps[2:7:2]
    assert all(2 * less <= more for less, more in zip(against, along, strict=True)), steps
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    assert len(stored) == 8  # field-free, six in fields, and on the finer grid
    assert 0 < label.seconds["field-free"] < label.seconds["fields"]
    again = engine.label(atoms, tmp_path / "work")
    np.testing.assert_array_equal(again.response.bec, label.response.bec)
    assert {path: path.stat().st_mtime_ns for path in stored} == stored, "a finished run was repeated"


@needs_cp2k
@pytest.mark.slow
def test_moments_of_a_periodic_structure(tmp_path):
    """By the Berry phase; the polarization is that of an energy's derivative without a quantum."""
    atoms = molecule("H2O", cell=[6.0, 6.5, 7.0], pbc=True)
    atoms.info["structure"] = "periodic"
    engine = create("cp2k", settings(tmp_path / "cache", cutoff=200, force_cutoff=200), threads=2)
    check_moments(engine, atoms, engine.label(atoms, tmp_path / "work"), tmp_path)


def check_moments(engine, atoms, label, folder) -> None:
    """Dipole and polarizability are derivatives of the energies of the same runs, μ = −∂E/∂E_α."""
    outputs, field = engine._calculate(atoms, folder / "work"), engine.cp2k.field
    if atoms.pbc.any():
        dipole = label.moments["polarization"] * atoms.get_volume() / BOHR
    else:
        dipole = label.moments["dipole"] / BOHR
    polarizability = label.moments["polarizability"].reshape(3, 3) / BOHR**3
    for axis in range(3):
        along, against = (outputs.in_fields[axis, sign].energy for sign in (1, -1))
        assert dipole[axis] == pytest.approx((against - along) / (2 * field), abs=1e-4)
        curvature = (2 * outputs.free.energy - along - against) / field**2
        assert polarizability[axis, axis] == pytest.approx(curvature, rel=0.01)
    np.testing.assert_allclose(polarizability, polarizability.T, atol=0.01)


@needs_cp2k
def test_a_wave_function_that_cannot_be_mirrored_is_reported_and_not_used(tmp_path, caplog):
    program, chosen = Program(settings().cp2k.command), settings().cp2k
    (tmp_path / run.FIELD_FREE).write_bytes(b"field-free")
    runs = run.Runs(program, Cache(tmp_path / "cache"), tmp_path, water(1), chosen)
    opposite = runs._in_field(0)
    for damaged in (False, True):
        if damaged:
            opposite.write_bytes(b"cut off")
        runs._provide_start((0, -1))
        assert (tmp_path / input_file.START_WAVEFUNCTION).read_bytes() == b"field-free"
        assert ("starts from the field-free wave function" in caplog.text) == damaged


@needs_cp2k
@pytest.mark.slow
def test_a_study_compares_with_its_reference(tmp_path):
    atoms = molecule("H2O")
    atoms.info["structure"] = "monomer"
    case = {
        "structures": ["monomer"],
        "reference": {"cutoff": 250},
        "variants": [{}, {"cutoff": 250}, {"max_scf": 1}, {"field": 0.03}],
    }
    study = StudySettings(data="", columns=["cutoff"], seconds=True, gate=True, cases=[case])
    chosen = settings(tmp_path / "cache", cutoff=200, force_cutoff=100)
    engine = CP2K(chosen, keep_wave_functions=True)

    def compare(study: StudySettings):
        return differences_from_references({"monomer": atoms}, study, engine, tmp_path / "work")

    table = compare(study)
    scf, gate = table["rejected"].dropna()
    assert "field-free run: the SCF did not converge" in scf and "labels.gate.nonlinearity" in gate
    assert (
        table["rejected"].isna().tolist()
        == table["sum_rule [e]"].notna().tolist()
        == [True, True, False, False]
    )
    table = table[:2]
    assert list(table["cutoff"]) == [200, 250]
    assert table["bec_difference [e]"][1] == 0
    assert 1 < table["force_difference [meV/Å]"][0] < 1000
    assert table["bec_H [e]"].between(0.2, 0.4).all()
    assert (table["fields [s]"] > table["field-free [s]"]).all()
    assert not [column for column in compare(replace(study, seconds=False)) if "[s]" in column]
    with pytest.raises(BornflowError, match="columns cutof are no settings"):
        compare(replace(study, columns=["cutof"]))
    assert table["cell [Å]"][0] == engine.cell_edge(atoms)


@needs_cp2k
def test_shipped_labels_are_those_of_the_default_settings():
    shipped = frames.read(ROOT / "resources/labels/water.extxyz")
    version = Program(settings().cp2k.command).version
    if not shipped[0].info["label_program"].endswith(version):
        pytest.skip("another version of CP2K is installed than the one that made the labels")
    engine = create("cp2k", load_settings(None))
    for atoms in shipped:
        assert engine.identify(atoms) == atoms.info["label_hash"]
