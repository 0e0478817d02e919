"""Readers of the tables that `susceptibility`, `velocities` and `response` write.

Each raises BornflowError for missing columns or invalid values, with a remedy.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import BornflowError
from ..io import tables
from .susceptibility import (
    CHI_COLUMN,
    CHI_REAL_COLUMN,
    COEFFICIENT_COLUMN,
    ERROR_COLUMN,
    INTENSITY_COLUMN,
    TERMS,
    WAVENUMBER_COLUMN,
)

SPECTRUM = "make it again with spectra.susceptibility"
VELOCITIES = "make it again with spectra.velocities"
RESPONSE = "make it again with spectra.response"
TIME = "time [fs]"
DIPOLE, DIPOLE_ERROR = "dipole_in_field [e Å]", "standard_error [e Å]"
PREDICTED, PREDICTED_ERROR = "predicted [e Å]", "predicted_error [e Å]"
FROM_SPECTRUM = "from_spectrum [e Å]"


def spectrum(path: str | Path) -> pd.DataFrame:
    """A table of `spectra.susceptibility`: χ'' of a liquid or the absorption per molecule of a cluster.

    Standard errors may be unknown (NaN); all other values are numbers.
    """
    table = tables.read(path, SPECTRUM, positive=[WAVENUMBER_COLUMN], sparse=[ERROR_COLUMN], others="numbers")
    kinds = [name for name in (CHI_COLUMN, INTENSITY_COLUMN) if name in table]
    if len(kinds) != 1 or ERROR_COLUMN not in table:
        raise BornflowError(
            f"{path} is no spectrum: it needs the column {ERROR_COLUMN} and either {CHI_COLUMN} or "
            f"{INTENSITY_COLUMN}; {SPECTRUM}"
        )
    complete = [name for name in (*kinds, CHI_REAL_COLUMN, COEFFICIENT_COLUMN, *TERMS) if name in table]
    _check(path, table, WAVENUMBER_COLUMN, complete, SPECTRUM)
    return table.astype(float)


def susceptibility(path: str | Path) -> pd.DataFrame:
    """The columns of χ'' and wavenumbers of a table of `spectra.susceptibility`, which may have no rows."""
    needed = f"only periodic systems have a susceptibility; {SPECTRUM}"
    table = tables.read(
        path, needed, numbers=[CHI_COLUMN], positive=[WAVENUMBER_COLUMN], others="any", allow_empty=True
    )
    _check(path, table, WAVENUMBER_COLUMN, [], SPECTRUM)
    return table.astype(float)


def velocities(path: str | Path) -> pd.DataFrame:
    """A table of `spectra.velocities`: a column for each element."""
    table = tables.read(path, VELOCITIES, positive=[WAVENUMBER_COLUMN], others="numbers")
    elements = [name for name in table if name != WAVENUMBER_COLUMN]
    odd = [name for name in elements if not name.endswith(" [cm]")]
    if odd or not elements:
        raise BornflowError(f"{path}: columns like 'H [cm]' expected, found {odd or 'none'}; {VELOCITIES}")
    _check(path, table, WAVENUMBER_COLUMN, elements, VELOCITIES)
    return table.astype(float)


def response(path: str | Path) -> pd.DataFrame:
    """A table of `spectra.response`: the dipole in a field over time, and its predictions."""
    curves = (DIPOLE, DIPOLE_ERROR, PREDICTED, PREDICTED_ERROR, FROM_SPECTRUM)
    table = tables.read(path, RESPONSE, numbers=[TIME, *curves], others="none")
    _check(path, table, TIME, [], RESPONSE)
    return table.astype(float)


def _check(path: str | Path, table: pd.DataFrame, axis: str, complete: list[str], remedy: str) -> None:
    """Raise BornflowError unless the column `axis` increases and the columns `complete` have no gaps."""
    decreases = np.flatnonzero(np.diff(table[axis]) <= 0)
    if len(decreases):
        first, second = table[axis][decreases[0]], table[axis][decreases[0] + 1]
        raise BornflowError(f"{path}: '{axis}' does not increase from {first:g} to {second:g}; {remedy}")
    for name in complete:
        if table[name].isna().any():
            at = table[axis][int(np.argmax(table[name].isna()))]
            raise BornflowError(f"{path}: '{name}' is empty at {axis} {at:g}, a number expected; {remedy}")
