"""Drift of the conserved energy, the response of the dipole to a field, and resumed runs in a field."""

import subprocess
import sys

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import units
from ase.data import atomic_masses
from examples import graph_of, variant, water

from bornflow import config
from bornflow.dynamics.conservation import drift, tabulate
from bornflow.dynamics.md import simulate
from bornflow.dynamics.series import read_run
from bornflow.dynamics.settings import ResponseSettings
from bornflow.errors import BornflowError
from bornflow.inference.calculator import BornflowCalculator
from bornflow.inference.checkpoint import Checkpoint
from bornflow.io import frames
from bornflow.models.model import Model, Prediction
from bornflow.spectra import response, susceptibility
from bornflow.spectra.settings import SpectraSettings
from bornflow.units import AMU, BOLTZMANN, COULOMB, WAVENUMBER

RESPONSE = ResponseSettings(field=1e-3, length=6.0, pairs=4)
NO_SPECTRUM = pd.DataFrame({"wavenumber [1/cm]": [], "chi_imaginary": []})


def test_a_drift_is_detected_despite_oscillations():
    time = np.arange(20_000) * 0.5
    rng = np.random.default_rng(0)
    noise = 0.02 * np.sin(time / 3) + rng.normal(scale=0.01, size=len(time))
    slope, error, fluctuation = drift(0.7 * time / 1e5 + noise, 0.5)
    assert abs(slope - 0.7) < 4 * error < 0.2
    assert fluctuation == pytest.approx(np.hypot(0.02 / 2**0.5, 0.01), rel=0.05)


def test_a_run_without_a_thermostat_conserves_energy(calculator, settings, tmp_path):
    simulate(water(2), calculator, settings(thermostat="nve", steps=400), 0, tmp_path / "r.h5")
    (row,) = tabulate([tmp_path / "r.h5"], ["m"]).to_dict("records")
    assert row["fluctuation [meV/atom]"] < 0.1
    assert row["length [ps]"] == 0.2


def test_forces_with_fixed_charges_do_not_conserve_energy(gentle, settings, tmp_path):
    for fixed in (False, True):
        calculator = BornflowCalculator(gentle, dtype="float64", fixed_charges=fixed)
        wanted = settings(thermostat="nve", steps=400, fixed_charges=fixed)
        simulate(water(2), calculator, wanted, 0, tmp_path / f"{fixed}.h5")
    table = tabulate([tmp_path / "False.h5", tmp_path / "True.h5"], ["m", "m"]).set_index("forces")
    wander = table["fluctuation [meV/atom]"] + abs(table["drift [meV/atom/100 ps]"]) / 500  # in 0.2 ps
    assert wander["fixed charges"] > 5 * wander["gradient"]


def test_a_run_with_a_thermostat_is_rejected(calculator, settings, tmp_path):
    simulate(water(2), calculator, settings(), 0, tmp_path / "r.h5")
    with pytest.raises(BornflowError, match="had a thermostat"):
        tabulate([tmp_path / "r.h5"], ["m"])


@pytest.mark.parametrize("charges", ["uncoupled", "local"])
def test_the_static_term_of_the_current_is_recorded(charges, settings, tmp_path):
    atoms, model = water(2), Model(variant(charges=charges), ("H", "O"))
    parameters = model.initialise(graph_of(model, atoms), 0)
    calculator = BornflowCalculator(Checkpoint(model, parameters, np.zeros(2)), dtype="float64")
    simulate(
        atoms, calculator, settings(velocity_interval=1, frame_interval=1, steps=10), 0, tmp_path / "r.h5"
    )
    if charges == "uncoupled":
        with pytest.raises(BornflowError, match="static_current"):
            read_run(tmp_path / "r.h5", "static_current")
        return
    _, series = read_run(tmp_path / "r.h5", "static_current", "velocities", "positions")
    atoms.positions = series["positions"][4]
    charges = calculator.get_property("effective_charges", atoms)
    np.testing.assert_allclose(series["static_current"][4], charges @ series["velocities"][4], atol=1e-6)


