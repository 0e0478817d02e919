"""Spectra of analytic cases (a thermal oscillator, its integrals, both routes) and of measured water."""

import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from bornflow.config.schema import validate
from bornflow.dynamics.chunks import Chunks
from bornflow.errors import BornflowError
from bornflow.spectra import deviations, experiment, signals, velocities
from bornflow.spectra import susceptibility as spectra
from bornflow.spectra.settings import SpectraSettings
from bornflow.spectra.susceptibility import densities, susceptibility
from bornflow.units import AMU, BOLTZMANN, COULOMB, WAVENUMBER

TEMPERATURE, VOLUME, CHARGE = 300.0, 1000.0, 0.7  # K, Å³, e
MASS = 2.0 * AMU
FREQUENCY = 1650 / WAVENUMBER  # fs⁻¹
FRICTION = 0.004  # fs⁻¹


def oscillator(steps: int, timestep: float, seed: int) -> np.ndarray:
    """Currents of three independent charges on springs in a thermal bath (Langevin, BAOAB)."""
    rng = np.random.default_rng(seed)
    omega, width = 2 * np.pi * FREQUENCY, np.sqrt(BOLTZMANN * TEMPERATURE / MASS)
    x, v = rng.normal(size=3) * width / omega, rng.normal(size=3) * width
    damp = np.exp(-FRICTION * timestep)
    currents = np.empty((steps, 3))
    noise = rng.normal(size=(steps, 3)) * width * np.sqrt(1 - damp**2)
    for step in range(steps):
        v = v - omega**2 * x * timestep / 2
        x = x + v * timestep / 2
        v = damp * v + noise[step]
        x = x + v * timestep / 2
        v = v - omega**2 * x * timestep / 2
        currents[step] = CHARGE * v
    return currents


def current_spectra(runs, timestep, resolution):
    frequencies, segments = signals.segment_spectra(runs, timestep, resolution)
    return frequencies[1:], densities(segments)[:, 1:]


@pytest.fixture(scope="module")
def chi():
    runs = [oscillator(60_000, 0.5, seed) for seed in range(4)]
    frequencies, spectra = current_spectra(runs, 0.5, resolution=4.0)
    return frequencies, susceptibility(frequencies, spectra, TEMPERATURE, VOLUME)


def analytic(frequencies):
    """χ'' of a damped oscillator: (Q²/ε₀Ωm) ω γ / ((ω₀² − ω²)² + ω²γ²)."""
    omega, omega0 = 2 * np.pi * frequencies, 2 * np.pi * FREQUENCY
    strength = 4 * np.pi * COULOMB * CHARGE**2 / (VOLUME * MASS)
    return strength * omega * FRICTION / ((omega0**2 - omega**2) ** 2 + (omega * FRICTION) ** 2)


def test_a_thermal_oscillator_has_the_analytic_spectrum(chi):
    frequencies, samples = chi
    mean, error = samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))
    band = np.abs(frequencies - FREQUENCY) < 100 / WAVENUMBER
    expected = analytic(frequencies)
    assert np.mean(np.abs(mean - expected)[band] < 3 * error[band] + 0.03 * expected.max()) > 0.95
    assert frequencies[band][mean[band].argmax()] == pytest.approx(FREQUENCY, abs=10 / WAVENUMBER)


def test_the_sum_rule_gives_the_charge(chi):
    frequencies, samples = chi
    omega = 2 * np.pi * frequencies
    area = np.sum(samples.mean(axis=0) * omega) * (omega[1] - omega[0])
    expected = np.pi / 2 * 4 * np.pi * COULOMB * CHARGE**2 / (VOLUME * MASS)
    assert area == pytest.approx(expected, rel=0.05)


def test_the_spectrum_does_not_depend_on_the_stride():
    resolution = WAVENUMBER / 1000  # segments of 4000, 2000 and 1000 steps: the same frequencies
    run = oscillator(40_000, 0.25, seed=9)
    (nu, fine), *coarser = (current_spectra([run[::n]], 0.25 * n, resolution) for n in (1, 2, 4))
    for frequencies, spectrum in coarser:
        np.testing.assert_allclose(frequencies, nu[: len(frequencies)])
        found, expected = spectrum.mean(axis=0), fine.mean(axis=0)[: len(frequencies)]
        np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())


