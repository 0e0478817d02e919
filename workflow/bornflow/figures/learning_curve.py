"""Figure: errors on the validation set against the number of training structures and the training time.

python -m bornflow.figures.learning_curve --sizes learning_curve.csv --times DIR/validation.csv \\
    --models model-1 --out f.pdf f.png

A model that is named more than once was trained with several seeds.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..errors import BornflowError
from ..io import tables
from ..training import tables as training_tables
from . import drawing

QUANTITIES = {
    "forces_mae [meV/Å]": "error of forces (meV/Å)",
    "bec_mae [1e-3 e]": r"error of $Z$ ($10^{-3}$ e)",
}
TICKS = (1, 1.5, 2, 3, 5, 7)  # in each decade


def draw(sizes: pd.DataFrame, times: Mapping[str, Sequence[pd.DataFrame]]) -> Figure:
    """Rows for forces and Z: left against `sizes` (`training.learning_curve`), right against time.

    `times` has the `validation.csv` of each seed of a model. Bars and bands are standard deviations over
    seeds.
    """
    all_structures = sizes[sizes["structures_of"] == "all"]
    columns = [name for name in QUANTITIES if name in all_structures]
    if not columns:
        raise BornflowError(
            "no validation structure has forces or Born effective charges, so there is no curve"
        )
    figure, axes = plt.subplots(
        len(columns), 2, figsize=(6.8, 0.4 + 1.9 * len(columns)), sharex="col", sharey="row", squeeze=False
    )
    models = dict.fromkeys([*times, *all_structures["model"]])
    colours = {model: f"C{number}" for number, model in enumerate(models)}
    for row, column in zip(axes, columns, strict=True):
        _against_sizes(row[0], all_structures, column, colours)
        _against_time(row[1], times, column, colours)
        row[0].set_ylabel(QUANTITIES[column])
        for axis in row:
            axis.set(xscale="log", yscale="log")
            drawing.plain_numbers(axis.yaxis, TICKS)
    ticks = np.unique(all_structures["structures"])
    axes[-1, 0].set_xticks(ticks, [str(tick) for tick in ticks])
    axes[-1, 0].minorticks_off()
    drawing.plain_numbers(axes[-1, 1].xaxis, TICKS)
    axes[-1, 0].set_xlabel("training structures")
    axes[-1, 1].set_xlabel("training time (min)")
    for letter, axis in zip(drawing.letters(), axes.flat, strict=False):
        axis.set_title(letter, loc="left")
    axes[0, 0].legend()
    return figure


def _against_sizes(axis: Axes, sizes: pd.DataFrame, column: str, colours: Mapping[str, str]) -> None:
    for model, rows in sizes.groupby("model", sort=False):
        errors = rows.groupby("structures")[column].agg(["mean", "std"]).dropna(subset="mean")
        label = drawing.literal(model)
        axis.errorbar(
            errors.index, errors["mean"], errors["std"], fmt="o-", color=colours[model], label=label
        )


def _against_time(
    axis: Axes, times: Mapping[str, Sequence[pd.DataFrame]], column: str, colours: Mapping[str, str]
) -> None:
    for model, seeds in times.items():
        tables_with_rows = [table for table in seeds if len(table)]
        if not tables_with_rows:
            continue
        epochs = pd.concat(tables_with_rows).dropna(subset=column).groupby("epoch")
        minutes, mean = epochs["seconds"].mean() / 60, epochs[column].mean()
        spread = epochs[column].std().fillna(0)
        axis.plot(minutes, mean, color=colours[model])
        band = (mean - spread, mean + spread)
        axis.fill_between(minutes, *band, color=colours[model], alpha=0.2, linewidth=0)


@cli.command
def main() -> None:
    """Draw the learning curves."""
    args = drawing.parse(
        main,
        sizes=cli.option("table of errors by number of structures, from training.learning_curve"),
        times=cli.options("validation.csv of each model and seed"),
        models=cli.options("model of each of these files"),
    )
    sizes = tables.read(
        args.sizes,
        "make it again with training.learning_curve",
        positive=["structures"],
        sparse=training_tables.QUANTITIES,
        texts=("model", "structures_of"),
        others="numbers",
    )
    times = drawing.by_model(args.models, args.times, training_tables.read_validation)
    drawing.save(draw(sizes, times), args.out)


if __name__ == "__main__":
    main()
