"""Figure: predicted against reference Born effective charges, for bulk and clusters and several models.

    python -m bornflow.figures.bec_parity --labels valid.extxyz --predictions P.extxyz Q.extxyz \\
        --models physical-uncoupled physical-local --out f.pdf f.png

A model that is named more than once was trained with several seeds.
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
from . import drawing

Pairs = Sequence[tuple[Atoms, Atoms]]  # of reference and prediction


def draw(labelled: Sequence[Atoms], predicted: Mapping[str, Sequence[Sequence[Atoms]]]) -> Figure:
    """Diagonal and off-diagonal components of Z by element: one row per kind, one column per model.

    `predicted` has the structures of each seed of a model. The points are those of the first seed; the error
    is the mean over seeds with its standard deviation.
    """
    known = [atoms for atoms in labelled if frames.label(atoms, "bec") is not None]
    if not known:
        return _empty()
    kinds = [kind for kind in drawing.KINDS if any(frames.kind(atoms) == kind for atoms in known)]
    size = (2.3 * max(len(predicted), 1.5), 2.3 * len(kinds))
    figure, axes = plt.subplots(
        len(kinds), len(predicted), figsize=size, squeeze=False, sharex="row", sharey="row"
    )
    letters = drawing.letters()
    for kind, row in zip(kinds, axes, strict=True):
        for axis, (model, seeds) in zip(row, predicted.items(), strict=True):
            pairs = [_pairs(labelled, structures, kind) for structures in seeds]
            _panel(axis, pairs[0], [1e3 * _error(pairs_of_seed) for pairs_of_seed in pairs])
            title = f"{next(letters)}  {drawing.literal(model)}" if kind == kinds[0] else next(letters)
            axis.set_title(title, loc="left")
        count = "1 structure" if len(pairs[0]) == 1 else f"{len(pairs[0])} structures"
        row[0].set_ylabel(f"{drawing.KINDS[kind]}, {count}\npredicted $Z_{{\\alpha\\beta}}$ (e)")
        _frame(list(row))
    for axis in axes[-1]:
        axis.set_xlabel(r"reference $Z_{\alpha\beta}$ (e)")
    axes[0, 0].legend(loc="upper left", fontsize=6, handletextpad=0.1, borderpad=0)
    return figure


def _empty() -> Figure:
    """An empty figure that states the reason."""
    figure, axis = plt.subplots(figsize=(3.4, 1.0))
    axis.text(0.5, 0.5, "no validation structure has Born effective charges", ha="center", va="center")
    axis.set_axis_off()
    return figure


def _pairs(labelled: Sequence[Atoms], predicted: Sequence[Atoms], kind: str) -> Pairs:
    """Reference and prediction of the structures of one kind that have Born effective charges."""
    return [
        (reference, prediction)
        for reference, prediction in zip(labelled, predicted, strict=True)
        if frames.kind(reference) == kind and frames.label(reference, "bec") is not None
    ]


def _frame(row: Sequence[Axes]) -> None:
    """The same square limits for all panels of a row, and the line of perfect agreement."""
    bounds = np.array([(*axis.dataLim.intervalx, *axis.dataLim.intervaly) for axis in row])
    margin = 0.05 * np.ptp(bounds)
    limits = (bounds.min() - margin, bounds.max() + margin)
    for axis in row:
        axis.plot(limits, limits, color="0.6", linewidth=0.6, zorder=0)
        axis.set(xlim=limits, ylim=limits, aspect="equal")


def _tensors(pairs: Pairs) -> tuple[Float[np.ndarray, "atoms 3 3"], Float[np.ndarray, "atoms 3 3"]]:
    """Z of all references and all predictions."""
    references, predictions = zip(*pairs, strict=True)
    return drawing.per_atom(references, "bec"), drawing.per_atom(predictions, "bec")


def _error(pairs: Pairs) -> float:
    """Mean absolute error [e] of all components."""
    reference, prediction = _tensors(pairs)
    return float(np.abs(prediction - reference).mean())


def _panel(axis: Axes, pairs: Pairs, errors: Sequence[float]) -> None:
    """The components of one seed, and the errors [10⁻³ e] of all seeds."""
    symbols = np.concatenate([reference.get_chemical_symbols() for reference, _ in pairs])
    reference, prediction = _tensors(pairs)
    diagonal = np.eye(3, dtype=bool)
    for name, mask, marker in (("off-diagonal", ~diagonal, "x"), ("diagonal", diagonal, "o")):
        for index, symbol in enumerate(sorted(set(symbols))):
            atoms = symbols == symbol
            axis.plot(
                reference[atoms][:, mask].ravel(),
                prediction[atoms][:, mask].ravel(),
                marker,
                color=f"C{index if mask is diagonal else index + 2}",
                markersize=2.2,
                markeredgewidth=0.5,
                markerfacecolor="none",
                label=f"{symbol}, {name}",
                rasterized=True,
            )
    error = f"{np.mean(errors):.0f}"
    if len(errors) > 1:
        error = f"({error} ± {np.std(errors, ddof=1):.0f})"
    axis.text(0.97, 0.04, f"MAE {error}·10⁻³ e", transform=axis.transAxes, ha="right", fontsize=7)


@cli.command
def main() -> None:
    """Draw predicted against reference Born effective charges."""
    args = drawing.parse(
        main,
        labels=cli.option("extxyz file of the labelled structures"),
        predictions=cli.options("extxyz files of predictions, one for each model and seed"),
        models=cli.options("model of each of these files"),
    )
    predicted = drawing.by_model(args.models, args.predictions, frames.read)
    drawing.save(draw(frames.read(args.labels), predicted), args.out)


if __name__ == "__main__":
    main()
