"""Figure: errors on the validation set after each round of `snakemake grow`.

python -m bornflow.figures.growth --errors errors.csv --out f.pdf f.png
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import cli
from ..errors import BornflowError
from ..io import tables
from ..training import tables as training_tables
from . import drawing
from .learning_curve import QUANTITIES

KINDS = {"cluster": "clusters", "bulk": "boxes"}


def draw(errors: pd.DataFrame) -> Figure:
    """Errors of forces and Z against the round, for clusters and boxes; bars are deviations over seeds.

    `errors` is the table of `training.growth`. The upper scale counts the training structures. Raises
    BornflowError if there are no errors.
    """
    columns = [name for name in QUANTITIES if name in errors]
    if not columns:
        raise BornflowError("no validation structure has forces or Born effective charges; nothing to draw")
    figure, axes = plt.subplots(1, len(columns), figsize=(0.4 + 3.2 * len(columns), 2.7), squeeze=False)
    counts = errors.groupby("round")["structures"].first()
    for letter, axis, column in zip(drawing.letters(), axes[0], columns, strict=False):
        for kind, label in KINDS.items():
            of_kind = errors[errors["structures_of"] == kind].groupby("round")[column].agg(["mean", "std"])
            if of_kind["mean"].notna().any():
                axis.errorbar(of_kind.index, of_kind["mean"], of_kind["std"].fillna(0), fmt="o-", label=label)
        axis.set(xlabel="round", ylabel=QUANTITIES[column], ylim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        above = axis.secondary_xaxis("top")
        above.set_xticks(counts.index, [str(count) for count in counts])
        above.set_xlabel("training structures")
        axis.set_title(letter, loc="left")
    axes[0, 0].legend()
    return figure


@cli.command
def main() -> None:
    """Draw the errors of all rounds."""
    args = drawing.parse(main, errors=cli.option("table of errors, from training.growth"))
    errors = tables.read(
        args.errors,
        "make it again with training.growth",
        numbers=("round",),
        positive=["structures"],
        sparse=training_tables.QUANTITIES,
        texts=("structures_of",),
        others="any",
    )
    drawing.save(draw(errors), args.out)


if __name__ == "__main__":
    main()
