"""The susceptibility from bound-charge currents (eqs. 15–17 of the paper).

    python -m bornflow.spectra.susceptibility --runs run0.h5 run1.h5 --out spectrum.csv

By the fluctuation–dissipation theorem in the classical limit
    χ''(ω) = S_J(ω) / (2 ε₀ Ω k_B T ω) = ω S_M(ω) / (2 ε₀ Ω k_B T),   S_J(ω) = ∫ dt exp(iωt) ⟨J(0) J(t)⟩,
with J = dM/dt and the average over directions, segments of the runs and replicas; χ' is its partner by
Kramers and Kronig. An isolated structure has no volume: there the absorption of light by one molecule,
σ = ω χ'' Ω / (c n_molecules), is reported as N_A σ, whose integral over wavenumbers is a band's intensity.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from .. import config
from ..cli import command
from ..dynamics.masses import same_atoms
from ..dynamics.series import read_run
from ..errors import BornflowError
from ..io.files import atomic_write
from ..units import BOLTZMANN, COULOMB, INTENSITY, WAVENUMBER
from . import signals

WAVENUMBER_COLUMN = "wavenumber [1/cm]"
CHI_COLUMN = "chi_imaginary"
CHI_REAL_COLUMN, CHI_REAL_ERROR_COLUMN = "chi_real", "chi_real_error"
COEFFICIENT_COLUMN = "absorption_times_index [1/cm]"
INTENSITY_COLUMN = "absorption_per_molecule [km cm/mol]"
ERROR_COLUMN = "standard_error"
ALIKE = (
    "kind",
    "structure",
    "n_molecules",
    "volume [Å³]",
    "timestep [fs]",
    "temperature [K]",
    "thermostat",
    "thermostat_time [fs]",
    "equilibration [steps]",
    "precision",
    "electric_field [V/Å]",
    "fixed_charges",
    "model_sha256",
)
PARTS = ("static_part", "flux_part", "cross_part")  # of CHI_COLUMN or INTENSITY_COLUMN, for coupled models
PART_ERRORS = tuple(f"{part}_error" for part in PARTS)


def densities(segments: Sequence[np.ndarray]) -> Float[np.ndarray, "samples frequencies"]:
    """S of every sample, one direction of one segment, from `signals.segment_spectra`."""
    return np.concatenate([np.abs(found.reshape(-1, found.shape[-1])) ** 2 for found in segments])


def part_densities(
    static: Sequence[np.ndarray], total: Sequence[np.ndarray]
) -> dict[str, Float[np.ndarray, "samples frequencies"]]:
    """What S_J is the sum of: static charges |J_s|², charge flux |J_f|² and 2 Re(J_s* J_f), J_f = J − J_s.

    J_s = Σ_i Q_i v_i is the first term of eq. 3, charges that travel with their atoms, J_f the second,
    charge that flows between them.
    """
    flux = [whole_ - fixed for whole_, fixed in zip(total, static, strict=True)]
    pairs = zip(static, flux, strict=True)
    cross = [2 * np.real(np.conj(a) * b).reshape(-1, a.shape[-1]) for a, b in pairs]
    return dict(zip(PARTS, (densities(static), densities(flux), np.concatenate(cross)), strict=True))


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


def spectrum(paths: Sequence[Path], options: Mapping) -> pd.DataFrame:
    """The table of one system; `options` is the section `spectra` of a configuration.

    Columns: wavenumber; for periodic systems χ'', χ' and α n = 2π ν χ'' [cm⁻¹], for isolated ones
    N_A σ [km cm mol⁻¹]; standard errors of χ'' or N_A σ, and of χ'; and for coupled models the PARTS of χ''
    or N_A σ with their standard errors. The temperature is the mean of the runs, which a short one may have
    off its thermostat's.

    Errors of a liquid are over directions, segments and replicas. The vibrations of a cold cluster keep their
    energy through a run, so that its error is over replicas alone, and unknown for one.
    """
    series = "current" if options["route"] == "current" else "dipole"
    runs = [
        read_run(path, series, "temperature", optional=("static_current", "numbers", "masses"))
        for path in paths
    ]
    if all({"numbers", "masses"} <= set(values) for _, values in runs):
        same_atoms(paths, [values for _, values in runs])
    attributes = common(paths, [found for found, _ in runs])
    temperature = mean_temperature(paths, [values["temperature"] for _, values in runs])
    timestep = float(attributes["timestep [fs]"])
    totals = [values[series] for _, values in runs]
    if series == "dipole":
        totals = [signals.differentiate(dipole, timestep) for dipole in totals]
    frequencies, segments = signals.segment_spectra(totals, timestep, options["resolution"])
    samples = {"total": densities(segments)}
    if all("static_current" in values for _, values in runs):
        static = [values["static_current"] for _, values in runs]
        static = signals.segment_spectra(static, timestep, options["resolution"])[1]
        samples |= part_densities(static, segments)
    real = None
    if attributes["kind"] == "bulk":
        volume = float(attributes["volume [Å³]"])
        weighted = absorption(samples["total"], temperature) / (2 * np.pi * volume)  # ν χ''
        real = signals.kramers_kronig(frequencies, weighted)[:, 1:]
    frequencies, samples = frequencies[1:], {name: values[:, 1:] for name, values in samples.items()}
    if real is not None:
        samples = {k: susceptibility(frequencies, v, temperature, volume) for k, v in samples.items()}
    else:
        scale = INTENSITY / attributes["n_molecules"]
        ends = np.cumsum([found.shape[0] * found.shape[1] for found in segments])[:-1]
        for name, values in samples.items():
            runs_apart = np.split(scale * absorption(values, temperature), ends)
            samples[name] = np.stack([part.mean(axis=0) for part in runs_apart])
    return _table(frequencies, samples, real, options)


def _table(
    frequencies: np.ndarray, samples: dict[str, np.ndarray], real: np.ndarray | None, options: Mapping
):
    kept = frequencies * WAVENUMBER <= options["highest"]
    frequencies = centres = frequencies[kept]
    values = samples if real is None else samples | {"real": real}
    values = {name: value[..., kept] for name, value in values.items()}
    if options["binning"] == "logarithmic":
        for name, value in values.items():
            centres, values[name] = signals.logarithmic_bins(frequencies, value, options["bins_per_decade"])
    table = {WAVENUMBER_COLUMN: centres * WAVENUMBER}
    column = INTENSITY_COLUMN if real is None else CHI_COLUMN
    table[column], table[ERROR_COLUMN] = _mean_and_error(values["total"])
    if real is not None:
        table[CHI_REAL_COLUMN], table[CHI_REAL_ERROR_COLUMN] = _mean_and_error(values["real"])
        table[COEFFICIENT_COLUMN] = 2 * np.pi * table[WAVENUMBER_COLUMN] * table[CHI_COLUMN]
    for part, error in zip(PARTS, PART_ERRORS, strict=True):
        if part in values:
            table[part], table[error] = _mean_and_error(values[part])
    return pd.DataFrame(table)


def _mean_and_error(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of one sample the error is not known."""
    unknown = np.full(samples.shape[1:], np.nan)
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples)) if len(samples) > 1 else unknown
    return samples.mean(axis=0), error


