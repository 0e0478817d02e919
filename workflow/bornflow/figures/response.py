"""Figure: the dipole in a field that is switched on, beside what fluctuations without a field say.

python -m bornflow.figures.response --responses a.csv b.csv --names a b --title "32 waters" --out f.pdf f.png
"""

import argparse
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..cli import command
from ..errors import BornflowError
from ..spectra import tables
from . import drawing

CURVES = (
    (tables.DIPOLE, tables.DIPOLE_ERROR, "in the field"),
    (tables.PREDICTED, tables.PREDICTED_ERROR, "from fluctuations"),
)
SPECTRUM = (tables.FROM_SPECTRUM, "from χ''(ω)")


def draw(responses: Sequence[pd.DataFrame], names: Sequence[str], title: str = "") -> Figure:
    """A panel for each of `responses`, written by `spectra.response`, with the ratio of both sides in words.

    `title` says of what, in which field.
    """
    figure, axes = plt.subplots(
        1, len(names), figsize=(max(3.4, 2.3 * len(names)), 2.1), squeeze=False, sharey=True
    )
    for letter, axis, table, name in zip(drawing.letters(), axes[0], responses, names, strict=False):
        time = table["time [fs]"]
        for value, error, name_of in CURVES:
            mean = table[value]
            (line,) = axis.plot(time, mean, label=name_of)
            low, high = mean - table[error], mean + table[error]
            axis.fill_between(time, low, high, color=line.get_color(), alpha=0.3, linewidth=0)
        axis.plot(time, table[SPECTRUM[0]], color="black", linestyle="--", linewidth=0.8, label=SPECTRUM[1])
        axis.set(xlabel="time in the field (fs)", xlim=(0, np.max(time)))
        axis.set_title(f"{letter}  {drawing.literal(name)}", loc="left")
        said = [_ratio(table.iloc[row]) for row in (len(table) // 2, len(table) - 1)]
        axis.text(0.03, 0.97, "\n".join(said), transform=axis.transAxes, va="top", fontsize=6)
    axes[0, 0].set_ylabel("change of the dipole (e Å)")
    low, high = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(low, high + 0.2 * (high - low))  # room for the ratios
    axes[0, 0].legend(loc="lower right")
    figure.suptitle(drawing.literal(title))
    return figure


def _ratio(row: pd.Series) -> str:
    """Field over fluctuations at one time, with the errors of both."""
    (field, field_error, _), (said, said_error, _) = [[row.get(name) for name in curve] for curve in CURVES]
    error = abs(field / said) * np.hypot(field_error / field, said_error / said)
    return f"field / fluctuations {field / said:.2f} ± {error:.2f} ({row['time [fs]']:g} fs)"


@command
def main() -> None:
    """Draw the responses."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--responses", nargs="+", required=True)
    parser.add_argument("--names", nargs="+", required=True, help="of the panels")
    parser.add_argument("--title", default="", help="of what, and in which field")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    if len(args.responses) != len(args.names):
        raise BornflowError(f"{len(args.responses)} responses for {len(args.names)} names")
    drawing.style(args.style)
    found = [tables.response(path) for path in args.responses]
    drawing.save(draw(found, args.names, args.title), args.out)


if __name__ == "__main__":
    main()
