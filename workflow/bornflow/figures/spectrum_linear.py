"""Figure: infrared absorption on linear axes with named bands, above the power spectra of velocities.

    python -m bornflow.figures.spectrum_linear --spectra a.csv --velocities v.csv --titles "bulk, 300 K" \\
        --models model-1 --experiments water --bands '{"bend": [1400, 1800]}' --resolution 20 \\
        --out f.pdf f.png

A peak in the lower panel without a peak in the upper panel belongs to a motion that hardly changes the
dipole.
"""

import json
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..spectra import experiment, tables
from ..spectra.susceptibility import CHI_COLUMN, ERROR_COLUMN, INTENSITY_COLUMN, WAVENUMBER_COLUMN
from . import drawing
from .spectrum import EXPERIMENTS, OPTIONS, drawn_column, line_width, read_panels, shade

HIGHEST = 4200.0  # cm⁻¹
Bands = Mapping[str, Sequence[float]]  # name: lowest and highest wavenumber [cm⁻¹]
LABELS = {
    CHI_COLUMN: r"$\alpha n$ (10$^3$ cm$^{-1}$)",
    INTENSITY_COLUMN: "absorption per molecule\n(km cm mol$^{-1}$)",
}


def draw(
    panels: Sequence[Sequence[pd.DataFrame]],
    velocities: Sequence[pd.DataFrame],
    titles: Sequence[str],
    models: Sequence[str],
    experiments: Sequence[str],
    bands: Sequence[Bands],
    resolution: float,
) -> Figure:
    """Two panels per title: above `panels[title][model]`, below `velocities[title]` of the first model.

    `experiments` names the measured spectrum of each title, drawn dashed: water or none. `bands` of each
    title are shaded and named. `resolution` [cm⁻¹] gives the line width in the axis label.
    """
    figure, axes = plt.subplots(
        2 * len(titles),
        1,
        figsize=(6.8, 3.4 * len(titles)),
        sharex=True,
        height_ratios=[1.4, 1] * len(titles),
    )
    letters = drawing.letters()
    for number, (panel, title, measured) in enumerate(zip(panels, titles, experiments, strict=True)):
        above, below = axes[2 * number], axes[2 * number + 1]
        _absorption(above, panel, models, measured == "water", bands[number])
        above.set_title(f"{next(letters)}  {drawing.literal(title)}", loc="left")
        _motions(below, velocities[number], bands[number])
        below.set_title(f"{next(letters)}  motion of the atoms, {drawing.literal(models[0])}", loc="left")
    drawing.legend_above(figure, axes[::2])
    axes[-1].set(xlim=(0, HIGHEST), xlabel=f"wavenumber (cm⁻¹), {line_width(resolution)}")
    return figure


def _absorption(
    axis: Axes, panel: Sequence[pd.DataFrame], models: Sequence[str], measured: bool, bands: Bands
) -> None:
    """The spectra of one system with standard errors."""
    column = drawn_column(panel[0])
    for model, table in zip(models, panel, strict=True):
        nu = table[WAVENUMBER_COLUMN]
        y, error = (factor(column, nu) * table[name] for name in (column, ERROR_COLUMN))
        (line,) = axis.plot(nu, y, label=drawing.literal(model))
        shade(axis, nu, y - error, y + error, line.get_color())
    if measured:
        nu = np.linspace(1, HIGHEST, 1000)
        alpha = factor(CHI_COLUMN, nu) * experiment.water(nu)
        axis.plot(nu, alpha, "--", color="0.3", label="experiment, 25 °C")
    axis.set(ylabel=LABELS[column])
    _name_bands(axis, bands)


def _name_bands(axis: Axes, bands: Bands) -> None:
    """Shade each band [cm⁻¹] and write its name at the top."""
    axis.set_ylim(0, 1.12 * axis.get_ylim()[1])
    for name, (low, high) in bands.items():
        if low >= HIGHEST:
            continue
        axis.axvspan(low + 5, high - 5, color="0.94", linewidth=0, zorder=0)
        x, side = ((low + high) / 2, "center") if low else (15, "left")  # the lowest band is narrow
        axis.text(
            x,
            0.99,
            drawing.literal(name),
            ha=side,
            va="top",
            transform=axis.get_xaxis_transform(),
            fontsize=7,
            clip_on=True,
        )


def factor(column: str, wavenumber: np.ndarray | pd.Series) -> np.ndarray | pd.Series | float:
    """Factor from a column to the quantity drawn: χ'' times 2π ν is α n [10³ cm⁻¹]; others are unchanged."""
    return 2e-3 * np.pi * wavenumber if column == CHI_COLUMN else 1.0


def _motions(axis: Axes, table: pd.DataFrame, bands: Bands) -> None:
    """The power spectra of the velocities by element."""
    for number, column in enumerate(table.columns.drop(WAVENUMBER_COLUMN)):
        label = drawing.literal(column.split()[0])
        color = f"C{number + 3}"  # the first colours are those of the models
        axis.plot(table[WAVENUMBER_COLUMN], 1e3 * table[column], color=color, label=label)
    axis.set(ylabel="power of velocities\n(10⁻³ per atom per cm⁻¹)")
    _name_bands(axis, bands)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(axis.get_lines()), borderaxespad=0.2)


@cli.command
def main() -> None:
    """Draw infrared absorption and the power spectra of velocities on linear axes."""
    velocities = cli.options("power spectra of velocities, one for each title, of the first model")
    named = cli.options("named bands of each title as JSON: name and lowest and highest wavenumber [1/cm]")
    args = drawing.parse(main, **OPTIONS, velocities=velocities, experiments=EXPERIMENTS, bands=named)
    panels, models = read_panels(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    bands = [json.loads(text) for text in args.bands]
    motions = [tables.velocities(path) for path in args.velocities]
    figure = draw(panels, motions, args.titles, models, args.experiments, bands, args.resolution)
    drawing.save(figure, args.out)


if __name__ == "__main__":
    main()
