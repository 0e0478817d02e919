"""Figure: infrared spectra of all systems on logarithmic axes, a panel each; liquid water beside experiment.

    python -m bornflow.figures.spectrum --spectra a.csv b.csv --titles "bulk, 300 K" "cage, 10 K" \\
        --models model-1 --experiments water none --resolution 20 --out f.pdf f.png
"""

import argparse
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cli import command
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

LOWEST, HIGHEST = 10.0, 5000.0  # cm⁻¹
LABELS = {CHI_COLUMN: r"$\chi''(\nu)$", INTENSITY_COLUMN: "absorption per molecule\n(km cm mol$^{-1}$)"}


def draw(
    tables: Sequence[Sequence[pd.DataFrame]],
    titles: Sequence[str],
    models: Sequence[str],
    experiments: Sequence[str],
    resolution: float,
) -> Figure:
    """One panel a title; `tables[panel][model]` are spectra as `spectra.susceptibility` writes them.

    `experiments` says for each panel what is drawn dashed: water or none; `resolution` [cm⁻¹] gives the
    width of lines that is named below.
    """
    figure, axes = plt.subplots(len(titles), 1, figsize=(3.4, 2.4 * len(titles)), squeeze=False)
    rows = zip(drawing.letters(), axes[:, 0], tables, titles, experiments, strict=False)
    for letter, axis, panel, title, measured in rows:
        column = drawn_column(panel[0])
        for model, table in zip(models, panel, strict=True):
            table = table[table[WAVENUMBER_COLUMN].between(LOWEST, HIGHEST)]
            x, y, error = (table[name] for name in (WAVENUMBER_COLUMN, column, ERROR_COLUMN))
            (line,) = axis.plot(_terahertz(x), y, label=drawing.literal(model))
            shade(axis, _terahertz(x), np.maximum(y - error, y / 10), y + error, line.get_color())
        top = max(table[column].max() for table in panel)
        if measured == "water":
            nu = np.geomspace(LOWEST, HIGHEST, 600)
            style = {"color": "0.3", "label": "experiment, 25 °C"}
            axis.plot(_terahertz(nu), experiment.water(nu), "--", **style)
        low = top * 1e-6 if column == INTENSITY_COLUMN else 1e-3
        axis.set(
            ylim=(low, 5 * top if column == INTENSITY_COLUMN else max(5 * top, 5)), ylabel=LABELS[column]
        )
        axis.set(xscale="log", yscale="log", xlabel=f"frequency (THz), {line_width(resolution)}")
        axis.set_xlim(_terahertz(LOWEST), _terahertz(HIGHEST))
        axis.set_title(f"{letter}  {drawing.literal(title)}", loc="left")
        if measured != "none" or axis is axes[0, 0]:  # models have one colour in all panels
            axis.legend(loc="lower left")
        above = axis.secondary_xaxis("top", functions=(_wavenumber, _terahertz))
        above.set_xlabel("wavenumber (cm⁻¹)")
        axis.spines["top"].set_visible(True)
    return figure


def line_width(resolution: float) -> str:
    """What the window makes of a sharp line, for labels; `resolution` [cm⁻¹] as in settings."""
    return f"lines {signals.LINE_WIDTH * resolution:.0f} cm⁻¹ wide or more"


def drawn_column(table: pd.DataFrame) -> str:
    """What the figure is made of: χ'' of a liquid, or the absorption per molecule of a cluster."""
    return CHI_COLUMN if CHI_COLUMN in table else INTENSITY_COLUMN


def shade(axis: Axes, x, low, high, color) -> None:
    """A band between two curves, for standard errors."""
    axis.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0)


def _terahertz(wavenumber):
    return wavenumber * TERAHERTZ / WAVENUMBER


def _wavenumber(terahertz):
    return terahertz * WAVENUMBER / TERAHERTZ


def grid(paths: Sequence[str], titles: Sequence[str], models: Sequence[str]) -> list[list[pd.DataFrame]]:
    """Tables as `tables[panel][model]`, of files listed panel by panel, as `models` names them.

    A model that is named several times has as many seeds: their mean is drawn, and its standard error.
    """
    if len(paths) != len(titles) * len(models):
        raise BornflowError(f"{len(paths)} spectra for {len(titles)} titles and {len(models)} models")
    panels = [paths[first : first + len(models)] for first in range(0, len(paths), len(models))]
    found = []
    for panel in panels:
        read = [tables.spectrum(path) for path in panel]
        _check_alike(panel, read, models)
        seeds: dict[str, list[pd.DataFrame]] = {}
        for model, table in zip(models, read, strict=True):
            seeds.setdefault(model, []).append(table)
        found.append([_mean(each) for each in seeds.values()])
    return found


def _check_alike(paths: Sequence[str], read: Sequence[pd.DataFrame], models: Sequence[str]) -> None:
    """Raise BornflowError for a panel with spectra of liquids and clusters, or seeds that differ in form."""
    first: dict[str, int] = {}
    for number, (table, model) in enumerate(zip(read, models, strict=True)):
        if drawn_column(table) != drawn_column(read[0]):
            raise BornflowError(
                f"{paths[number]} has {drawn_column(table)} where {paths[0]} has {drawn_column(read[0])}: "
                "one panel shows one system"
            )
        seed = first.setdefault(model, number)
        if list(table) != list(read[seed]):
            raise BornflowError(f"{paths[number]} and {paths[seed]}, seeds of {model}, have other columns")
        if not np.array_equal(table[WAVENUMBER_COLUMN], read[seed][WAVENUMBER_COLUMN]):
            raise BornflowError(
                f"{paths[number]} and {paths[seed]}, seeds of {model}, have other frequencies: "
                "make them again with the same spectra.resolution and time step"
            )


def _mean(seeds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if len(seeds) == 1:
        return seeds[0]
    errors = {drawn_column(seeds[0]): ERROR_COLUMN} | dict(zip(TERMS, TERM_ERRORS, strict=True))
    spreads = {
        error: np.std([table[of] for table in seeds], axis=0, ddof=1) / np.sqrt(len(seeds))
        for of, error in errors.items()
        if of in seeds[0]
    }
    return (sum(seeds) / len(seeds)).assign(**spreads)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The command line that figures of spectra share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--spectra", nargs="+", required=True, help="title by title, model by model")
    parser.add_argument("--titles", nargs="+", required=True)
    parser.add_argument("--models", nargs="+", required=True, help="of the spectra of a title")
    parser.add_argument("--resolution", required=True, type=float, help="spacing of frequencies [1/cm]")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    return parser


@command
def main() -> None:
    """Draw the spectra."""
    parser = arguments(main.__doc__)
    parser.add_argument("--experiments", nargs="+", required=True, help="for each title: water or none")
    args = parser.parse_args()
    drawing.style(args.style)
    panels, models = grid(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    drawing.save(draw(panels, args.titles, models, args.experiments, args.resolution), args.out)


if __name__ == "__main__":
    main()
