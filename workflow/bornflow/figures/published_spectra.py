"""Figure: computed spectra over those that the paper's authors publish, a column for each model.

    python -m bornflow.figures.published_spectra --spectra a.csv b.csv --published a.npz b.npz \\
        --titles "bulk, 300 K" --models model-1 model-2 --resolution 20 --out f.pdf f.png

Published spectra have arbitrary units. They are scaled to the integral of ours between LOWEST and HIGHEST.
"""

from collections.abc import Sequence
from itertools import chain

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..errors import BornflowError
from ..spectra import published
from ..spectra.susceptibility import CHI_COLUMN, INTENSITY_COLUMN, WAVENUMBER_COLUMN
from . import drawing
from .spectrum import OPTIONS, drawn_column, line_width, read_panels

LOWEST, HIGHEST = 300.0, 4100.0  # cm⁻¹
LABELS = {CHI_COLUMN: r"$\chi''$", INTENSITY_COLUMN: "absorption"}


def draw(
    panels: Sequence[Sequence[pd.DataFrame]],
    published_panels: Sequence[Sequence[pd.DataFrame]],
    titles: Sequence[str],
    models: Sequence[str],
    resolution: float,
) -> Figure:
    """A row for each title and a column for each model; `panels[title][model]` are spectra."""
    size = (2.3 * len(models) + 0.6, 1.7 * len(titles) + 0.7)
    figure, axes = plt.subplots(len(titles), len(models), figsize=size, sharex=True, squeeze=False)
    letters = drawing.letters()
    for row, title in enumerate(titles):
        for column, model in enumerate(models):
            axis = axes[row, column]
            _panel(axis, panels[row][column], published_panels[row][column], f"C{column}")
            axis.set_title(f"{next(letters)}  {drawing.literal(title)}", loc="left")
            axis.get_lines()[0].set_label(drawing.literal(model))
            if column == 0:
                axis.set_ylabel(f"{LABELS[drawn_column(panels[row][0])]} (arb. units)")
    drawing.legend_above(figure, axes[0])
    figure.supxlabel(f"wavenumber (cm⁻¹), {line_width(resolution)}", fontsize="medium")
    return figure


def _panel(axis: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, color: str) -> None:
    """Our spectrum as a line, the published one as a dashed line of the same area."""
    name = drawn_column(ours)
    drawn = [table[table[WAVENUMBER_COLUMN].between(LOWEST, HIGHEST)] for table in (ours, theirs)]
    curves = [(table[WAVENUMBER_COLUMN].to_numpy(), table[name].to_numpy()) for table in drawn]
    areas = [np.trapezoid(values, nu) for nu, values in curves]
    (nu, values), (published_nu, published_values) = curves
    scale = 1 / np.max(values)
    axis.plot(nu, scale * values, color=color)
    scaled = scale * areas[0] / areas[1] * published_values
    axis.plot(published_nu, scaled, "--", color="0.3", label="published")
    axis.set(xlim=(LOWEST, HIGHEST), ylim=(0, None), yticks=[])


def read_published(paths: Sequence[str], titles: Sequence[str], panels: Sequence) -> list[list[pd.DataFrame]]:
    """Published spectra as `panels`, from files listed panel by panel, each of the same kind as ours."""
    size = len(panels[0])
    if len(paths) != len(titles) * size:
        raise BornflowError(
            f"{len(paths)} published spectra; {len(titles) * size} needed, one for each of ours"
        )
    tables = [published.read(path) for path in paths]
    for path, table, ours in zip(paths, tables, chain.from_iterable(panels), strict=True):
        if drawn_column(ours) not in table:
            raise BornflowError(f"{path} is not of the same kind of system as ours; give another file")
    return [tables[first : first + size] for first in range(0, len(tables), size)]


@cli.command
def main() -> None:
    """Draw computed spectra over published ones."""
    args = drawing.parse(
        main, **OPTIONS, published=cli.options("published spectra, one for each model of each title")
    )
    panels, models = read_panels(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    theirs = read_published(args.published, args.titles, panels)
    drawing.save(draw(panels, theirs, args.titles, models, args.resolution), args.out)


if __name__ == "__main__":
    main()