def test_a_resumed_run_in_a_field_equals_an_uninterrupted_one(gentle, settings, tmp_path, monkeypatch):
    wanted = settings(electric_field=[0.0, 0.05, 0.02], steps=100, part_steps=20)

    def run(name):
        calculator = BornflowCalculator(gentle, np.array(wanted.electric_field), "float64")
        simulate(water(2), calculator, wanted, 0, tmp_path / f"{name}.h5", "same")
        return read_run(tmp_path / f"{name}.h5", "potential_energy", "dipole")[1]

    undisturbed = run("undisturbed")

    def stop(self, atoms, step, *rest):
        if step == 50:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bornflow.dynamics.stability.StabilityMonitor.check", stop)
        with pytest.raises(KeyboardInterrupt):
            run("cut")
    continued = run("cut")
    for name in undisturbed:
        np.testing.assert_array_equal(continued[name], undisturbed[name])


def test_a_cluster_in_a_field_rotates(gentle, settings, tmp_path):
    wanted = settings(electric_field=[0.01, 0, 0], steps=20)
    calculator = BornflowCalculator(gentle, np.array(wanted.electric_field), "float64")
    simulate(water(2), calculator, wanted, 0, tmp_path / "r.h5")
    _, series = read_run(tmp_path / "r.h5", "kinetic_energy", "temperature")
    freedom = 2 * series["kinetic_energy"] / (units.kB * series["temperature"])
    np.testing.assert_allclose(freedom, 15)


def test_frames_of_a_run_can_be_labelled(calculator, settings, tmp_path):
    simulate(
        water(8, 0.9),
        calculator,
        settings(steps=60, equilibration=0, frame_interval=20),
        0,
        tmp_path / "r.h5",
    )
    command = [sys.executable, "-m", "bornflow.dynamics.export", "--out", tmp_path / "f.extxyz"]
    subprocess.run([*command, "--runs", tmp_path / "r.h5", "--every", "2"], check=True)
    (frame,) = frames.read(tmp_path / "f.extxyz")
    assert frame.info["structure"] == f"{tmp_path.name}-r-40"
    _, series = read_run(tmp_path / "r.h5", "positions", "kinetic_energy")
    np.testing.assert_allclose(frame.positions, series["positions"][1], atol=1e-5)
    (moving,) = ase.io.iread(tmp_path / "f.extxyz")
    assert moving.get_kinetic_energy() == pytest.approx(series["kinetic_energy"][39], rel=1e-5)
    wrong = subprocess.run(
        [*command, "--runs", tmp_path / "r.h5", "--every", "9"], capture_output=True, text=True
    )
    assert wrong.returncode == 1 and "fewer than 9 frames" in wrong.stderr


def test_a_field_does_not_move_the_centre_of_mass(gentle, settings, tmp_path):
    """Although the Born effective charges of a model do not sum to zero."""
    wanted = settings(electric_field=[0.2, 0, 0], thermostat="nve", steps=200, frame_interval=5)
    calculator = BornflowCalculator(gentle, np.array(wanted.electric_field), "float64")
    simulate(water(2), calculator, wanted, 0, tmp_path / "r.h5")
    _, series = read_run(tmp_path / "r.h5", "positions", "numbers", "conserved_energy")
    masses = atomic_masses[series["numbers"]]
    centres = np.einsum("i,tia->ta", masses, series["positions"]) / masses.sum()
    np.testing.assert_allclose(centres, centres[[0]].repeat(len(centres), axis=0), atol=1e-5)
    assert np.ptp(series["conserved_energy"]) < 0.01
    assert abs(calculator.results["born_effective_charges"].sum(axis=0)).max() > 0.1, (
        "which would accelerate it"
    )


