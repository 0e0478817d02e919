"""Figure: predicted against reference Born effective charges, bulk and clusters, models side by side.

    python -m bornflow.figures.bec_parity --labels valid.extxyz --predictions P.extxyz Q.extxyz \\
        --models physical-uncoupled physical-local --out f.pdf f.png

A model that is named more than once was trained from several seeds.
"""

import argparse
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cli import command
from ..io import frames
from . import drawing


def draw(labelled: Sequence[Atoms], predicted: Mapping[str, Sequence[Sequence[Atoms]]]) -> Figure:
    """Diagonal and off-diagonal components of Z by element: a row for each kind, a column for each model.

    `predicted` has the structures of each seed of a model; the first one's are drawn, the error is the mean
    over them with its standard deviation.
    """
    known = [atoms for atoms in labelled if frames.label(atoms, "bec") is not None]
    if not known:
        figure, axis = plt.subplots(figsize=(3.4, 1.0))
        axis.text(0.5, 0.5, "no structure held out has Born effective charges", ha="center", va="center")
        axis.set_axis_off()
        return figure
    kinds = [kind for kind in drawing.KINDS if any(frames.kind(atoms) == kind for atoms in known)]
    size = (2.3 * max(len(predicted), 1.5), 2.3 * len(kinds))
    figure, axes = plt.subplots(
        len(kinds), len(predicted), figsize=size, squeeze=False, sharex="row", sharey="row"
    )
    letters = drawing.letters()
    for kind, row in zip(kinds, axes, strict=True):
        for axis, (model, seeds) in zip(row, predicted.items(), strict=True):
            pairs = [
                [
                    (truth, guess)
                    for truth, guess in zip(labelled, guesses, strict=True)
                    if frames.kind(truth) == kind and frames.label(truth, "bec") is not None
                ]
                for guesses in seeds
            ]
            _panel(axis, pairs[0], [1e3 * _error(found) for found in pairs])
            axis.set_title(
                f"{next(letters)}  {drawing.literal(model)}" if kind == kinds[0] else next(letters),
                loc="left",
            )
        count = "1 structure" if len(pairs[0]) == 1 else f"{len(pairs[0])} structures"
        row[0].set_ylabel(f"{drawing.KINDS[kind]}, {count}\npredicted $Z_{{\\alpha\\beta}}$ (e)")
        _frame(list(row))
    for axis in axes[-1]:
        axis.set_xlabel(r"reference $Z_{\alpha\beta}$ (e)")
    axes[0, 0].legend(loc="upper left", fontsize=6, handletextpad=0.1, borderpad=0)
    return figure


def _frame(row: Sequence[Axes]) -> None:
    """The same square limits for all panels of a row, and the line of perfect agreement."""
    bounds = np.array([(*axis.dataLim.intervalx, *axis.dataLim.intervaly) for axis in row])
    margin = 0.05 * np.ptp(bounds)
    limits = (bounds.min() - margin, bounds.max() + margin)
    for axis in row:
        axis.plot(limits, limits, color="0.6", linewidth=0.6, zorder=0)
        axis.set(xlim=limits, ylim=limits, aspect="equal")


def _error(pairs: Sequence[tuple[Atoms, Atoms]]) -> float:
    """Mean absolute error [e] of all components."""
    differences = [
        np.ravel(frames.label(guess, "bec") - frames.label(truth, "bec")) for truth, guess in pairs
    ]
    return float(np.abs(np.concatenate(differences)).mean())


def _panel(axis: Axes, pairs: Sequence[tuple[Atoms, Atoms]], errors: Sequence[float]) -> None:
    """The components of one seed, and the errors [10⁻³ e] of all."""
    symbols = np.concatenate([truth.get_chemical_symbols() for truth, _ in pairs])
    truth = np.concatenate([frames.label(a, "bec") for a, _ in pairs])
    guess = np.concatenate([frames.label(a, "bec") for _, a in pairs])
    diagonal = np.eye(3, dtype=bool)
    for part, mask, marker in (("off-diagonal", ~diagonal, "x"), ("diagonal", diagonal, "o")):
        for index, symbol in enumerate(sorted(set(symbols))):
            chosen = symbols == symbol
            axis.plot(
                truth[chosen][:, mask].ravel(),
                guess[chosen][:, mask].ravel(),
                marker,
                color=f"C{index if mask is diagonal else index + 2}",
                markersize=2.2,
                markeredgewidth=0.5,
                markerfacecolor="none",
                label=f"{symbol}, {part}",
                rasterized=True,
            )
    error = f"{np.mean(errors):.0f}"
    if len(errors) > 1:
        error = f"({error} ± {np.std(errors, ddof=1):.0f})"
    axis.text(
        0.97,
        0.04,
        f"MAE {error}·10⁻³ e",
        transform=axis.transAxes,
        ha="right",
        fontsize=7,
    )


@command
def main() -> None:
    """Draw the parity plots of models' predictions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--predictions", required=True, nargs="+", help="one file a model and seed")
    parser.add_argument("--models", required=True, nargs="+", help="their names, in the same order")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    drawing.style(args.style)
    predicted = drawing.by_model(args.models, args.predictions, frames.read)
    drawing.save(draw(frames.read(args.labels), predicted), args.out)


if __name__ == "__main__":
    main()
