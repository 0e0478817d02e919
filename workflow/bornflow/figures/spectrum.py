"""Figure: infrared spectra on logarithmic axes, one panel per system, with measured liquid water.

    python -m bornflow.figures.spectrum --spectra a.csv b.csv --titles "bulk, 300 K" "cage, 10 K" \\
        --models model-1 --experiments water none --resolution 20 --out f.pdf f.png

`spectrum_linear` and `current_terms` use these options, and the functions here that read and label spectra.
"""

from collections.abc import Sequence
from typing import TypeVar

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType
from numpy.typing import ArrayLike

from .. import cli
from ..errors import BornflowError
from ..spectra import experiment, signals, tables
from ..spectra.susceptibility import (
    CHI_COLUMN,
    ERROR_COLUMN,
    INTENSITY_COLUMN,
    TERM_ERRORS,
    TERMS,
    WAVENUMBER_COLUMN,
)
from ..units import TERAHERTZ, WAVENUMBER
from . import drawing

Frequency = TypeVar("Frequency", float, np.ndarray, pd.Series)
LOWEST, HIGHEST = 10.0, 5000.0  # cm⁻¹
LABELS = {CHI_COLUMN: r"$\chi''(\nu)$", INTENSITY_COLUMN: "absorption per molecule\n(km cm mol$^{-1}$)"}

# Options that figures of spectra share.
OPTIONS = {
    "spectra": cli.options("tables of spectra, title by title and in each of them model by model"),
    "titles": cli.options("titles of the panels"),
    "models": cli.options("model of each spectrum of a title; a model named twice has two seeds"),
    "resolution": cli.option("spacing of the frequencies [1/cm]", type=float),
}
EXPERIMENTS = cli.options("measured spectrum of each title: water or none")


def draw(
    tables: Sequence[Sequence[pd.DataFrame]],
    titles: Sequence[str],
    models: Sequence[str],
    experiments: Sequence[str],
    resolution: float,
) -> Figure:
    """One panel per title; `tables[panel][model]` are spectra as `spectra.susceptibility` writes them.

    `experiments` names the measured spectrum of each panel, drawn dashed: water or none. `resolution` [cm⁻¹]
    gives the line width in the axis label.
    """
    figure, axes = plt.subplots(len(titles), 1, figsize=(3.4, 2.4 * len(titles)), squeeze=False)
    rows = zip(drawing.letters(), axes[:, 0], tables, titles, experiments, strict=False)
    for letter, axis, panel, title, measured in rows:
        _panel(axis, panel, models, measured)
        axis.set_title(f"{letter}  {drawing.literal(title)}", loc="left")
        axis.set(xlabel=f"frequency (THz), {line_width(resolution)}")
    drawing.legend_above(figure, axes[:, 0])
    return figure


def _panel(axis: Axes, panel: Sequence[pd.DataFrame], models: Sequence[str], measured: str) -> None:
    """The spectra of one system with standard errors, below an axis of wavenumbers."""
    column = drawn_column(panel[0])
    for model, table in zip(models, panel, strict=True):
        table = table[table[WAVENUMBER_COLUMN].between(LOWEST, HIGHEST)]
        x, y, error = (table[name] for name in (WAVENUMBER_COLUMN, column, ERROR_COLUMN))
        (line,) = axis.plot(_terahertz(x), y, label=drawing.literal(model))
        shade(axis, _terahertz(x), np.maximum(y - error, y / 10), y + error, line.get_color())
    if measured == "water":
        nu = np.geomspace(LOWEST, HIGHEST, 600)
        axis.plot(_terahertz(nu), experiment.water(nu), "--", color="0.3", label="experiment, 25 °C")
    top = max(table[column].max() for table in panel)
    limits = (top * 1e-6, 5 * top) if column == INTENSITY_COLUMN else (1e-3, max(5 * top, 5))
    axis.set(xscale="log", yscale="log", ylim=limits, ylabel=LABELS[column])
    axis.set_xlim(_terahertz(LOWEST), _terahertz(HIGHEST))
    above = axis.secondary_xaxis("top", functions=(_wavenumber, _terahertz))
    above.set_xlabel("wavenumber (cm⁻¹)")
    axis.spines["top"].set_visible(True)