def test_a_resumed_run_of_a_box_in_single_precision_equals_an_uninterrupted_one(
    gentle, settings, tmp_path, monkeypatch
):
    """Arrays keep the padding of the first chunk, so that sums are taken in the same order."""
    wanted = settings(steps=60, part_steps=15, equilibration=10)

    def run(name):
        calculator = BornflowCalculator(gentle)
        simulate(water(8, 0.9), calculator, wanted, [0, 7], tmp_path / f"{name}.h5", "same")
        return calculator.neighbours.room, read_run(tmp_path / f"{name}.h5", "potential_energy", "current")[1]

    def stop(self, atoms, step, *rest):
        if step == 40:
            raise KeyboardInterrupt

    room, undisturbed = run("undisturbed")
    with monkeypatch.context() as patch:
        patch.setattr("bornflow.dynamics.stability.StabilityMonitor.check", stop)
        with pytest.raises(KeyboardInterrupt):
            run("cut")
    monkeypatch.setattr("bornflow.inference.neighbour_list.HEADROOM", 1.6)
    continued_room, continued = run("cut")
    assert continued_room == room
    for name in undisturbed:
        np.testing.assert_array_equal(continued[name], undisturbed[name])


@pytest.mark.slow
def test_fluctuations_of_an_oscillator_predict_its_step_response():
    """M = q x in a well of width w: the response is q E (q/k)(1 − cos ωt), ⟨x²⟩ = k_B T / k."""
    rng = np.random.default_rng(0)
    omega, spring, temperature, field = 0.2, 1.5, 300.0, 0.03
    time = np.arange(400) * 0.5
    spread = np.sqrt(BOLTZMANN * temperature / spring)
    amplitude, phase = spread * rng.normal(size=(2, 3, 20_000))
    dipole = amplitude * np.cos(omega * time)[:, None, None] + phase * np.sin(omega * time)[:, None, None]
    predicted = np.mean(
        [
            response.from_fluctuations(run, field, temperature, 60)[0]
            for run in dipole.transpose(2, 0, 1)[:2000]
        ],
        axis=0,
    )
    exact = field / spring * (1 - np.cos(omega * time[:61]))
    np.testing.assert_allclose(predicted, exact, atol=0.06 * exact.max())


def test_the_spectrum_of_an_oscillator_predicts_its_step_response():
    """ε₀ Ω E (S/ω₀²) [1 − exp(−γt/2) (cos ω₁t + γ/(2ω₁) sin ω₁t)] for χ'' = S ωγ / ((ω₀² − ω²)² + ω²γ²)."""
    strength, omega0, friction, field, volume = 0.02, 0.3, 0.02, 0.05, 900.0  # ω in rad/fs
    wavenumbers = np.arange(1, 4000) * 2.0
    omega = 2 * np.pi * wavenumbers / WAVENUMBER
    chi = strength * omega * friction / ((omega0**2 - omega**2) ** 2 + (omega * friction) ** 2)
    table = pd.DataFrame({"wavenumber [1/cm]": wavenumbers, "chi_imaginary": chi})
    time, damped = np.arange(0, 100, 0.5), np.sqrt(omega0**2 - friction**2 / 4)
    decay = np.cos(damped * time) + friction / (2 * damped) * np.sin(damped * time)
    exact = strength / omega0**2 * (1 - np.exp(-friction * time / 2) * decay)
    exact *= field * volume / (4 * np.pi * COULOMB)
    found = response.from_spectrum(table, field, volume, time)
    np.testing.assert_allclose(found, exact, atol=2e-3 * exact.max())


def test_a_spectrum_without_a_susceptibility_is_rejected(calculator, settings, tmp_path):
    simulate(water(2), calculator, settings(equilibration=0), 1, tmp_path / "r.h5")
    pd.DataFrame({"wavenumber [1/cm]": [1.0]}).to_csv(tmp_path / "s.csv")
    with pytest.raises(BornflowError, match=r"s.csv has no column chi_imaginary"):
        response.tabulate(tmp_path / "r.h5", tmp_path / "s.csv", calculator, RESPONSE)


