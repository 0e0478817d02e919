"""Figure: mean absolute errors of all models on the validation set, for bulk and clusters.

python -m bornflow.figures.model_errors --errors errors.csv --out f.pdf f.png
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..errors import BornflowError
from ..training import tables
from . import drawing

QUANTITIES = {
    "energy_mae [meV/atom]": "energy (meV/atom)",
    "forces_mae [meV/Å]": "forces (meV/Å)",
    "bec_mae [1e-3 e]": r"$Z$ ($10^{-3}$ e)",
}
MARKS = {"bulk": ("o", "C0"), "cluster": ("s", "C1")}


def draw(table: pd.DataFrame) -> Figure:
    """One panel per quantity, one row per model; bars are standard deviations over seeds.

    `table` has a row for each model, seed and kind of structure, as `training.metrics_table` writes it.
    Raises BornflowError if it contains no errors.
    """
    columns = [name for name in QUANTITIES if name in table and table[name].notna().any()]
    if not columns:
        raise BornflowError(
            "the table of errors contains no energies, forces or Born effective charges; make it again from "
            "models that were evaluated on labelled structures (training.evaluate)"
        )
    models = list(dict.fromkeys(table["model"]))
    size = (6.8 * len(columns) / 3, 0.9 + 0.22 * len(models))
    figure, axes = plt.subplots(1, len(columns), figsize=size, squeeze=False, sharey=True)
    for letter, axis, column in zip("abc", axes[0], columns, strict=False):
        _panel(axis, table, column, models)
        axis.set_title(letter, loc="left")
    axes[0, 0].set_ylim(len(models) - 0.5, -0.5)
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _panel(axis: Axes, table: pd.DataFrame, column: str, models: list[str]) -> None:
    for number, (kind, (marker, color)) in enumerate(MARKS.items()):
        of_kind = table[table["structures_of"] == kind]
        if of_kind.empty:
            continue
        errors = of_kind.groupby("model")[column]
        mean, spread = (values.reindex(models).to_numpy(float) for values in (errors.mean(), errors.std()))
        heights = [row + 0.16 * (2 * number - 1) for row in range(len(models))]
        label = drawing.KINDS[kind]
        axis.errorbar(mean, heights, xerr=spread, fmt=marker, color=color, markersize=4, label=label)
    axis.set(xlabel=f"error of {QUANTITIES[column]}")
    axis.set_yticks(range(len(models)), [*map(drawing.literal, models)])
    axis.set_xlim(0, 1.06 * axis.get_xlim()[1])
    axis.grid(axis="y", linewidth=0.3, color="0.9")


@cli.command
def main() -> None:
    """Draw a table of model errors."""
    args = drawing.parse(main, errors=cli.option("table of errors, from training.metrics_table"))
    drawing.save(draw(tables.read_metrics_table(args.errors)), args.out)


if __name__ == "__main__":
    main()
