"""Isotopes: a run's masses are part of what it is, stored, and used by all that reads it."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase.io import read
from examples import water

from bornflow.config.schema import validate
from bornflow.dynamics import start
from bornflow.dynamics.export import frames_of
from bornflow.dynamics.md import simulate
from bornflow.dynamics.request import identity
from bornflow.dynamics.series import read_run
from bornflow.errors import BornflowError
from bornflow.inference.calculator import BornflowCalculator
from bornflow.io import frames
from bornflow.spectra import response, susceptibility, velocities

DEUTERIUM = 2.014
SYSTEM = {"structure": "s.extxyz", "temperature": 200, "steps": 200, "equilibration": 40}
LIMITS = {"bond_limit": 100, "energy_limit": 10, "drift_limit": 10}
DENSE = LIMITS | {"frame_interval": 2, "velocity_interval": 1, "thermostat": "nve"}


def heavy(n: int, density: float | None = None):
    atoms = water(n, density)
    atoms.set_masses(np.where(atoms.numbers == 1, DEUTERIUM, 15.999))
    return atoms


@pytest.fixture(scope="module")
def compiled(gentle):
    return BornflowCalculator(gentle, dtype="float64")


@pytest.fixture
def calculator(compiled):
    """One that is compiled once for all tests, and knows nothing of the test before."""
    compiled.reset()
    return compiled


@pytest.fixture(scope="module")
def made(compiled, tmp_path_factory):
    """A run of heavy water, at every step."""
    section = validate({"dynamics": {"systems": {"s": SYSTEM}}})["dynamics"]
    whole = {k: v for k, v in section.items() if k != "systems"} | section["systems"]["s"] | DENSE
    path = tmp_path_factory.mktemp("w") / "r.h5"
    simulate(heavy(2), compiled, whole, 0, path)
    return path


@pytest.fixture
def run(made, tmp_path):
    """A copy of that run, to be changed."""
    return Path(shutil.copy(made, tmp_path))


def test_a_run_of_other_isotopes_is_another_run(options):
    light = identity(water(2), options(), 0, b"model")
    assert light == identity(water(2), options(), 0, b"model")
    others = [identity(heavy(2), options(), 0, b"model"), identity(water(2), options(), 1, b"model")]
    others += [
        identity(water(2), options(), 0, b"another"),
        identity(water(2), options(steps=7), 0, b"model"),
    ]
    assert len({light, *others}) == 5


def test_parts_of_light_water_are_not_gone_on_from_as_heavy_water(calculator, options, tmp_path, monkeypatch):
    """Half of a run of H2O, then one of D2O to the same file: it equals one that had nothing before it."""

    class Killed(Exception):
        pass

    def kill(self, step, *rest):
        if step > 60:
            raise Killed

    short = options(steps=100)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("bornflow.dynamics.recorder.Recorder.record", kill)
        patch.setattr("bornflow.dynamics.recorder.Recorder.flush", lambda self, n: {})
        simulate(water(2), calculator, short, 0, tmp_path / "r.h5", identity(water(2), short, 0, b""))
    assert list((tmp_path / "r.parts").glob("part-*"))
    for name in ("r", "fresh"):
        calculator.reset()
        simulate(heavy(2), calculator, short, 0, tmp_path / f"{name}.h5", identity(heavy(2), short, 0, b""))
    one, two = (read_run(tmp_path / f"{name}.h5", "positions", "masses")[1] for name in ("r", "fresh"))
    np.testing.assert_array_equal(one["positions"], two["positions"])
    np.testing.assert_array_equal(one["masses"], heavy(2).get_masses())


def test_masses_are_stored_with_their_unit_and_kept_by_exported_frames(run, tmp_path):
    with h5py.File(run) as file:
        assert file["masses"].attrs["unit"] == "amu"
        np.testing.assert_array_equal(file["masses"], heavy(2).get_masses())
    _, series = read_run(run, "kinetic_energy", "velocities")
    exported = frames_of(run)
    for index, atoms in enumerate(exported[:3]):
        assert atoms.get_kinetic_energy() == pytest.approx(series["kinetic_energy"][2 * index + 1], rel=1e-4)
    frames.write(tmp_path / "out.extxyz", exported)
    again = frames.read(tmp_path / "out.extxyz")[0]
    np.testing.assert_allclose(again.get_masses(), heavy(2).get_masses())
    np.testing.assert_allclose(again.get_velocities(), exported[0].get_velocities(), rtol=1e-4, atol=1e-6)


def test_frames_of_standard_masses_have_no_column_of_them(calculator, options, tmp_path):
    simulate(water(2), calculator, options(steps=40), 0, tmp_path / "r.h5")
    assert not any(atoms.has("masses") for atoms in frames_of(tmp_path / "r.h5"))


def test_spectra_of_velocities_take_the_masses_of_the_run(run, capsys):
    """With those of H2O the hydrogens of D2O would hold half of their degrees of freedom."""
    options = {"resolution": 400.0, "highest": 4000.0}
    table = velocities.spectrum([run], options)
    assert "standard masses" not in capsys.readouterr().err
    with h5py.File(run, "a") as file:
        del file["masses"]
    lighter = velocities.spectrum([run], options)
    assert "standard masses are assumed" in capsys.readouterr().err
    np.testing.assert_allclose(lighter["H [cm]"] / table["H [cm]"], 1.008 / DEUTERIUM, rtol=1e-6)
    np.testing.assert_allclose(lighter["O [cm]"], table["O [cm]"], rtol=1e-6)


@pytest.mark.parametrize("spectrum", [velocities.spectrum, susceptibility.spectrum])
def test_runs_of_different_isotopes_make_no_common_spectrum(spectrum, run, calculator, options, tmp_path):
    simulate(water(2), calculator, options(**DENSE), 1, tmp_path / "light.h5")
    settings = validate({})["spectra"] | {"resolution": 400.0, "highest": 4000.0}
    with pytest.raises(BornflowError, match=r"light.h5: atom 1 \(H\) has a mass of 1.008 amu, .* 2.014 amu"):
        spectrum([run, tmp_path / "light.h5"], settings)


@pytest.mark.parametrize("masses", [[1.0] * 5, [0.0] * 6, [np.nan] * 6, [-1.0] * 6])
def test_masses_that_are_none_are_rejected(run, masses):
    with h5py.File(run, "a") as file:
        del file["masses"]
        file["masses"] = masses
        file["masses"].attrs["unit"] = "amu"
    with pytest.raises(BornflowError, match=r"r\.h5: masses is .* at \[0\]|atoms differ .*masses 5"):
        frames_of(run)


def test_frames_of_a_failed_run_keep_their_masses(calculator, options, tmp_path):
    with pytest.raises(BornflowError, match="temperature"):
        simulate(heavy(2), calculator, options(temperature_limit=20), 0, tmp_path / "r.h5")
    last = read(tmp_path / "r.failed.extxyz")
    np.testing.assert_allclose(last.get_masses(), heavy(2).get_masses())


def test_the_response_to_a_field_starts_with_the_masses_of_the_run(run, gentle):
    """The dipole that grows in a field at rest is E Q² t² / 2m: half as fast for twice the mass."""
    start = frames_of(run)[0]
    moved = []
    for masses in (start.get_masses(), 2 * start.get_masses()):
        atoms = start.copy()
        atoms.set_masses(masses)
        atoms.set_momenta(np.zeros((6, 3)))
        calculator = BornflowCalculator(gentle, np.zeros(3), "float64")
        moved.append(response.measured([atoms], calculator, 0.01, 0.1, 3)[0, 3])
    assert moved[0] / moved[1] == pytest.approx(2, rel=0.01)


def test_isotopes_survive_copies_on_the_way_into_a_run(tmp_path):
    atoms = heavy(8, 0.9)
    atoms.info["structure"] = "w"
    for copy in (frames.bare(atoms), frames.attach(atoms, {}), atoms.repeat((2, 1, 1))):
        expected = np.tile(atoms.get_masses(), len(copy) // len(atoms))
        np.testing.assert_array_equal(copy.get_masses(), expected)
    frames.write(tmp_path / "w.extxyz", [atoms])
    repeated = start.structure(tmp_path / "w.extxyz", 0, [1, 2, 1])
    np.testing.assert_allclose(repeated.get_masses(), np.tile(atoms.get_masses(), 2))
    assert repeated.info["n_molecules"] == 16