def test_the_initial_response_to_a_field_is_that_of_free_charges(gentle):
    """⟨M⟩ = E t²/2 Σ_iβ Z[i, α, β]²/m_i with a fixed centre of mass, before the forces change."""
    calculator, atoms = BornflowCalculator(gentle, np.zeros(3), "float64"), water(8, 0.9)
    bec, masses = calculator.get_property("born_effective_charges", atoms), atoms.get_masses() * AMU
    of_centre = bec.sum(axis=0) ** 2 / masses.sum()
    exact = (bec**2 / masses[:, None, None]).sum(axis=(0, 2)) - of_centre.sum(axis=1)
    found = response.in_field([atoms] * 3, calculator, field=0.01, timestep=0.05, steps=4)
    np.testing.assert_allclose(found[:, -1], 0.01 * exact * 0.2**2 / 2, rtol=0.01)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [({"steps": 30}, r"has 30 steps; .* needs 130"), ({"frame_interval": 300}, "has 1 frames")],
)
def test_a_run_too_short_for_a_response_is_rejected(calculator, settings, tmp_path, changes, wanted):
    simulate(water(2), calculator, settings(equilibration=0, **changes), 1, tmp_path / "r.h5")
    NO_SPECTRUM.to_csv(tmp_path / "s.csv")
    with pytest.raises(BornflowError, match=wanted):
        response.tabulate(tmp_path / "r.h5", tmp_path / "s.csv", calculator, RESPONSE)


def test_the_response_to_a_field_is_exact_and_agrees_with_fluctuations(gentle, settings, tmp_path):
    """Atoms on springs of one frequency: the response in a field is known and has no noise."""
    atoms, omega, field = water(8, 0.9), 0.1, 1e-3  # rad/fs, V/Å
    home, masses = atoms.positions.copy(), atoms.get_masses() * AMU
    bec = np.random.default_rng(0).normal(size=(len(atoms), 3, 3))

    def springs(graph):
        moved = np.asarray(graph.positions[: len(atoms)], float) - home
        forces = -(omega**2) * masses[:, None] * moved
        energy = np.asarray(-np.sum(forces * moved) / 2)
        return Prediction(energy=energy, forces=forces, bec=bec, charges=masses)

    calculator = BornflowCalculator(gentle, np.zeros(3), "float64")
    calculator._evaluate = {False: springs}
    still = BornflowCalculator(gentle, None, "float64")
    still._evaluate = {False: springs}
    wanted = settings(steps=3400, equilibration=200, frame_interval=400)
    simulate(atoms, still, wanted, 1, tmp_path / "r.h5")
    spectra = config.complete({"spectra": {"resolution": 20, "highest": 5000}})["spectra"]
    susceptibility.spectrum([tmp_path / "r.h5"], SpectraSettings(**spectra)).to_csv(tmp_path / "s.csv")
    asked = ResponseSettings(field=field, length=60.0, pairs=3)
    table = response.tabulate(tmp_path / "r.h5", tmp_path / "s.csv", calculator, asked)
    of_centre = np.sum(bec.sum(axis=0) ** 2) / masses.sum()
    free = (np.sum(bec**2 / masses[:, None, None]) - of_centre) / 3
    exact = field * free * (1 - np.cos(omega * table["time [fs]"])) / omega**2
    size = exact.max()
    np.testing.assert_allclose(table["dipole_in_field [e Å]"], exact, atol=1e-3 * size)
    # In one run each spring keeps its random initial energy, but the two predictions agree.
    predicted = table["predicted [e Å]"]
    np.testing.assert_allclose(predicted / predicted.max(), exact / size, atol=0.05)
    np.testing.assert_allclose(table["from_spectrum [e Å]"], predicted, atol=0.05 * predicted.max())
