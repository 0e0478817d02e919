"""Figure: the dipole after a field is switched on, compared with fluctuations without a field.

python -m bornflow.figures.response --responses a.csv b.csv --names a b --title "32 waters" --out f.pdf f.png
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..errors import BornflowError
from ..spectra import tables
from . import drawing

CURVES = (
    (tables.DIPOLE, tables.DIPOLE_ERROR, "in the field"),
    (tables.PREDICTED, tables.PREDICTED_ERROR, "from fluctuations"),
)
SPECTRUM = (tables.FROM_SPECTRUM, "from χ''(ω)")


def draw(responses: Sequence[pd.DataFrame], names: Sequence[str], title: str = "") -> Figure:
    """One panel per table of `spectra.response`, with the ratio of both curves at two times.

    `title` names the system and the field.
    """
    figure, axes = plt.subplots(
        1, len(names), figsize=(max(3.4, 2.3 * len(names)), 2.1), squeeze=False, sharey=True
    )
    for letter, axis, table, name in zip(drawing.letters(), axes[0], responses, names, strict=False):
        _panel(axis, table)
        axis.set_title(f"{letter}  {drawing.literal(name)}", loc="left")
    axes[0, 0].set_ylabel("change of the dipole (e Å)")
    low, high = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(low, high + 0.2 * (high - low))  # space for the ratios
    axes[0, 0].legend(loc="lower right")
    figure.suptitle(drawing.literal(title))
    return figure


def _panel(axis: Axes, table: pd.DataFrame) -> None:
    """Both curves with standard errors, and the response that follows from the spectrum."""
    time = table["time [fs]"]
    for value, error, label in CURVES:
        mean = table[value]
        (line,) = axis.plot(time, mean, label=label)
        low, high = mean - table[error], mean + table[error]
        axis.fill_between(time, low, high, color=line.get_color(), alpha=0.3, linewidth=0)
    column, label = SPECTRUM
    axis.plot(time, table[column], color="black", linestyle="--", linewidth=0.8, label=label)
    axis.set(xlabel="time in the field (fs)", xlim=(0, np.max(time)))
    ratios = [_ratio(table.iloc[row]) for row in (len(table) // 2, len(table) - 1)]
    axis.text(0.03, 0.97, "\n".join(ratios), transform=axis.transAxes, va="top", fontsize=6)


def _ratio(row: pd.Series) -> str:
    """Ratio of the dipole in the field to that from fluctuations at one time, with its error."""
    field, field_error, predicted, predicted_error = (row[name] for *curve, _ in CURVES for name in curve)
    ratio = field / predicted
    error = abs(ratio) * np.hypot(field_error / field, predicted_error / predicted)
    return f"field / fluctuations {ratio:.2f} ± {error:.2f} ({row['time [fs]']:g} fs)"


@cli.command
def main() -> None:
    """Draw the response of the dipole to a field."""
    args = drawing.parse(
        main,
        responses=cli.options("tables of spectra.response"),
        names=cli.options("title of the panel of each table"),
        title=cli.option("name of the system, and the field", ""),
    )
    if len(args.responses) != len(args.names):
        raise BornflowError(
            f"{len(args.responses)} responses for {len(args.names)} names; give a name for each response"
        )
    responses = [tables.response(path) for path in args.responses]
    drawing.save(draw(responses, args.names, args.title), args.out)


if __name__ == "__main__":
    main()