def test_a_run_that_is_too_short_is_rejected():
    with pytest.raises(BornflowError, match="cannot resolve 10 cm"):
        current_spectra([np.zeros((100, 3))], 0.5, 10.0)


@pytest.mark.parametrize("source", ["Segelstein", "Hale"])
def test_measured_water(source):
    wavenumbers = np.array([543.0, 1641.0, 3334.0])
    np.testing.assert_allclose(experiment.water(wavenumbers, source), [1.20, 0.339, 0.736], rtol=0.03)


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    noise = np.random.default_rng(0).normal(scale=0.3, size=(200_000, 3))
    frequencies, density = current_spectra([noise], 0.5, 100.0)
    np.testing.assert_allclose(density.mean(axis=0)[:-1], 0.3**2 * 0.5, rtol=0.2)
    assert density[:, :-1].mean() == pytest.approx(0.3**2 * 0.5, rel=0.01)
    assert frequencies[-1] == pytest.approx(1 / (2 * 0.5))


@pytest.mark.parametrize("shape", ["debye", "oscillator"])
def test_kramers_and_kronig_give_the_real_part(shape):
    nu = np.arange(20_001) * 1e-4
    if shape == "debye":
        chi = 3.0 / (1 - 1j * nu / 0.02)
    else:
        chi = 0.5 * 0.3**2 / (0.3**2 - nu**2 - 1j * nu * 0.05)
    real = signals.kramers_kronig(nu, nu * chi.imag)
    low = nu < 0.6
    np.testing.assert_allclose(real[low], chi.real[low], atol=0.02)
    static = {"debye": 3.0, "oscillator": 0.5}[shape]
    assert real[0] == pytest.approx(static, rel=0.02)


def test_kramers_and_kronig_of_a_relaxation_as_slow_as_the_grid():
    nu = np.arange(20_001.0)
    chi = 3.0 / (1 - 1j * nu / 2)
    weighted = 6 * nu**2 / (nu**2 + 4)  # ν χ''
    real = signals.kramers_kronig(nu, weighted)
    np.testing.assert_allclose(real[:50], chi.real[:50], atol=0.015)
    still = 6 * np.ones(20_001)  # slower than the grid resolves: ν χ'' does not vanish at ν = 0
    np.testing.assert_allclose(signals.kramers_kronig(nu, still)[1:50], 0, atol=0.001)


def test_the_static_limit_of_a_run(tmp_path):
    runs = [write_run(tmp_path, oscillator(40_000, 0.5, seed), name=f"r{seed}") for seed in range(5)]
    table = spectra.spectrum(runs, settings())
    static = 4 * np.pi * COULOMB * CHARGE**2 / (VOLUME * MASS * (2 * np.pi * FREQUENCY) ** 2)
    np.testing.assert_allclose(table[spectra.CHI_REAL_COLUMN][:10], static, rtol=0.1)


@pytest.mark.parametrize("grid", [[1.0, 2.0, 3.0], [0.0, 1.0, 3.0]])
def test_kramers_and_kronig_need_an_even_grid_from_zero(grid):
    with pytest.raises(BornflowError, match="frequencies 0, Δ, 2Δ"):
        signals.kramers_kronig(np.array(grid), np.ones(3))


def test_logarithmic_bins_are_means():
    nu = np.arange(1.0, 1001.0)
    centres, means = signals.logarithmic_bins(nu, np.stack([nu, nu**0]), 10)
    assert len(centres) <= 31
    np.testing.assert_allclose(means[1], 1)
    np.testing.assert_allclose(means[0], centres, rtol=0.02)
    assert np.all(np.diff(centres) > 0)


def settings(**changes):
    return SpectraSettings(**validate({"spectra": {"resolution": 20} | changes})["spectra"])


