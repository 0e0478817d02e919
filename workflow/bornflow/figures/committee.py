"""Figure: errors of a committee of models against the uncertainties that it predicts.

    python -m bornflow.figures.committee --labels valid.extxyz --predictions P0.extxyz P1.extxyz \\
        --calibration committee.json --model physical-local --out f.pdf f.png

The predictions are those of models that were trained with different seeds.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..io import frames
from ..io.calibration import read_scales
from ..training.committee import norms
from . import drawing

LABELS = {
    "energy": "of the energy (meV/atom)",
    "forces": "of an atom's force (meV/Å)",
    "bec": r"of an atom's $Z$ ($10^{-3}$ e)",
}
BINS = 8  # of equal numbers of points


def draw(
    labelled: Sequence[Atoms],
    predictions: Sequence[Sequence[Atoms]],
    scales: Mapping[str, float],
    model: str,
) -> Figure:
    """One panel per quantity: error of the mean over calibrated uncertainty, and its mean square in bins.

    Points are structures (energy) or atoms, whose values are norms over components.
    """
    quantities = [key for key in LABELS if key in scales]
    size = (2.3 * max(len(quantities), 1.5), 2.8)
    figure, axes = plt.subplots(1, len(quantities), figsize=size, squeeze=False)
    for letter, axis, key in zip("abc", axes[0], quantities, strict=False):
        errors, spreads = norms(key, labelled, predictions)
        _panel(axis, errors, scales[key] * spreads)
        axis.set(xlabel=f"uncertainty\n{LABELS[key]}", ylabel=f"error {LABELS[key]}")
        axis.set_title(f"{letter}  {drawing.literal(model)}" if letter == "a" else letter, loc="left")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=6)
    return figure


def _panel(axis: Axes, errors: Float[np.ndarray, " points"], spreads: Float[np.ndarray, " points"]) -> None:
    axis.loglog(spreads, errors, ".", markersize=1.5, color="0.75", rasterized=True)
    order = np.argsort(spreads)
    groups = np.array_split(order, min(BINS, max(len(order) // 5, 1)))
    rms = [[np.sqrt(np.mean(values[group] ** 2)) for group in groups] for values in (spreads, errors)]
    axis.loglog(*rms, "o-", markersize=3.5, color="C0", label="root mean square")
    low, high = np.quantile(np.concatenate([spreads, errors]), [0.02, 1])
    limits = (low, 1.3 * high)
    axis.plot(limits, limits, color="0.3", linewidth=0.7, label="error = uncertainty")
    axis.set(xlim=limits, ylim=limits, aspect="equal")
    for side in (axis.xaxis, axis.yaxis):
        drawing.plain_numbers(side, (1,))


@cli.command
def main() -> None:
    """Draw the errors of a committee against its uncertainties."""
    args = drawing.parse(
        main,
        labels=cli.option("labelled extxyz file"),
        predictions=cli.options("predictions of each model for its structures"),
        calibration=cli.option("file of training.committee"),
        model=cli.option("name of the models, for the title"),
    )
    members = [frames.read(path) for path in args.predictions]
    figure = draw(frames.read(args.labels), members, read_scales(args.calibration), args.model)
    drawing.save(figure, args.out)


if __name__ == "__main__":
    main()
