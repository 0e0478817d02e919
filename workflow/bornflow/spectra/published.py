"""Bands of computed spectra beside those of the spectra that the paper's authors publish.

    python -m bornflow.spectra.published --spectra a.csv b.csv --published a.npz b.npz --models a b \\
        --bands '{"bend": [1400, 1800]}' --out bands.csv

Published are χ'' in arbitrary units at frequencies in THz: of the liquid averaged over logarithmic bins, of
the clusters averaged over runs. A computed spectrum is averaged over the same bins before it is compared.
"""

import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from .. import cli
from ..errors import BornflowError
from ..io.files import atomic_write
from ..units import TERAHERTZ, WAVENUMBER
from . import tables
from .susceptibility import CHI_COLUMN, INTENSITY_COLUMN, WAVENUMBER_COLUMN

logger = logging.getLogger(__name__)

Bands = Mapping[str, Sequence[float]]  # name: lowest and highest wavenumber [cm⁻¹]
# χ'' of a liquid and of clusters in a published file, and the column of ours that is proportional to it.
COLUMNS = {"susc_imag": CHI_COLUMN, "mean_susc_imag": INTENSITY_COLUMN}
LEAST = 3  # frequencies of a band
REMEDY = "place the authors' file there (docs/published.md)"


def read(path: str | Path) -> pd.DataFrame:
    """A published spectrum as a table of wavenumbers [cm⁻¹] and χ'', or for clusters ν χ'' (absorption).

    Units are arbitrary. Raises BornflowError for another file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = [name for name in COLUMNS if name in stored]
            if not found or "nu" not in stored:
                raise BornflowError(f"{path} has no arrays nu and {' or '.join(COLUMNS)}; {REMEDY}")
            terahertz, chi = (np.asarray(stored[name], float) for name in ("nu", found[0]))
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BornflowError(f"{path} is no file of numpy's arrays ({error}); {REMEDY}") from error
    if terahertz.ndim != 1 or terahertz.shape != chi.shape or not np.isfinite([terahertz, chi]).all():
        raise BornflowError(f"{path}: nu and {found[0]} are not two equal lists of finite numbers; {REMEDY}")
    if len(terahertz) < 2 or (np.diff(terahertz) <= 0).any():
        raise BornflowError(f"{path}: the frequencies nu do not increase; {REMEDY}")
    wavenumbers, column = terahertz * WAVENUMBER / TERAHERTZ, COLUMNS[found[0]]
    values = chi if column == CHI_COLUMN else wavenumbers * chi
    return pd.DataFrame({WAVENUMBER_COLUMN: wavenumbers, column: values})


def averaged(spectrum: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The spectrum, averaged over the bins of the published one where it covers them.

    A bin reaches half way to the frequencies on either side. Raises BornflowError where one is of a liquid
    and the other of a cluster.
    """
    column = published.columns[1]
    if column not in spectrum:
        raise BornflowError(f"a spectrum without '{column}' beside a published one that has it")
    nu, values = spectrum[WAVENUMBER_COLUMN].to_numpy(), spectrum[column].to_numpy()
    centres = published[WAVENUMBER_COLUMN].to_numpy()
    middles = (centres[1:] + centres[:-1]) / 2
    inside = np.arange(1, len(centres) - 1)
    inside = inside[(middles[inside - 1] >= nu[0]) & (middles[inside] <= nu[-1])]
    integral = np.concatenate([[0], np.cumsum(np.diff(nu) * (values[1:] + values[:-1]) / 2)])
    low, high = (_interpolated_integral(nu, values, integral, middles[inside + k]) for k in (-1, 0))
    widths = middles[inside] - middles[inside - 1]
    return pd.DataFrame({WAVENUMBER_COLUMN: centres[inside], column: (high - low) / widths})


