"""Figure: infrared absorption on linear axes with named bands, above the power spectra of velocities.

    python -m bornflow.figures.spectrum_linear --spectra a.csv --velocities v.csv --titles "bulk, 300 K" \\
        --models model-1 --experiments water --resolution 20 --out f.pdf f.png

A peak in the lower panel without a peak in the upper panel belongs to a motion that hardly changes the
dipole.
"""

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
LIQUID = {"translation": (0.0, experiment.BANDS["libration"][0])} | experiment.BANDS
# In a cold cluster, O–H groups without a hydrogen bond have a separate band.
CLUSTER = LIQUID | {"stretch": (2800.0, 3670.0), "free O–H": (3670.0, 4000.0)}
RIGID_MOTION = "molecules move rigidly,\ntheir dipoles with them:\nlittle absorption"
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
    resolution: float,
) -> Figure:
    """Two panels per title: above `panels[title][model]`, below `velocities[title]` of the first model.

    `experiments` names the measured spectrum of each title, drawn dashed: water or none. `resolution` [cm⁻¹]
    gives the line width in the axis label.
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
        _absorption(above, panel, models, measured == "water", legend=number == 0 or measured == "water")
        above.set_title(f"{next(letters)}  {drawing.literal(title)}", loc="left")
        _motions(below, velocities[number], LIQUID if drawn_column(panel[0]) == CHI_COLUMN else CLUSTER)
        below.set_title(f"{next(letters)}  motion of the atoms, {drawing.literal(models[0])}", loc="left")
    axes[-1].set(xlim=(0, HIGHEST), xlabel=f"wavenumber (cm⁻¹), {line_width(resolution)}")
    return figure


def _absorption(
    axis: Axes, panel: Sequence[pd.DataFrame], models: Sequence[str], measured: bool, legend: bool
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
    _name_bands(axis, LIQUID if column == CHI_COLUMN else CLUSTER)
    if legend:
        axis.legend(loc="upper center", bbox_to_anchor=(0.56, 0.92))


def _name_bands(axis: Axes, bands: Mapping[str, tuple[float, float]]) -> None:
    """Shade each band [cm⁻¹] and write its name at the top."""
    axis.set_ylim(0, 1.12 * axis.get_ylim()[1])
    for name, (low, high) in bands.items():
        axis.axvspan(low + 5, high - 5, color="0.94", linewidth=0, zorder=0)
        x, side = ((low + high) / 2, "center") if low else (15, "left")  # the lowest band is narrow
        axis.text(x, 0.99, name, ha=side, va="top", transform=axis.get_xaxis_transform(), fontsize=7)


def factor(column: str, wavenumber: np.ndarray | pd.Series) -> np.ndarray | pd.Series | float:
    """Factor from a column to the quantity drawn: χ'' times 2π ν is α n [10³ cm⁻¹]; others are unchanged."""
    return 2e-3 * np.pi * wavenumber if column == CHI_COLUMN else 1.0


def _motions(axis: Axes, table: pd.DataFrame, bands: Mapping[str, tuple[float, float]]) -> None:
    """The power spectra of the velocities by element."""
    for number, column in enumerate(table.columns.drop(WAVENUMBER_COLUMN)):
        label = drawing.literal(column.split()[0])
        color = f"C{number + 3}"  # the first colours are those of the models
        axis.plot(table[WAVENUMBER_COLUMN], 1e3 * table[column], color=color, label=label)
    axis.set(ylabel="power of velocities\n(10⁻³ per atom per cm⁻¹)")
    _name_bands(axis, bands)
    transform = axis.get_xaxis_transform()
    axis.annotate(
        RIGID_MOTION,
        xy=(LIQUID["translation"][1] - 60, 0.62),
        xytext=(560, 0.62),
        xycoords=transform,
        textcoords=transform,
        va="center",
        fontsize=6,
        color="0.3",
        arrowprops={"arrowstyle": "->", "color": "0.3", "linewidth": 0.5},
    )
    axis.legend(loc="upper center", bbox_to_anchor=(0.56, 0.95))


@cli.command
def main() -> None:
    """Draw infrared absorption and the power spectra of velocities on linear axes."""
    velocities = cli.options("power spectra of velocities, one for each title, of the first model")
    args = drawing.parse(main, **OPTIONS, velocities=velocities, experiments=EXPERIMENTS)
    panels, models = read_panels(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    motions = [tables.velocities(path) for path in args.velocities]
    figure = draw(panels, motions, args.titles, models, args.experiments, args.resolution)
    drawing.save(figure, args.out)


if __name__ == "__main__":
    main()