def write_run(folder, currents, kind="bulk", static=None, name="run", n_molecules=2):
    """A run with a given current, as `dynamics.md` writes it."""
    dipole = np.zeros_like(currents)
    dipole[1:] = np.cumsum(0.5 * (currents[1:] + currents[:-1]) / 2, axis=0)
    steps = len(currents)
    series = {"current": currents, "dipole": dipole, "temperature": np.full(steps, TEMPERATURE)}
    series |= {key: np.zeros(steps) for key in ("potential_energy", "kinetic_energy", "conserved_energy")}
    series |= {
        "positions": np.zeros((1, 1, 3)),
        "velocities": currents[::4, None].astype(np.float32) / CHARGE,
    }
    if static is not None:
        series["static_current"] = static
    chunks = Chunks(folder / name, "")
    chunks.resume()
    chunks.append(series, {"positions": np.zeros((1, 3)), "momenta": np.zeros((1, 3)), "step": steps})
    attributes = {
        "kind": kind,
        "timestep [fs]": 0.5,
        "temperature [K]": TEMPERATURE,
        "thermostat": "bussi",
        "volume [Å³]": VOLUME if kind == "bulk" else np.nan,
        "structure": "s",
        "n_molecules": n_molecules,
        "velocity_interval [steps]": 4,
    }
    path = folder / f"{name}.h5"
    chunks.join(path, attributes, {"numbers": np.array([1])})
    return path


def test_the_polarisation_gives_the_same_spectrum_as_the_current(tmp_path):
    run = write_run(tmp_path, oscillator(20_000, 0.5, seed=3))
    current, polarisation = (spectra.spectrum([run], settings(route=r)) for r in ("current", "polarisation"))
    for column in current:
        np.testing.assert_allclose(polarisation[column], current[column], rtol=1e-9, atol=1e-12)


def test_the_integral_of_a_band_is_its_intensity(tmp_path):
    """974.88 km/mol for (∂μ/∂Q)² of 1 e²/u: the textbook's factor, three modes of one molecule."""
    run = write_run(tmp_path, oscillator(60_000, 0.5, seed=5), "cluster", n_molecules=1)
    table = spectra.spectrum([run], settings())
    nu = table[spectra.WAVENUMBER_COLUMN]
    found = np.trapezoid(table[spectra.INTENSITY_COLUMN], nu)
    assert found == pytest.approx(3 * 974.88 * CHARGE**2 / (MASS / AMU), rel=0.1)


def test_the_terms_of_the_current_sum_to_the_total(tmp_path):
    total = oscillator(20_000, 0.5, seed=1)
    table = spectra.spectrum([write_run(tmp_path, total, static=0.25 * total)], settings())
    chi = table[spectra.CHI_COLUMN]
    np.testing.assert_allclose(table["static_part"], chi / 16, rtol=1e-9)
    np.testing.assert_allclose(table["flux_part"], 9 * chi / 16, rtol=1e-9)
    np.testing.assert_allclose(table["cross_part"], 6 * chi / 16, rtol=1e-9)
    # Terms that are multiples of the total have its relative error.
    relative = table[spectra.ERROR_COLUMN] / chi
    for term, error in zip(spectra.TERMS, spectra.TERM_ERRORS, strict=True):
        np.testing.assert_allclose(table[error] / table[term], relative, rtol=1e-9)


def test_standard_errors_are_the_spread_of_runs(tmp_path):
    runs = [oscillator(20_000, 0.5, seed) for seed in range(12)]
    paths = [write_run(tmp_path, run, static=0.25 * run, name=f"{number}") for number, run in enumerate(runs)]
    tables = [spectra.spectrum([path], settings()) for path in paths]
    band = tables[0][spectra.WAVENUMBER_COLUMN].between(1500, 1800)
    for value, error in (
        (spectra.CHI_COLUMN, spectra.ERROR_COLUMN),
        (spectra.CHI_REAL_COLUMN, spectra.CHI_REAL_ERROR_COLUMN),
        ("flux_part", "flux_part_error"),
    ):
        spread = np.std([table[value][band] for table in tables], axis=0, ddof=1).mean()
        reported = np.mean([table[error][band] for table in tables])
        assert reported == pytest.approx(spread, rel=0.25), value


