"""Figure: infrared absorption on linear axes with its bands named, above the power spectra of velocities.

    python -m bornflow.figures.spectrum_linear --spectra a.csv --velocities v.csv --titles "bulk, 300 K" \\
        --models model-1 --experiments water --resolution 20 --out f.pdf f.png

A peak below that has none above it is a motion which hardly changes the dipole.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cli import command
from ..spectra import experiment, tables
from ..spectra.susceptibility import CHI_COLUMN, ERROR_COLUMN, INTENSITY_COLUMN, WAVENUMBER_COLUMN
from . import drawing
from .spectrum import arguments, drawn_column, grid, line_width, shade

HIGHEST = 4200.0  # cm⁻¹
LIQUID = {"translation": (0.0, experiment.BANDS["libration"][0])} | experiment.BANDS
# In a cold cluster O–H groups without a hydrogen bond have a band of their own.
CLUSTER = LIQUID | {"stretch": (2800.0, 3670.0), "free O–H": (3670.0, 4000.0)}
UNSEEN = "molecules move as a whole,\ntheir dipoles with them:\nlittle absorption"
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
    """Two panels a title: above `panels[title][model]`, below `velocities[title]` of the first model.

    `resolution` [cm⁻¹] gives the width of lines that is named below.
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


def _absorption(axis: Axes, panel, models: Sequence[str], measured: bool, legend: bool) -> None:
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
    axis.set_ylim(0, 1.12 * axis.get_ylim()[1])
    for name, (low, high) in bands.items():
        axis.axvspan(low + 5, high - 5, color="0.94", linewidth=0, zorder=0)
        place = {"x": (low + high) / 2, "ha": "center"} if low else {"x": 15, "ha": "left"}  # narrow
        axis.text(y=0.99, s=name, va="top", transform=axis.get_xaxis_transform(), fontsize=7, **place)


def factor(column: str, wavenumber: np.ndarray | pd.Series) -> np.ndarray | pd.Series | float:
    """From the column drawn, its parts and errors to what is drawn: α n = 2π ν χ'' in 10³ cm⁻¹, or itself."""
    return 2e-3 * np.pi * wavenumber if column == CHI_COLUMN else 1.0


def _motions(axis: Axes, table: pd.DataFrame, bands: Mapping[str, tuple[float, float]]) -> None:
    for number, column in enumerate(table.columns.drop(WAVENUMBER_COLUMN)):
        color = f"C{number + 3}"  # not those of the models
        axis.plot(
            table[WAVENUMBER_COLUMN],
            1e3 * table[column],
            color=color,
            label=drawing.literal(column.split()[0]),
        )
    axis.set(ylabel="power of velocities\n(10⁻³ per atom per cm⁻¹)")
    _name_bands(axis, bands)
    above = axis.get_xaxis_transform()
    arrow = {"arrowstyle": "->", "color": "0.3", "linewidth": 0.5}
    place = {"xy": (LIQUID["translation"][1] - 60, 0.62), "xytext": (560, 0.62), "textcoords": above}
    axis.annotate(UNSEEN, xycoords=above, va="center", fontsize=6, color="0.3", arrowprops=arrow, **place)
    axis.legend(loc="upper center", bbox_to_anchor=(0.56, 0.95))


@command
def main() -> None:
    """Draw the spectra."""
    parser = arguments(main.__doc__)
    parser.add_argument("--velocities", nargs="+", required=True, help="for each title, of the first model")
    parser.add_argument("--experiments", nargs="+", required=True, help="for each title: water or none")
    args = parser.parse_args()
    drawing.style(args.style)
    panels, models = grid(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    velocities = [tables.velocities(path) for path in args.velocities]
    figure = draw(panels, velocities, args.titles, models, args.experiments, args.resolution)
    drawing.save(figure, args.out)


if __name__ == "__main__":
    main()
