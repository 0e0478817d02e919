"""Figure: errors on the structures held out, over the number trained on and over the time of training.

python -m bornflow.figures.learning_curve --sizes learning_curve.csv --times DIR/validation.csv \\
    --models model-1 --out f.pdf f.png

A model that is named more than once was trained from several seeds.
"""

import argparse
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..cli import command
from ..errors import BornflowError
from ..io import tables
from ..training import tables as training
from . import drawing

TITLES = {"forces_mae [meV/Å]": "error of forces (meV/Å)", "bec_mae [1e-3 e]": r"error of $Z$ ($10^{-3}$ e)"}

TICKS = (1, 1.5, 2, 3, 5, 7)  # in each decade


def draw(sizes: pd.DataFrame, times: Mapping[str, Sequence[pd.DataFrame]]) -> Figure:
    """A row for forces and one for Z; left over `sizes` (`training.learning_curve`), right over time.

    `times` has the `validation.csv` of each seed of a model, with minutes of training on the labels of the
    set. Bars and bands are standard deviations over seeds.
    """
    whole_set = sizes[sizes["structures_of"] == "all"]
    titles = {column: title for column, title in TITLES.items() if column in whole_set}
    if not titles:
        raise BornflowError("no structure held out has forces or Born effective charges: nothing to draw")
    figure, axes = plt.subplots(
        len(titles), 2, figsize=(6.8, 0.4 + 1.9 * len(titles)), sharex="col", sharey="row", squeeze=False
    )
    colours = {model: f"C{number}" for number, model in enumerate(times)}
    for row, (column, title) in zip(axes, titles.items(), strict=True):
        for model, part in whole_set.groupby("model", sort=False):
            found = part.groupby("structures")[column].agg(["mean", "std"]).dropna(subset="mean")
            colour = colours.setdefault(model, f"C{len(colours)}")
            row[0].errorbar(
                found.index, found["mean"], found["std"], fmt="o-", color=colour, label=drawing.literal(model)
            )
        for model, seeds in times.items():
            followed = [table for table in seeds if len(table)]
            if not followed:
                continue
            known = pd.concat(followed).dropna(subset=column).groupby("epoch")
            minutes, mean = known["seconds"].mean() / 60, known[column].mean()
            spread = known[column].std().fillna(0)
            row[1].plot(minutes, mean, color=colours[model])
            row[1].fill_between(
                minutes, mean - spread, mean + spread, color=colours[model], alpha=0.2, linewidth=0
            )
        row[0].set_ylabel(title)
        for axis in row:
            axis.set(xscale="log", yscale="log")
            drawing.plain_numbers(axis.yaxis, TICKS)
    ticks = np.unique(whole_set["structures"])
    axes[-1, 0].set_xticks(ticks, [str(tick) for tick in ticks])
    axes[-1, 0].minorticks_off()
    drawing.plain_numbers(axes[-1, 1].xaxis, TICKS)
    axes[-1, 0].set_xlabel("structures trained on")
    axes[-1, 1].set_xlabel("minutes of training")
    for letter, axis in zip(drawing.letters(), axes.flat, strict=False):
        axis.set_title(letter, loc="left")
    axes[0, 0].legend()
    return figure


@command
def main() -> None:
    """Draw the curves."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sizes", required=True)
    parser.add_argument("--times", nargs="+", required=True, help="validation.csv of each model and seed")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    remedy = "make it again with training.learning_curve"
    texts = ("model", "structures_of")
    sizes = tables.read(
        args.sizes, remedy, positive=["structures"], sparse=training.QUANTITIES, texts=texts, others="numbers"
    )
    times = drawing.by_model(args.models, args.times, training.read_validation)
    drawing.style(args.style)
    drawing.save(draw(sizes, times), args.out)


if __name__ == "__main__":
    main()
