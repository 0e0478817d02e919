"""How far computed spectra of water are from measured ones, over the bands of libration, bend and stretch.

python -m bornflow.spectra.deviations --spectra a.csv b.csv --models a b --out deviations.csv
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..cli import command
from ..errors import BornflowError
from ..io.files import atomic_write
from . import experiment, tables
from .susceptibility import CHI_COLUMN, ERROR_COLUMN, PART_ERRORS, PARTS, WAVENUMBER_COLUMN

SOURCES = ("Segelstein", "Hale")
# Variance of a mean over neighbouring frequencies, over that of independent ones: a Hann window correlates
# the powers of neighbours by 4/9 and of next neighbours by 1/36, on either side.
CORRELATION = 35 / 18


def deviations(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each band of liquid water and source of measured constants.

    intensity: ∫ ν χ''(ν) dν over the band, over the measured one (1 where they agree), with the standard
    error that the spectrum's gives. position: the mean wavenumber of χ'' in the band, with the measured one
    [cm⁻¹]. rms: of χ'' − χ''(measured) over the mean of the measured, and noise: what the standard error of
    χ'' alone would make of it. Of coupled models also what PARTS of the current make of the intensity, with
    standard errors.
    """
    if CHI_COLUMN not in table:
        raise BornflowError("deviations need χ'' of a periodic system; this spectrum is of an isolated one")
    spacings = np.diff(table[WAVENUMBER_COLUMN])
    if not np.allclose(spacings, spacings[0], rtol=0.05):  # a file holds six digits
        raise BornflowError("deviations need evenly spaced frequencies; set spectra.binning: linear")
    rows = []
    for band, (low, high) in experiment.BANDS.items():
        part = table[table[WAVENUMBER_COLUMN].between(low, high)]
        if len(part) < 2:
            raise BornflowError(
                f"no frequencies between {low} and {high} cm⁻¹; make spectra.resolution finer"
            )
        if table[WAVENUMBER_COLUMN].max() < high - 1.5 * spacings[0]:
            raise BornflowError(f"the spectrum ends below {high:g} cm⁻¹; make spectra.highest larger")
        named = {"band": band, "from [1/cm]": low, "to [1/cm]": high}
        rows += [named | _beside(part, source) for source in SOURCES]
    return pd.DataFrame(rows)


def _beside(part: pd.DataFrame, source: str) -> dict[str, str | float]:
    """The spectrum within a band beside what `source` measured."""
    nu, chi, error = (part[name].to_numpy() for name in (WAVENUMBER_COLUMN, CHI_COLUMN, ERROR_COLUMN))
    measured = experiment.water(nu, source)
    width = np.gradient(nu)
    weight = nu * width / np.sum(nu * measured * width)
    columns: dict[str, str | float] = {"measured_by": source}
    for name, of, its_error in (
        ("intensity", CHI_COLUMN, ERROR_COLUMN),
        *zip(PARTS, PARTS, PART_ERRORS, strict=True),
    ):
        if its_error in part:
            columns[name] = np.sum(weight * part[of])
            columns[f"{name}_error"] = np.sqrt(CORRELATION * np.sum((weight * part[its_error]) ** 2))
    return columns | {
        "position [1/cm]": np.average(nu, weights=chi * width),
        "measured_position [1/cm]": np.average(nu, weights=measured * width),
        "rms": np.sqrt(np.mean((chi - measured) ** 2)) / np.mean(measured),
        "noise": np.sqrt(np.mean(error**2)) / np.mean(measured),
    }


def tabulate(tables: Sequence[pd.DataFrame], models: Sequence[str]) -> pd.DataFrame:
    """The deviations of several models' spectra, one below the other."""
    found = zip(models, map(deviations, tables), strict=True)
    return pd.concat([rows.assign(model=model) for model, rows in found], ignore_index=True)


@command
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--spectra", nargs="+", required=True)
    parser.add_argument("--models", nargs="+", required=True, help="a name for each spectrum")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if len(args.spectra) != len(args.models):
        raise BornflowError(f"{len(args.spectra)} spectra for {len(args.models)} models")
    table = tabulate([tables.spectrum(path) for path in args.spectra], args.models)
    with atomic_write(args.out) as scratch:
        table[["model", *table.columns.drop("model")]].to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
