"""Figure: mean absolute errors of all models on the structures held out, bulk and clusters.

python -m bornflow.figures.errors --errors errors.csv --out f.pdf f.png
"""

import argparse

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..cli import command
from ..errors import BornflowError
from ..training import tables
from . import drawing

COLUMNS = {
    "energy_mae [meV/atom]": "energy (meV/atom)",
    "forces_mae [meV/Å]": "forces (meV/Å)",
    "bec_mae [1e-3 e]": r"$Z$ ($10^{-3}$ e)",
}
MARKS = {"bulk": ("o", "C0"), "cluster": ("s", "C1")}


def draw(table: pd.DataFrame) -> Figure:
    """One panel a quantity, one place a model; bars are the standard deviation over seeds.

    `table` has a row for each model, seed and kind, as `training.metrics_table` writes it.
    """
    columns = {name: title for name, title in COLUMNS.items() if name in table and table[name].notna().any()}
    if not columns:
        raise BornflowError("the table of errors holds no energies, forces or Born effective charges")
    models = list(dict.fromkeys(table["model"]))
    size = (6.8 * len(columns) / 3, 0.9 + 0.22 * len(models))
    figure, axes = plt.subplots(1, len(columns), figsize=size, squeeze=False, sharey=True)
    for letter, axis, (column, title) in zip("abc", axes[0], columns.items(), strict=False):
        for place, (kind, (marker, color)) in enumerate(MARKS.items()):
            part = table[table["structures_of"] == kind].groupby("model")[column]
            mean, spread = (value.reindex(models).to_numpy(float) for value in (part.mean(), part.std()))
            heights = [row + 0.16 * (2 * place - 1) for row in range(len(models))]
            style = {"fmt": marker, "color": color, "markersize": 4, "label": drawing.KINDS[kind]}
            axis.errorbar(mean, heights, xerr=spread, **style)
        axis.set(
            xlabel=f"error of {title}", yticks=range(len(models)), yticklabels=[*map(drawing.literal, models)]
        )
        axis.set_xlim(0, 1.06 * axis.get_xlim()[1])
        axis.set_title(letter, loc="left")
        axis.grid(axis="y", linewidth=0.3, color="0.9")
    axes[0, 0].set_ylim(len(models) - 0.5, -0.5)
    axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@command
def main() -> None:
    """Draw the table of errors."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--errors", required=True)
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    drawing.style(args.style)
    drawing.save(draw(tables.read_metrics_table(args.errors)), args.out)


if __name__ == "__main__":
    main()