def mean_temperature(paths: Sequence[Path], series: Sequence[np.ndarray]) -> float:
    """The mean [K] over runs of their means; BornflowError for a run whose atoms do not move."""
    means = [float(values.mean()) for values in series]
    for path, mean in zip(paths, means, strict=True):
        if not mean > 0:
            raise BornflowError(f"{path}: the mean temperature is {mean:g} K; no spectrum can be made of it")
    return float(np.mean(means))


def common(paths: Sequence[Path], found: Sequence[dict], *further: str) -> dict:
    """The attributes of all runs; BornflowError where those of ALIKE, or `further`, are not the same.

    A run that is given twice is rejected too: it would count as two that agree.
    """
    seeds: dict[str, Path] = {}
    for path, other in zip(paths, found, strict=True):
        for key in (*ALIKE, *further):
            values = [str(attributes.get(key, "not said")) for attributes in (other, found[0])]
            if values[0] != values[1]:
                raise BornflowError(f"{path}: {key} is {values[0]}, {paths[0]} has {values[1]}")
        seed = str(other.get("seed", path))
        if seed in seeds:
            raise BornflowError(f"{seeds[seed]} and {path} have the same random numbers: give it once")
        seeds[seed] = path
    return found[0]


def write(spectrum: Callable[[Sequence[Path], Mapping], pd.DataFrame], description: str | None) -> None:
    """The command line of modules that make a table of the runs of a system's replicas."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--config", help="a configuration; its section spectra is read")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    table = spectrum([Path(run) for run in args.runs], config.load(args.config, "spectra"))
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.6g")


@command
def main() -> None:
    """Write the spectrum of one system from the runs of its replicas."""
    write(spectrum, main.__doc__)


if __name__ == "__main__":
    main()
