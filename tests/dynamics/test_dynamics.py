"""The calculator in ASE, energy conservation, currents, and runs that survive a kill."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import units
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.socketio import SocketIOCalculator
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from examples import graph_of, noisy_parameters, variant, water

from bornflow.dynamics.md import simulate
from bornflow.dynamics.series import read_run
from bornflow.errors import BornflowError
from bornflow.inference import checkpoint
from bornflow.inference.calculator import BornflowCalculator
from bornflow.io import frames
from bornflow.io.files import sole_writer
from bornflow.models.model import Model


@pytest.mark.parametrize(
    "density", [pytest.param(None, id="cluster", marks=pytest.mark.slow), pytest.param(0.9, id="box")]
)
def test_the_calculator_returns_the_predictions_of_a_coupled_model(density):
    model = Model(variant(backbone="lorem", charges="local", ewald_accuracy=1e-9), ("H", "O"))
    parameters = noisy_parameters(model)
    atoms = water(3 if density is None else 8, density)
    atoms.calc = BornflowCalculator(checkpoint.Checkpoint(model, parameters, np.zeros(2)), dtype="float64")
    numerical = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 4])
    np.testing.assert_allclose(atoms.get_forces()[[0, 4]], numerical, atol=1e-5)
    if density:
        np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-6)
    atoms.get_forces()  # of the unchanged structure
    out = model(parameters, graph_of(model, atoms))
    for name, key in (("born_effective_charges", "bec"), ("charges",) * 2, ("screening",) * 2):
        np.testing.assert_allclose(atoms.calc.get_property(name), getattr(out, key)[: len(atoms)], atol=1e-8)
    static = atoms.calc.get_property("screening") * atoms.calc.get_property("charges")
    np.testing.assert_allclose(atoms.calc.get_property("effective_charges"), static, atol=1e-8)


@pytest.mark.parametrize("density", [None, 0.9], ids=["cluster", "box"])
def test_ase_finds_forces_and_stress_consistent(calculator, density):
    atoms = water(3 if density is None else 8, density)
    atoms.calc = calculator
    numerical = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 4])
    np.testing.assert_allclose(atoms.get_forces()[[0, 4]], numerical, atol=1e-5)
    if density:
        np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-6)
    assert atoms.calc.get_property("born_effective_charges").shape == (len(atoms), 3, 3)
    counts = np.array([atoms.symbols.count("H"), atoms.symbols.count("O")])
    assert atoms.get_potential_energy() == pytest.approx(counts @ [-10, -100], abs=50)


def test_the_field_adds_its_force_and_its_work(gentle):
    field = np.array([0.02, -0.05, 0.03])
    atoms = water(2)
    free, driven = atoms.copy(), atoms.copy()
    free.calc = BornflowCalculator(gentle, dtype="float64")
    driven.calc = BornflowCalculator(gentle, electric_field=field, dtype="float64")
    bec = free.calc.get_property("born_effective_charges", free)
    assert np.abs(bec - bec.transpose(0, 2, 1)).max() > 1e-4
    expected = np.array([field @ z for z in bec])  # F_β = Σ_α E_α Z_αβ
    np.testing.assert_allclose(driven.get_forces() - free.get_forces(), expected, atol=1e-10)
    step = np.random.default_rng(0).normal(size=(6, 3)) * 1e-4
    start = [a.get_potential_energy() for a in (free, driven)]
    for a in (free, driven):
        a.positions += step
    change = [a.get_potential_energy() - s for a, s in zip((free, driven), start, strict=True)]
    assert change[1] - change[0] == pytest.approx(-np.sum(expected * step), abs=1e-8)


def test_the_work_of_a_field_is_integrated_along_one_path(gentle):
    calculator = BornflowCalculator(gentle, np.array([0.1, 0, 0.2]), "float64")
    atoms = water(8, 0.9)
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    atoms.positions[2] += atoms.cell[0] - atoms.cell[2]
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-6), "a cell vector is not a step"
    atoms.positions[2] += 0.1
    atoms.get_potential_energy()
    assert abs(calculator.dipole_change).max() > 1e-3
    with pytest.raises(BornflowError, match="stress in an electric field"):
        atoms.get_stress()
    for other, reason in ((water(8, 0.9, seed=3), r"a step of \d\.\d Å"), (water(2), "another structure")):
        with pytest.warns(UserWarning, match=f"M₀ is the dipole after {reason}"):
            calculator.get_potential_energy(other)
        np.testing.assert_array_equal(calculator.dipole_change, 0)
    forces = calculator.get_forces(other)
    calculator.electric_field = None
    assert np.abs(calculator.get_forces(other) - forces).max() > 1e-4, "a new field, new results"


def test_energy_is_conserved_and_the_error_falls_with_the_square_of_the_step(calculator):
    errors = []
    for timestep in (0.4, 0.2):
        atoms = water(3)
        atoms.calc = calculator
        thermalize_momenta(atoms, temperature_K=300, rng=np.random.default_rng(0))
        dynamics = VelocityVerlet(atoms, timestep * units.fs)
        energies = []
        for _ in range(round(40 / timestep)):
            dynamics.run(1)
            energies.append(atoms.get_total_energy())
        errors.append(np.std(energies))
    assert errors[1] < 0.4 * errors[0]


def test_the_neighbour_list_is_kept_and_rebuilt_when_needed(calculator):
    atoms = water(8, 0.9)
    atoms.calc = calculator
    atoms.get_forces()
    listed = calculator.neighbours._listed
    steps = np.random.default_rng(0).normal(size=atoms.positions.shape)
    atoms.positions += 0.249 * steps / np.linalg.norm(steps, axis=1)[:, None]  # all by nearly half the skin
    forces = atoms.get_forces()
    assert calculator.neighbours._listed is listed
    calculator.renew_neighbours()
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-9)
    listed = calculator.neighbours._listed
    atoms.positions[0, 1] += 0.251
    atoms.get_forces()
    assert calculator.neighbours._listed is not listed


def test_steps_are_rarely_recompiled_while_numbers_of_neighbours_change(calculator):
    atoms = water(8, 0.9)
    atoms.calc = calculator
    atoms.get_forces()
    rooms = [np.concatenate(calculator.neighbours.room)]
    for scale in (1.02, 0.99, 1.1, 0.97, 0.9, 1.0, 1.1, 0.9):
        scaled = water(8, 0.9)
        scaled.set_cell(scaled.cell * scale, scale_atoms=True)
        atoms.set_cell(scaled.cell)
        atoms.positions = scaled.positions
        atoms.get_forces()
        rooms.append(np.concatenate(calculator.neighbours.room))
    assert all((before <= after).all() for before, after in itertools.pairwise(rooms))
    assert len(np.unique(rooms, axis=0)) <= 4
    assert calculator._evaluate[False]._cache_size() == len(np.unique(rooms, axis=0))


def test_another_program_moves_the_atoms_through_a_socket(gentle, tmp_path):
    checkpoint.save(tmp_path / "model", gentle, "m", {}, 0)
    atoms = water(8, 0.9)
    frames.write(tmp_path / "s.extxyz", [atoms])
    name = f"bornflow-{os.getpid()}"
    script = Path(__file__).parents[2] / "examples/socket_client.py"
    with SocketIOCalculator(unixsocket=name) as server:
        client = subprocess.Popen([sys.executable, script, tmp_path / "model", tmp_path / "s.extxyz", name])
        atoms.calc = server
        forces, stress = atoms.get_forces(), atoms.get_stress()
        atoms.rattle(0.01)
        again = atoms.get_forces()
    assert client.wait(60) == 0
    assert np.abs(again - forces).max() > 1e-4
    atoms.calc = BornflowCalculator(gentle)
    np.testing.assert_allclose(again, atoms.get_forces(), atol=1e-6)
    assert stress.shape == (6,)


def test_bad_structures_are_rejected(gentle, calculator):
    atoms = water(8, 0.9)
    atoms.calc = calculator
    atoms.positions[3, 1] = np.nan
    with pytest.raises(BornflowError, match="atom 3 is not finite"):
        atoms.get_forces()
    for cell in (np.zeros(3), np.full((3, 3), np.nan)):
        flat = water(2)
        flat.set_cell(cell)
        flat.pbc, flat.calc = True, calculator
        with pytest.raises(BornflowError, match="no volume"):
            flat.get_forces()
    slab, stranger, twice = water(8, 0.9), water(1), water(2)
    slab.pbc = [True, True, False]
    stranger.symbols[0] = "S"
    twice.positions[5] = twice.positions[1]
    for wrong, reason in (
        (slab, r"periodic in \[True, True, False\]"),
        (stranger, "contains S; the model knows H, O only"),
        (twice, "atoms 1 and 5 coincide"),
    ):
        known = water(len(wrong) // 3)  # with the same number of atoms
        known.calc = wrong.calc = calculator
        known.get_forces()
        for _ in range(2):  # a rejected structure that only moved is rejected again
            with pytest.raises(BornflowError, match=reason):
                wrong.get_forces()
            wrong.positions += 0.01
    with pytest.raises(BornflowError, match="three finite numbers"):
        BornflowCalculator(gentle, electric_field=np.array([0.1]))


def test_currents_are_velocities_times_charges(gentle, calculator, settings, tmp_path):
    atoms = water(2)
    simulate(
        atoms, calculator, settings(frame_interval=1, velocity_interval=1, steps=20), 0, tmp_path / "r.h5"
    )
    attributes, series = read_run(tmp_path / "r.h5", "current", "positions", "velocities", "dipole")
    assert attributes["kind"] == "cluster"
    atoms.calc = BornflowCalculator(gentle, dtype="float64")
    for index in (0, 7, 19):
        atoms.positions = series["positions"][index]
        bec = atoms.calc.get_property("born_effective_charges", atoms)
        expected = sum(bec[i] @ series["velocities"][index][i] for i in range(6))
        np.testing.assert_allclose(series["current"][index], expected, atol=1e-5)
    steps = 0.5 * (series["current"][1:] + series["current"][:-1]) / 2
    np.testing.assert_allclose(np.diff(series["dipole"], axis=0), steps, atol=1e-9)


def test_a_run_with_unphysical_motion_is_stopped_with_a_reason(calculator, settings, tmp_path):
    with pytest.raises(BornflowError, match=r"step .*temperature .* above 20 K"):
        simulate(water(2), calculator, settings(temperature_limit=20), 0, tmp_path / "r.h5")
    assert not (tmp_path / "r.h5").exists()
    assert (tmp_path / "r.failed.extxyz").exists()


def test_a_killed_run_equals_an_uninterrupted_one(gentle, tmp_path):
    checkpoint.save(tmp_path / "model", gentle, "m", {}, 0)
    frames.write(tmp_path / "s.extxyz", [water(3)])
    section = {
        "part_steps": 50,
        "bond_limit": 100,
        "energy_limit": 10,
        "drift_limit": 10,
        "systems": {"s": {"structure": "s.extxyz", "temperature": 200, "equilibration": 40, "steps": 1500}},
        "dtype": "float64",
    }
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump({"dynamics": section}))

    def command(out):
        paths = ["--checkpoint", "model", "--structure", "s.extxyz", "--config", "cfg.yaml", "--out", out]
        return [sys.executable, "-m", "bornflow.dynamics.md", *paths]

    subprocess.run(command("undisturbed.h5"), cwd=tmp_path, check=True, capture_output=True)
    for count in (1, 3):
        process = subprocess.Popen(command("killed.h5"), cwd=tmp_path, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "killed.parts").glob("part-*"))) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "killed.h5").exists(), "the run ended before it was killed"
    with sole_writer(tmp_path / "killed.h5"):  # as a job that outlived its workflow
        second = subprocess.run(command("killed.h5"), cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 1 and "killed.h5: another process is writing it" in second.stderr
    subprocess.run(command("killed.h5"), cwd=tmp_path, check=True, capture_output=True)
    names = ("current", "dipole", "conserved_energy", "temperature", "positions", "velocities")
    one, two = (read_run(tmp_path / f"{name}.h5", *names)[1] for name in ("undisturbed", "killed"))
    for name in names:
        np.testing.assert_array_equal(one[name], two[name])
    assert len(one["current"]) == 1500
    assert not (tmp_path / "killed.parts").exists()
