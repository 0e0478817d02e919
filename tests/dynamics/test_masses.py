"""Isotopes: a run's masses belong to its identity, are stored, and used by every program that reads it."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase.io import read
from examples import water

from bornflow.config.schema import validate
from bornflow.dynamics.chunks import run_identity
from bornflow.dynamics.export import read_frames
from bornflow.dynamics.initial_conditions import read_structure
from bornflow.dynamics.md import simulate
from bornflow.dynamics.series import read_run
from bornflow.errors import BornflowError
from bornflow.inference.calculator import BornflowCalculator
from bornflow.io import frames
from bornflow.spectra import response, susceptibility, velocities
from bornflow.spectra.settings import SpectraSettings

DEUTERIUM = 2.014
SPECTRA = SpectraSettings(**validate({"spectra": {"resolution": 400, "highest": 4000}})["spectra"])
DENSE = {"frame_interval": 2, "velocity_interval": 1, "thermostat": "nve"}


def heavy(n: int, density: float | None = None):
    atoms = water(n, density)
    atoms.set_masses(np.where(atoms.numbers == 1, DEUTERIUM, 15.999))
    return atoms


@pytest.fixture(scope="module")
def compiled(gentle):
    return BornflowCalculator(gentle, dtype="float64")


@pytest.fixture
def calculator(compiled):
    """Compiled once for all tests, and reset before each."""
    compiled.reset()
    return compiled


@pytest.fixture(scope="module")
def made(compiled, settings, tmp_path_factory):
    """A run of heavy water, recorded at every step."""
    path = tmp_path_factory.mktemp("w") / "r.h5"
    simulate(heavy(2), compiled, settings(steps=200, part_steps=1000, **DENSE), 0, path)
    return path


@pytest.fixture
def run(made, tmp_path):
    """A copy of that run, to be changed."""
    return Path(shutil.copy(made, tmp_path))


def test_a_run_of_other_isotopes_is_another_run(settings):
    light = run_identity(water(2), settings(), 0, b"model")
    assert light == run_identity(water(2), settings(), 0, b"model")
    others = [
        run_identity(heavy(2), settings(), 0, b"model"),
        run_identity(water(2), settings(), 1, b"model"),
    ]
    others += [
        run_identity(water(2), settings(), 0, b"another"),
        run_identity(water(2), settings(steps=7), 0, b"model"),
    ]
    assert len({light, *others}) == 5


def test_a_run_of_heavy_water_does_not_resume_from_chunks_of_light_water(
    calculator, settings, tmp_path, monkeypatch
):
    """A run of D2O whose file has chunks of an H2O run equals a run that starts without chunks."""

    class Killed(Exception):
        pass

    def kill(self, step, *rest):
        if step > 60:
            raise Killed

    short = settings(steps=100)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("bornflow.dynamics.recorder.Recorder.record", kill)
        patch.setattr("bornflow.dynamics.recorder.Recorder.flush", lambda self, n: {})
        simulate(water(2), calculator, short, 0, tmp_path / "r.h5", run_identity(water(2), short, 0, b""))
    assert list((tmp_path / "r.parts").glob("part-*"))
    for name in ("r", "fresh"):
        calculator.reset()
        simulate(
            heavy(2), calculator, short, 0, tmp_path / f"{name}.h5", run_identity(heavy(2), short, 0, b"")
        )
    one, two = (read_run(tmp_path / f"{name}.h5", "positions", "masses")[1] for name in ("r", "fresh"))
    np.testing.assert_array_equal(one["positions"], two["positions"])
    np.testing.assert_array_equal(one["masses"], heavy(2).get_masses())


def test_masses_are_stored_with_their_unit_and_kept_by_exported_frames(run, tmp_path):
    with h5py.File(run) as file:
        assert file["masses"].attrs["unit"] == "amu"
        np.testing.assert_array_equal(file["masses"], heavy(2).get_masses())
    _, series = read_run(run, "kinetic_energy", "velocities")
    exported = read_frames(run)
    for index, atoms in enumerate(exported[:3]):
        assert atoms.get_kinetic_energy() == pytest.approx(series["kinetic_energy"][2 * index + 1], rel=1e-4)
    frames.write(tmp_path / "out.extxyz", exported)
    again = frames.read(tmp_path / "out.extxyz")[0]
    np.testing.assert_allclose(again.get_masses(), heavy(2).get_masses())
    np.testing.assert_allclose(again.get_velocities(), exported[0].get_velocities(), rtol=1e-4, atol=1e-6)


def test_frames_with_standard_masses_have_no_column_of_masses(calculator, settings, tmp_path):
    simulate(water(2), calculator, settings(steps=40), 0, tmp_path / "r.h5")
    assert not any(atoms.has("masses") for atoms in read_frames(tmp_path / "r.h5"))


def test_spectra_of_velocities_use_the_masses_of_the_run(run, caplog):
    """With the masses of H2O, the hydrogens of D2O would have half of their degrees of freedom."""
    table = velocities.spectrum([run], SPECTRA)
    assert "standard masses" not in caplog.text
    with h5py.File(run, "a") as file:
        del file["masses"]
    lighter = velocities.spectrum([run], SPECTRA)
    assert "standard masses are assumed" in caplog.text
    np.testing.assert_allclose(lighter["H [cm]"] / table["H [cm]"], 1.008 / DEUTERIUM, rtol=1e-6)
    np.testing.assert_allclose(lighter["O [cm]"], table["O [cm]"], rtol=1e-6)


@pytest.mark.parametrize("spectrum", [velocities.spectrum, susceptibility.spectrum])
def test_runs_of_different_isotopes_are_not_averaged(spectrum, run, calculator, settings, tmp_path):
    simulate(water(2), calculator, settings(**DENSE), 1, tmp_path / "light.h5")
    with pytest.raises(BornflowError, match=r"light.h5: atom 1 \(H\) has a mass of 1.008 amu, .* 2.014 amu"):
        spectrum([run, tmp_path / "light.h5"], SPECTRA)


@pytest.mark.parametrize("masses", [[1.0] * 5, [0.0] * 6, [np.nan] * 6, [-1.0] * 6])
def test_invalid_masses_are_rejected(run, masses):
    with h5py.File(run, "a") as file:
        del file["masses"]
        file["masses"] = masses
        file["masses"].attrs["unit"] = "amu"
    with pytest.raises(BornflowError, match=r"r\.h5: masses is .* at \[0\]|atoms differ .*masses 5"):
        read_frames(run)


def test_frames_of_a_failed_run_keep_their_masses(calculator, settings, tmp_path):
    with pytest.raises(BornflowError, match="temperature"):
        simulate(heavy(2), calculator, settings(temperature_limit=20), 0, tmp_path / "r.h5")
    last = read(tmp_path / "r.failed.extxyz")
    np.testing.assert_allclose(last.get_masses(), heavy(2).get_masses())


def test_the_response_to_a_field_starts_with_the_masses_of_the_run(run, gentle):
    """The dipole that grows in a field at rest is E Q² t² / 2m: half as fast for twice the mass."""
    start = read_frames(run)[0]
    moved = []
    for masses in (start.get_masses(), 2 * start.get_masses()):
        atoms = start.copy()
        atoms.set_masses(masses)
        atoms.set_momenta(np.zeros((6, 3)))
        calculator = BornflowCalculator(gentle, np.zeros(3), "float64")
        moved.append(response.in_field([atoms], calculator, 0.01, 0.1, 3)[0, 3])
    assert moved[0] / moved[1] == pytest.approx(2, rel=0.01)


def test_isotopes_survive_copies_before_a_run(tmp_path):
    atoms = heavy(8, 0.9)
    atoms.info["structure"] = "w"
    for copy in (frames.without_labels(atoms), frames.with_labels(atoms, {}), atoms.repeat((2, 1, 1))):
        expected = np.tile(atoms.get_masses(), len(copy) // len(atoms))
        np.testing.assert_array_equal(copy.get_masses(), expected)
    frames.write(tmp_path / "w.extxyz", [atoms])
    repeated = read_structure(tmp_path / "w.extxyz", 0, [1, 2, 1])
    np.testing.assert_allclose(repeated.get_masses(), np.tile(atoms.get_masses(), 2))
    assert repeated.info["n_molecules"] == 16