def line_width(resolution: float) -> str:
    """The width of a sharp line after windowing, for axis labels; `resolution` is the spacing [cm⁻¹]."""
    return f"lines {signals.LINE_WIDTH * resolution:.0f} cm⁻¹ wide or more"


def drawn_column(table: pd.DataFrame) -> str:
    """The column that is drawn: χ'' of a liquid, or the absorption per molecule of a cluster."""
    return CHI_COLUMN if CHI_COLUMN in table else INTENSITY_COLUMN


def shade(axis: Axes, x: ArrayLike, low: ArrayLike, high: ArrayLike, color: ColorType) -> None:
    """A band between two curves, for standard errors."""
    axis.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0)


def _terahertz(wavenumber: Frequency) -> Frequency:
    return wavenumber * TERAHERTZ / WAVENUMBER


def _wavenumber(terahertz: Frequency) -> Frequency:
    return terahertz * WAVENUMBER / TERAHERTZ


def read_panels(
    paths: Sequence[str], titles: Sequence[str], models: Sequence[str]
) -> list[list[pd.DataFrame]]:
    """Spectra as `tables[panel][model]`, from files listed panel by panel; `models` names those of a panel.

    A model that is named several times has several seeds: the table is their mean with its standard error.
    Raises BornflowError where files are missing or do not belong in one panel.
    """
    if len(paths) != len(titles) * len(models):
        raise BornflowError(
            f"{len(paths)} spectra for {len(titles)} titles and {len(models)} models; give "
            f"{len(titles) * len(models)}"
        )
    panels = [paths[first : first + len(models)] for first in range(0, len(paths), len(models))]
    means = []
    for panel in panels:
        spectra = [tables.spectrum(path) for path in panel]
        _check_panel(panel, spectra, models)
        seeds: dict[str, list[pd.DataFrame]] = {}
        for model, table in zip(models, spectra, strict=True):
            seeds.setdefault(model, []).append(table)
        means.append([_mean(tables_of_model) for tables_of_model in seeds.values()])
    return means


def _check_panel(paths: Sequence[str], spectra: Sequence[pd.DataFrame], models: Sequence[str]) -> None:
    """Raise BornflowError for a panel with a liquid and a cluster, or with seeds that differ in form."""
    first: dict[str, int] = {}
    for number, (table, model) in enumerate(zip(spectra, models, strict=True)):
        if drawn_column(table) != drawn_column(spectra[0]):
            raise BornflowError(
                f"{paths[number]} has {drawn_column(table)} where {paths[0]} has {drawn_column(spectra[0])}: "
                "one panel shows one system; give spectra of one system for each panel"
            )
        seed = first.setdefault(model, number)
        if list(table) != list(spectra[seed]):
            raise BornflowError(
                f"{paths[number]} and {paths[seed]}, seeds of {model}, have different columns; "
                f"{tables.SPECTRUM}"
            )
        if not np.array_equal(table[WAVENUMBER_COLUMN], spectra[seed][WAVENUMBER_COLUMN]):
            raise BornflowError(
                f"{paths[number]} and {paths[seed]}, seeds of {model}, have different frequencies: "
                "make them again with the same spectra.resolution and time step"
            )


def _mean(seeds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean over seeds; standard errors are those of the mean, from the spread of the seeds."""
    if len(seeds) == 1:
        return seeds[0]
    errors = {drawn_column(seeds[0]): ERROR_COLUMN} | dict(zip(TERMS, TERM_ERRORS, strict=True))
    spreads = {
        error: np.std([table[column] for table in seeds], axis=0, ddof=1) / np.sqrt(len(seeds))
        for column, error in errors.items()
        if column in seeds[0]
    }
    return (sum(seeds[1:], start=seeds[0]) / len(seeds)).assign(**spreads)


@cli.command
def main() -> None:
    """Draw infrared spectra on logarithmic axes."""
    args = drawing.parse(main, **OPTIONS, experiments=EXPERIMENTS)
    panels, models = read_panels(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    drawing.save(draw(panels, args.titles, models, args.experiments, args.resolution), args.out)


if __name__ == "__main__":
    main()