def _interpolated_integral(
    nu: Float[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    integral: Float[np.ndarray, " n"],
    at: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """∫ of the broken line through (nu, values) up to `at`."""
    left = np.clip(np.searchsorted(nu, at, side="right") - 1, 0, len(nu) - 2)
    step = at - nu[left]
    return integral[left] + step * (values[left] + np.interp(at, nu, values)) / 2


def band_moments(spectrum: pd.DataFrame, bands: Bands) -> pd.DataFrame:
    """Position, width and share of each band of a spectrum w(ν), χ'' or absorption.

        position ν̄ = ∫ ν w dν / ∫ w dν,   width √(∫ (ν − ν̄)² w dν / ∫ w dν),
        share ∫ w dν of the band / that of all bands

    Raises BornflowError for a band with fewer than LEAST frequencies.
    """
    nu, weight = spectrum[WAVENUMBER_COLUMN].to_numpy(), spectrum.iloc[:, 1].to_numpy()
    rows, total = [], 0.0
    for band, (low, high) in bands.items():
        inside = (nu >= low) & (nu <= high)
        if inside.sum() < LEAST:
            raise BornflowError(
                f"band {band}: {inside.sum()} frequencies between {low:g} and {high:g} cm⁻¹, at least "
                f"{LEAST} needed; make spectra.resolution finer, spectra.highest larger or the band wider"
            )
        x, w = nu[inside], weight[inside] * np.gradient(nu)[inside]
        position = np.average(x, weights=w)
        rows.append((band, position, np.sqrt(np.average((x - position) ** 2, weights=w)), w.sum()))
        total += w.sum()
    table = pd.DataFrame(rows, columns=["band", "position [1/cm]", "width [1/cm]", "share"])
    return table.assign(share=table["share"] / total)


def compare(spectrum: pd.DataFrame, published: pd.DataFrame, bands: Bands) -> pd.DataFrame:
    """A row for each band: ours, the published value and, of positions, the difference.

    Both are taken from the same bins. A band with fewer than three bins that our spectrum covers, as low
    frequencies have where the published bins are wide, is left out with a warning.
    """
    ours = averaged(spectrum, published)
    covered = published[published[WAVENUMBER_COLUMN].isin(ours[WAVENUMBER_COLUMN])]
    counts = {name: ours[WAVENUMBER_COLUMN].between(*limits).sum() for name, limits in bands.items()}
    for name in [name for name, count in counts.items() if count < LEAST]:
        logger.warning("band %s is left out: %d bins of the published spectrum", name, counts[name])
    bands = {name: limits for name, limits in bands.items() if counts[name] >= LEAST}
    if not bands:
        raise BornflowError(f"no band has {LEAST} bins; make spectra.resolution finer or the bands wider")
    ours, theirs = (band_moments(table, bands) for table in (ours, covered))
    columns = {"band": ours["band"]}
    for name in ours.columns[1:]:
        columns |= {name: ours[name], f"published {name}": theirs[name]}
    difference = ours["position [1/cm]"] - theirs["position [1/cm]"]
    return pd.DataFrame(columns).assign(**{"difference of positions [1/cm]": difference})


@cli.command
def main() -> None:
    """Write the bands of the spectra of one system beside those of published spectra."""
    args = cli.parse(
        main,
        spectra=cli.options("tables of spectra.susceptibility of one system"),
        published=cli.options("published spectrum for each of --spectra"),
        models=cli.options("name of the model of each spectrum"),
        bands=cli.option("named bands as JSON: name and lowest and highest wavenumber [1/cm]"),
        out=cli.option("CSV file to write"),
    )
    if not len(args.spectra) == len(args.published) == len(args.models):
        raise BornflowError(
            f"{len(args.spectra)} spectra, {len(args.published)} published ones and {len(args.models)} "
            "models; give the same number of each"
        )
    rows = []
    for path, published, model in zip(args.spectra, args.published, args.models, strict=True):
        try:
            table = compare(tables.spectrum(path), read(published), json.loads(args.bands))
        except BornflowError as error:
            raise BornflowError(f"{path} and {published}: {error}") from error
        rows.append(table.assign(model=model))
    table = pd.concat(rows, ignore_index=True)
    with atomic_write(args.out) as scratch:
        table[["model", *table.columns.drop("model")]].to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