def test_the_absorption_coefficient_follows_from_chi(tmp_path):
    table = spectra.spectrum([write_run(tmp_path, oscillator(20_000, 0.5, seed=1))], settings())
    nu = table[spectra.WAVENUMBER_COLUMN]
    np.testing.assert_allclose(table[spectra.COEFFICIENT_COLUMN], 2 * np.pi * nu * table[spectra.CHI_COLUMN])
    coarse = spectra.spectrum([tmp_path / "run.h5"], settings(binning="logarithmic", bins_per_decade=20))
    assert len(coarse) < len(table) / 2


def test_velocities_have_one_degree_of_freedom_in_each_direction(tmp_path):
    runs = [write_run(tmp_path, oscillator(40_000, 0.5, seed), name=f"r{seed}") for seed in (1, 2)]
    table = velocities.spectrum(runs, settings())
    nu, power = table[spectra.WAVENUMBER_COLUMN], table["H [cm]"]
    hydrogen = 1.008 * AMU / MASS  # the mass of the oscillator differs from that of its element
    assert np.trapezoid(power, nu) == pytest.approx(3 * hydrogen, rel=0.1)
    assert nu[power.argmax()] == pytest.approx(1650, abs=25)


def test_errors_of_a_cold_cluster_are_over_its_replicas(tmp_path):
    """Vibrations that keep their energy through a run: amplitudes differ between runs, not within them."""
    time = 0.5 * np.arange(20_000)
    wave = np.stack([np.cos(2 * np.pi * FREQUENCY * time + phase) for phase in (0, 1, 2)], axis=1)
    runs = [
        write_run(tmp_path, size * wave, "cluster", name=f"r{number}")
        for number, size in enumerate((1.0, 1.4))
    ]
    table = spectra.spectrum(runs, settings())
    top = table.loc[table[spectra.INTENSITY_COLUMN].idxmax()]
    # Intensities 1 and 1.96: their mean, and half their difference.
    assert top[spectra.ERROR_COLUMN] / top[spectra.INTENSITY_COLUMN] == pytest.approx(0.48 / 1.48, rel=1e-3)
    assert spectra.spectrum(runs[:1], settings())[spectra.ERROR_COLUMN].isna().all()


def test_the_error_of_a_bands_intensity_is_its_spread():
    nu = signals.segment_spectra([np.zeros((3336, 1))], 0.5, 20.0)[0][1:]
    found = []
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(size=(20_000, 3))
        density = current_spectra([noise], 0.5, 20.0)[1]
        error = density.std(axis=0, ddof=1) / np.sqrt(len(density))
        columns = (spectra.WAVENUMBER_COLUMN, spectra.CHI_COLUMN, spectra.ERROR_COLUMN)
        values = (nu * WAVENUMBER, density.mean(axis=0), error)
        rows = deviations.band_deviations(pd.DataFrame(dict(zip(columns, values, strict=True))))
        found.append(rows.query("measured_by == 'Hale'")[["intensity", "intensity_error"]].to_numpy())
    intensities, errors = np.moveaxis(found, -1, 0)
    np.testing.assert_allclose(errors.mean(axis=0), intensities.std(axis=0), rtol=0.25)


def test_a_band_that_the_spectrum_does_not_cover_is_rejected():
    nu = np.arange(20.0, 3000, 10)
    columns = (spectra.WAVENUMBER_COLUMN, spectra.CHI_COLUMN, spectra.ERROR_COLUMN)
    with pytest.raises(BornflowError, match=r"ends below 3800 cm.*spectra\.highest"):
        deviations.band_deviations(pd.DataFrame(dict.fromkeys(columns, nu)))


