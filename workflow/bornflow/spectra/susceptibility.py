"""The imaginary susceptibility from bound-charge currents (eqs. 15–17 of the paper).

    python -m bornflow.spectra.susceptibility --runs run0.h5 run1.h5 --out spectrum.csv

By the fluctuation–dissipation theorem in the classical limit
    χ''(ω) = S_J(ω) / (2 ε₀ Ω k_B T ω),     S_J(ω) = ∫ dt exp(iωt) ⟨J(0) J(t)⟩,
with J = dM/dt and the average over directions, segments of the runs and replicas. An isolated
structure has no volume: there ω χ'' Ω per molecule, which is proportional to the absorption of light
by one molecule, is reported in its place.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.signal
from jaxtyping import Float

from .. import settings
from ..dynamics.series import read_run
from ..errors import BornflowError, command
from ..files import whole
from ..units import BOLTZMANN, COULOMB, WAVENUMBER

WAVENUMBER_COLUMN = "wavenumber [1/cm]"
CHI_COLUMN = "chi_imaginary"
ABSORPTION_COLUMN = "absorption_per_molecule [Å³/fs]"
ERROR_COLUMN = "standard_error"


def current_spectra(
    currents: Sequence[Float[np.ndarray, "steps 3"]], timestep: float, resolution: float
) -> tuple[Float[np.ndarray, " frequencies"], Float[np.ndarray, "samples frequencies"]]:
    """Frequencies [fs⁻¹] and two-sided spectral densities S_J [e² Å² / fs] of all samples.

    `currents` [e Å / fs] are those of the replicas, `timestep` in fs. A sample is one direction of one
    segment; segments overlap by half, have a Hann window and the length that resolves `resolution`
    [cm⁻¹]. Raises BornflowError if a run is shorter than one segment.
    """
    length = settings.spectral_steps(resolution, timestep)
    samples = []
    for current in currents:
        if len(current) < length:
            raise BornflowError(
                f"a run of {len(current)} steps cannot resolve {resolution:g} cm⁻¹, which takes {length}; "
                "make dynamics.systems.*.steps larger or spectra.resolution coarser"
            )
        frequencies, _, density = scipy.signal.spectrogram(
            current.T,
            fs=1 / timestep,
            window="hann",
            nperseg=length,
            noverlap=length // 2,
            detrend=False,
            return_onesided=False,
            scaling="density",
        )
        samples.append(np.moveaxis(density, 1, 2).reshape(-1, len(frequencies)))
    positive = frequencies > 0
    return frequencies[positive], np.concatenate(samples)[:, positive]


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


def spectrum(paths: Sequence[Path], resolution: float, highest: float) -> pd.DataFrame:
    """The table of one system: wavenumber, χ'' or absorption per molecule, standard error."""
    runs = [read_run(path, "current", "temperature") for path in paths]
    attributes = runs[0][0]
    for path, (other, _) in zip(paths, runs, strict=True):
        for key in ("kind", "timestep [fs]", "temperature [K]", "thermostat", "volume [Å³]", "structure"):
            if str(other[key]) != str(attributes[key]):
                raise BornflowError(f"{path}: {key} is {other[key]}, {paths[0]} has {attributes[key]}")
    temperature = float(attributes["temperature [K]"])
    if attributes["thermostat"] == "nve":
        temperature = float(np.mean([series["temperature"].mean() for _, series in runs]))
    frequencies, spectra = current_spectra(
        [series["current"] for _, series in runs], float(attributes["timestep [fs]"]), resolution
    )
    if attributes["kind"] == "bulk":
        volume = float(attributes["volume [Å³]"])
        column, values = CHI_COLUMN, susceptibility(frequencies, spectra, temperature, volume)
    else:
        column, values = ABSORPTION_COLUMN, absorption(spectra, temperature) / attributes["n_molecules"]
    wavenumbers = frequencies * WAVENUMBER
    kept = wavenumbers <= highest
    return pd.DataFrame(
        {
            WAVENUMBER_COLUMN: wavenumbers,
            column: values.mean(axis=0),
            ERROR_COLUMN: values.std(axis=0, ddof=1) / np.sqrt(len(values)),
        }
    )[kept]


@command
def main() -> None:
    """Write the spectrum of one system from the runs of its replicas."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--config", help="a configuration; its section spectra is read")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    options = settings.load(args.config, "spectra")
    table = spectrum([Path(run) for run in args.runs], options["resolution"], options["highest"])
    with whole(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
