"""The susceptibility from bound-charge currents (eqs. 15–17 of the paper).

    python -m bornflow.spectra.susceptibility --runs run0.h5 run1.h5 --out spectrum.csv

By the fluctuation–dissipation theorem in the classical limit
    χ''(ω) = S_J(ω) / (2 ε₀ Ω k_B T ω) = ω S_M(ω) / (2 ε₀ Ω k_B T),   S_J(ω) = ∫ dt exp(iωt) ⟨J(0) J(t)⟩,
with J = dM/dt, averaged over directions, segments of the runs and replicas. χ' follows from χ'' by the
Kramers–Kronig relation. An isolated structure has no volume. For it the absorption of light by one molecule,
σ = ω χ'' Ω / (c n_molecules), is reported as N_A σ, whose integral over wavenumbers is a band's intensity.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Complex, Float

from ..cli import command
from ..dynamics.masses import common_atoms
from ..dynamics.series import read_run
from ..units import BOLTZMANN, COULOMB, INTENSITY, WAVENUMBER
from . import signals
from .replicas import mean_temperature, shared_attributes, write_table
from .settings import SpectraSettings

WAVENUMBER_COLUMN = "wavenumber [1/cm]"
CHI_COLUMN = "chi_imaginary"
CHI_REAL_COLUMN, CHI_REAL_ERROR_COLUMN = "chi_real", "chi_real_error"
COEFFICIENT_COLUMN = "absorption_times_index [1/cm]"
INTENSITY_COLUMN = "absorption_per_molecule [km cm/mol]"
ERROR_COLUMN = "standard_error"
# Contributions of the terms of the current to CHI_COLUMN or INTENSITY_COLUMN, for coupled models.
TERMS = ("static_part", "flux_part", "cross_part")
TERM_ERRORS = tuple(f"{term}_error" for term in TERMS)

Transforms = Sequence[Complex[np.ndarray, "segments components frequencies"]]  # of each run
Samples = Mapping[str, np.ndarray]  # [samples, frequencies] by name: total, TERMS, real


def densities(transforms: Transforms) -> Float[np.ndarray, "samples frequencies"]:
    """S of every sample (one direction of one segment), from `signals.segment_spectra`."""
    return np.concatenate([np.abs(values.reshape(-1, values.shape[-1])) ** 2 for values in transforms])


def term_densities(
    static: Transforms, total: Transforms
) -> dict[str, Float[np.ndarray, "samples frequencies"]]:
    """The terms whose sum is S_J: |J_s|² of static charges, |J_f|² of charge flux, and 2 Re(J_s* J_f).

    J_s = Σ_i Q_i v_i is the first term of eq. 3, charges that move with their atoms. J_f = J − J_s is the
    second, charge that flows between atoms.
    """
    flux = [current - moving for current, moving in zip(total, static, strict=True)]
    pairs = zip(static, flux, strict=True)
    cross = [2 * np.real(np.conj(a) * b).reshape(-1, a.shape[-1]) for a, b in pairs]
    return dict(zip(TERMS, (densities(static), densities(flux), np.concatenate(cross)), strict=True))


def susceptibility(
    frequencies: Float[np.ndarray, " frequencies"],
    spectra: Float[np.ndarray, "samples frequencies"],
    temperature: float,
    volume: float,
) -> Float[np.ndarray, "samples frequencies"]:
    """χ'' (dimensionless) of each sample; `frequencies` ν [fs⁻¹], `temperature` [K], `volume` [Å³]."""
    return absorption(spectra, temperature) / (2 * np.pi * frequencies * volume)


def absorption(
    spectra: Float[np.ndarray, "samples frequencies"], temperature: float
) -> Float[np.ndarray, "samples frequencies"]:
    """ω χ'' Ω = S_J / (2 ε₀ k_B T) [Å³ / fs], with e²/ε₀ = 4π k_e."""
    return spectra * 4 * np.pi * COULOMB / (2 * BOLTZMANN * temperature)


def spectrum(paths: Sequence[Path], settings: SpectraSettings) -> pd.DataFrame:
    """The table of one system from the runs of its replicas.

    Columns: wavenumber; for periodic systems χ'', χ' and α n = 2π ν χ'' [cm⁻¹], for isolated ones
    N_A σ [km cm mol⁻¹]; standard errors of χ'' or N_A σ, and of χ'; and for coupled models the TERMS of χ''
    or N_A σ with their standard errors. The temperature is the mean over the runs; in short runs it may
    differ from the thermostat's.

    Errors of a liquid are over directions, segments and replicas. In a cold cluster vibrations barely
    exchange energy within a run. The error of a cluster is therefore over replicas only, and unknown for a
    single replica.
    """
    series = "current" if settings.route == "current" else "dipole"
    attributes, runs = zip(
        *(
            read_run(path, series, "temperature", optional=("static_current", "numbers", "masses"))
            for path in paths
        ),
        strict=True,
    )
    if all({"numbers", "masses"} <= set(values) for values in runs):
        common_atoms(paths, runs)
    shared = shared_attributes(paths, attributes)
    temperature = mean_temperature(paths, [values["temperature"] for values in runs])
    timestep = float(shared["timestep [fs]"])
    currents = [values[series] for values in runs]
    if series == "dipole":
        currents = [signals.differentiate(dipole, timestep) for dipole in currents]
    frequencies, transforms = signals.segment_spectra(currents, timestep, settings.resolution)
    samples = {"total": densities(transforms)}
    if all("static_current" in values for values in runs):
        static = [values["static_current"] for values in runs]
        _, static_transforms = signals.segment_spectra(static, timestep, settings.resolution)
        samples |= term_densities(static_transforms, transforms)
    if shared["kind"] == "bulk":
        return _table(frequencies, _bulk(frequencies, samples, temperature, shared), settings, CHI_COLUMN)
    counts = [values.shape[0] * values.shape[1] for values in transforms]
    return _table(frequencies, _isolated(samples, temperature, shared, counts), settings, INTENSITY_COLUMN)


def _bulk(
    frequencies: np.ndarray, spectra: Samples, temperature: float, attributes: Mapping[str, Any]
) -> Samples:
    """χ'' of each sample, its terms, and χ' as `real`; the frequency 0 is left out."""
    volume = float(attributes["volume [Å³]"])
    weighted = absorption(spectra["total"], temperature) / (2 * np.pi * volume)  # ν χ''
    samples = {
        name: susceptibility(frequencies[1:], values[:, 1:], temperature, volume)
        for name, values in spectra.items()
    }
    return samples | {"real": signals.kramers_kronig(frequencies, weighted)[:, 1:]}