def test_segments_reach_to_the_end_of_a_run():
    run = np.zeros((10_000, 1))
    run[-500:] = np.random.default_rng(0).normal(size=(500, 1))
    (segments,) = signals.segment_spectra([run], 0.5, 20.0)[1]
    assert len(segments) == 5 and abs(segments[-1]).max() > 0


@pytest.mark.parametrize("module", [spectra, velocities])
def test_runs_of_different_systems_are_not_averaged(module, tmp_path):
    runs = [write_run(tmp_path, np.ones((4000, 3)), kind, name=kind) for kind in ("bulk", "cluster")]
    with pytest.raises(BornflowError, match=r"cluster.h5: kind is cluster, .*bulk.h5 has bulk"):
        module.spectrum(runs, settings())


def test_a_run_given_twice_is_rejected(tmp_path):
    run = write_run(tmp_path, np.ones((4000, 3)))
    with pytest.raises(BornflowError, match=r"run\.h5 and .*run\.h5 have the same random numbers"):
        spectra.spectrum([run, run], settings())


def test_runs_in_different_fields_are_not_averaged(tmp_path):
    runs = [write_run(tmp_path, np.ones((4000, 3)), name=name) for name in ("a", "b")]
    with h5py.File(runs[1], "a") as file:
        file.attrs["electric_field [V/Å]"] = [0.0, 0.0, 0.1]
    with pytest.raises(BornflowError, match=r"b\.h5: electric_field .* is .*0\.1.*a\.h5 has not given"):
        spectra.spectrum(runs, settings())


def test_deviations_reject_logarithmic_bins(tmp_path):
    run = write_run(tmp_path, oscillator(20_000, 0.5, seed=1))
    (tmp_path / "c.yaml").write_text("spectra: {resolution: 4}")
    for module, *given in (
        ("susceptibility", "--runs", run, "--config", tmp_path / "c.yaml", "--out", tmp_path / "s.csv"),
        ("deviations", "--spectra", tmp_path / "s.csv", "--models", "m", "--out", tmp_path / "d.csv"),
    ):
        subprocess.run([sys.executable, "-m", f"bornflow.spectra.{module}", *given], check=True)
    assert len(pd.read_csv(tmp_path / "d.csv")) == 6
    with pytest.raises(BornflowError, match=r"spectra\.binning: linear"):
        deviations.band_deviations(spectra.spectrum([run], settings(binning="logarithmic")))


def test_measured_water_has_no_deviation_from_itself():
    nu = np.arange(20.0, 4500, 10)
    chi = experiment.water(nu)
    table = {spectra.WAVENUMBER_COLUMN: nu, spectra.CHI_COLUMN: 1.2 * chi, spectra.ERROR_COLUMN: 0.2 * chi}
    table |= {"static_part": 0.3 * chi, "static_part_error": 0.05 * chi}
    rows = deviations.tabulate([pd.DataFrame(table)], ["one"]).query("measured_by == 'Segelstein'")
    assert list(rows["band"]) == ["libration", "bend", "stretch"]
    np.testing.assert_allclose(rows["intensity"], 1.2)
    np.testing.assert_allclose(rows["static_part"], 0.3)
    np.testing.assert_allclose(rows["static_part_error"], rows["intensity_error"] / 4)
    np.testing.assert_allclose(rows["rms"], np.sqrt(np.array([0.04] * 3)) * rms_over_mean(nu, chi), rtol=1e-6)
    np.testing.assert_allclose(rows["noise"], rows["rms"])
    np.testing.assert_allclose(rows["position [1/cm]"], rows["measured_position [1/cm]"])


def rms_over_mean(nu, chi):
    bands = [chi[(nu >= low) & (nu <= high)] for low, high in experiment.BANDS.values()]
    return [np.sqrt(np.mean(band**2)) / band.mean() for band in bands]


def test_an_isolated_structure_has_no_susceptibility():
    with pytest.raises(BornflowError, match="isolated"):
        deviations.band_deviations(
            pd.DataFrame({spectra.WAVENUMBER_COLUMN: [1.0], spectra.INTENSITY_COLUMN: [1.0]})
        )
