"""The prefactor of χ'' against an analytic case, and experiment against known numbers."""

import numpy as np
import pytest

from bornflow.errors import BornflowError
from bornflow.spectra import experiment
from bornflow.spectra.susceptibility import current_spectra, susceptibility
from bornflow.units import BOLTZMANN, COULOMB, WAVENUMBER

TEMPERATURE, VOLUME, CHARGE = 300.0, 1000.0, 0.7  # K, Å³, e
MASS = 2.0 * 103.6427  # 2 u in eV fs²/Å²
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
    run = oscillator(40_000, 0.25, seed=9)
    fine, coarse = (current_spectra([run[::n]], 0.25 * n, 10.0) for n in (1, 2))
    low = fine[0] < 3000 / WAVENUMBER
    np.testing.assert_allclose(
        np.interp(fine[0][low], *_mean(coarse)), _mean(fine)[1][low], rtol=0.2, atol=1e-6
    )


def _mean(spectrum):
    return spectrum[0], spectrum[1].mean(axis=0)


def test_too_short_a_run_is_refused():
    with pytest.raises(BornflowError, match="cannot resolve 10 cm"):
        current_spectra([np.zeros((100, 3))], 0.5, 10.0)


@pytest.mark.parametrize("source", ["Segelstein", "Hale"])
def test_measured_water(source):
    wavenumbers = np.array([543.0, 1641.0, 3334.0])
    np.testing.assert_allclose(experiment.water(wavenumbers, source), [1.20, 0.339, 0.736], rtol=0.03)