def _isolated(
    spectra: Samples, temperature: float, attributes: Mapping[str, Any], counts: Sequence[int]
) -> Samples:
    """N_A σ of each run and its terms, from `counts` samples of each; the frequency 0 is left out."""
    scale = INTENSITY / attributes["n_molecules"]
    samples = {}
    for name, values in spectra.items():
        runs = np.split(scale * absorption(values[:, 1:], temperature), np.cumsum(counts)[:-1])
        samples[name] = np.stack([run.mean(axis=0) for run in runs])
    return samples


def _table(frequencies: np.ndarray, samples: Samples, settings: SpectraSettings, column: str) -> pd.DataFrame:
    """Means and standard errors over `samples`, binned; `column` is the name of their total."""
    frequencies = frequencies[1:]
    kept = frequencies * WAVENUMBER <= settings.highest
    frequencies = centres = frequencies[kept]
    samples = {name: values[..., kept] for name, values in samples.items()}
    if settings.binning == "logarithmic":
        for name, values in samples.items():
            centres, samples[name] = signals.logarithmic_bins(frequencies, values, settings.bins_per_decade)
    table = {WAVENUMBER_COLUMN: centres * WAVENUMBER}
    table[column], table[ERROR_COLUMN] = _mean_and_error(samples["total"])
    if "real" in samples:
        table[CHI_REAL_COLUMN], table[CHI_REAL_ERROR_COLUMN] = _mean_and_error(samples["real"])
        table[COEFFICIENT_COLUMN] = 2 * np.pi * table[WAVENUMBER_COLUMN] * table[CHI_COLUMN]
    for term, error in zip(TERMS, TERM_ERRORS, strict=True):
        if term in samples:
            table[term], table[error] = _mean_and_error(samples[term])
    return pd.DataFrame(table)


def _mean_and_error(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over samples and its standard error, which is unknown (NaN) for a single sample."""
    unknown = np.full(samples.shape[1:], np.nan)
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples)) if len(samples) > 1 else unknown
    return samples.mean(axis=0), error


@command
def main() -> None:
    """Write the spectrum of one system from the runs of its replicas."""
    write_table(main, spectrum)


if __name__ == "__main__":
    main()
