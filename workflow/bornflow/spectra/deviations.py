"""Deviations of computed spectra of water from measured ones in the bands of libration, bend and stretch.

python -m bornflow.spectra.deviations --spectra a.csv b.csv --models a b --out deviations.csv
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import cli
from ..errors import BornflowError
from ..io.files import atomic_write
from . import experiment, tables
from .susceptibility import CHI_COLUMN, ERROR_COLUMN, TERM_ERRORS, TERMS, WAVENUMBER_COLUMN

SOURCES = ("Segelstein", "Hale")
# Variance of a mean over neighbouring frequencies, divided by that of independent ones. With a Hann window
# the correlation of powers is 4/9 between neighbours and 1/36 between next neighbours, on either side.
CORRELATION = 35 / 18


def band_deviations(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each band of liquid water and each source of measured constants, from a table of χ''.

    Columns:
    intensity, the ratio of ∫ ν χ''(ν) dν over the band to the measured one (1 where they agree);
    position, the mean wavenumber of χ'' in the band, and the measured one [cm⁻¹];
    rms, the root mean square of χ'' − χ''(measured) divided by the mean of the measured χ'';
    noise, the rms that the standard error of χ'' alone would give.
    For coupled models also the contributions of the TERMS of the current to the intensity. Intensities have
    standard errors. Raises BornflowError for a table that does not cover the bands with an even spacing.
    """
    if CHI_COLUMN not in table:
        raise BornflowError("deviations need χ'' of a periodic system, but this system is isolated")
    wavenumbers = table[WAVENUMBER_COLUMN]
    spacings = np.diff(wavenumbers)
    if not np.allclose(spacings, spacings[0], rtol=0.05):  # a file has six digits
        raise BornflowError("deviations need evenly spaced frequencies; set spectra.binning: linear")
    rows = []
    for band, (low, high) in experiment.BANDS.items():
        inside = table[wavenumbers.between(low, high)]
        if len(inside) < 2:
            raise BornflowError(
                f"{len(inside)} frequencies between {low:g} and {high:g} cm⁻¹, at least 2 needed; make "
                "spectra.resolution finer"
            )
        if wavenumbers.max() < high - 1.5 * spacings[0]:
            raise BornflowError(f"the spectrum ends below {high:g} cm⁻¹; make spectra.highest larger")
        limits = {"band": band, "from [1/cm]": low, "to [1/cm]": high}
        rows += [limits | _deviation(inside, source) for source in SOURCES]
    return pd.DataFrame(rows)


def _deviation(spectrum: pd.DataFrame, source: str) -> dict[str, str | float]:
    """The deviation of the spectrum within one band from the measurement `source`."""
    nu, chi, error = (spectrum[name].to_numpy() for name in (WAVENUMBER_COLUMN, CHI_COLUMN, ERROR_COLUMN))
    measured = experiment.water(nu, source)
    width = np.gradient(nu)
    weight = nu * width / np.sum(nu * measured * width)
    columns: dict[str, str | float] = {"measured_by": source}
    for name, value_column, error_column in (
        ("intensity", CHI_COLUMN, ERROR_COLUMN),
        *zip(TERMS, TERMS, TERM_ERRORS, strict=True),
    ):
        if error_column in spectrum:
            columns[name] = np.sum(weight * spectrum[value_column])
            variance = CORRELATION * np.sum((weight * spectrum[error_column]) ** 2)
            columns[f"{name}_error"] = np.sqrt(variance)
    return columns | {
        "position [1/cm]": np.average(nu, weights=chi * width),
        "measured_position [1/cm]": np.average(nu, weights=measured * width),
        "rms": np.sqrt(np.mean((chi - measured) ** 2)) / np.mean(measured),
        "noise": np.sqrt(np.mean(error**2)) / np.mean(measured),
    }


def tabulate(spectra: Sequence[pd.DataFrame], models: Sequence[str]) -> pd.DataFrame:
    """The deviations of the spectra of several models, one below the other."""
    pairs = zip(models, map(band_deviations, spectra), strict=True)
    return pd.concat([rows.assign(model=model) for model, rows in pairs], ignore_index=True)


@cli.command
def main() -> None:
    """Write the table of deviations from measured water."""
    args = cli.parse(
        main,
        spectra=cli.options("tables of spectra.susceptibility"),
        models=cli.options("name of the model of each spectrum, in the order of --spectra"),
        out=cli.option("CSV file to write"),
    )
    if len(args.spectra) != len(args.models):
        raise BornflowError(
            f"{len(args.spectra)} spectra for {len(args.models)} models; give one model for each spectrum"
        )
    table = tabulate([tables.spectrum(path) for path in args.spectra], args.models)
    with atomic_write(args.out) as scratch:
        table[["model", *table.columns.drop("model")]].to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
