"""Figure: errors on the structures held out, over the number trained on and over the time of training.

python -m bornflow.figures.learning_curve --sizes learning_curve.csv --times DIR/validation.csv \\
    --models model-1 --out f.pdf f.png
"""

import argparse
import string
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from ..errors import BornflowError, command
from . import drawing

TITLES = {"forces_mae [meV/Å]": "error of forces (meV/Å)", "bec_mae [1e-3 e]": r"error of $Z$ ($10^{-3}$ e)"}


def draw(sizes: pd.DataFrame, times: Mapping[str, pd.DataFrame]) -> Figure:
    """A row for forces and one for Z; left over `sizes` (`training.learning`), right over time.

    `times` has the `validation.csv` of each model, with minutes of training on the labels of the set.
    """
    figure, axes = plt.subplots(2, 2, figsize=(6.8, 4.2), sharex="col", sharey="row")
    whole_set = sizes[sizes["structures_of"] == "all"]
    for row, (column, title) in zip(axes, TITLES.items(), strict=True):
        for model, part in whole_set.groupby("model", sort=False):
            found = part.groupby("structures")[column].agg(["mean", "std"]).dropna(subset="mean")
            row[0].errorbar(found.index, found["mean"], yerr=found["std"], fmt="o-", label=model)
        for number, (model, table) in enumerate(times.items()):
            known = table.dropna(subset=column)
            row[1].plot(known["seconds"] / 60, known[column], color=f"C{number}", label=model)
        row[0].set_ylabel(title)
        for axis in row:
            axis.set(xscale="log", yscale="log")
            axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    ticks = np.unique(whole_set["structures"])
    axes[1, 0].set_xticks(ticks, [str(tick) for tick in ticks])
    axes[1, 0].minorticks_off()
    axes[1, 0].set_xlabel("structures trained on")
    axes[1, 1].set_xlabel("minutes of training")
    for letter, axis in zip(string.ascii_lowercase, axes.flat, strict=False):
        axis.set_title(letter, loc="left")
    axes[0, 0].legend()
    return figure


@command
def main() -> None:
    """Draw the curves."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sizes", required=True)
    parser.add_argument("--times", nargs="+", required=True, help="validation.csv of each model")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True)
    args = parser.parse_args()
    if len(args.times) != len(args.models):
        raise BornflowError(f"{len(args.times)} tables of validation for {len(args.models)} models")
    times = dict(zip(args.models, map(pd.read_csv, args.times), strict=True))
    drawing.style(args.style)
    drawing.save(draw(pd.read_csv(args.sizes), times), args.out)


if __name__ == "__main__":
    main()
