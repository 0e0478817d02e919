"""Figure: predicted against reference Born effective charges, clusters and bulk.

python -m bornflow.figures.bec_parity --labels valid.extxyz --predictions P.extxyz --out f.pdf f.png
"""

import argparse
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from matplotlib.figure import Figure

from .. import frames
from ..errors import BornflowError, command
from . import drawing

TITLES = {"bulk": "bulk", "cluster": "clusters"}


def draw(labelled: Sequence[Atoms], predicted: Sequence[Atoms], title: str = "") -> Figure:
    """Diagonal and off-diagonal components of Z by element, one panel a kind of structure."""
    kinds = [kind for kind in TITLES if any(frames.kind(atoms) == kind for atoms in labelled)]
    figure, axes = plt.subplots(1, len(kinds), figsize=(3.4 * len(kinds), 3.2), squeeze=False)
    for letter, kind, axis in zip("ab", kinds, axes[0], strict=False):
        pairs = [
            (truth, guess)
            for truth, guess in zip(labelled, predicted, strict=True)
            if frames.kind(truth) == kind and frames.label(truth, "bec") is not None
        ]
        _panel(axis, pairs)
        count = "1 structure" if len(pairs) == 1 else f"{len(pairs)} structures"
        axis.set_title(f"{letter}  {TITLES[kind]}, {count}", loc="left")
    axes[0, 0].legend(loc="upper left", handletextpad=0.1, borderpad=0)
    if title:
        figure.suptitle(title, fontsize=8)
    return figure


def _panel(axis, pairs: Sequence[tuple[Atoms, Atoms]]) -> None:
    if not pairs:
        raise BornflowError("no structure carries Born effective charges; there is nothing to draw")
    symbols = np.concatenate([truth.get_chemical_symbols() for truth, _ in pairs])
    truth = np.concatenate([frames.label(a, "bec") for a, _ in pairs])
    guess = np.concatenate([frames.label(a, "bec") for _, a in pairs])
    diagonal = np.eye(3, dtype=bool)
    low, high = min(truth.min(), guess.min()), max(truth.max(), guess.max())
    margin = 0.05 * (high - low)
    limits = (low - margin, high + margin)
    axis.plot(limits, limits, color="0.6", linewidth=0.6, zorder=0)
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
    error = np.abs(guess - truth).mean()
    axis.text(
        0.97,
        0.04,
        f"MAE {1e3 * error:.0f}·10⁻³ e",
        transform=axis.transAxes,
        ha="right",
        fontsize=7,
    )
    axis.set(
        xlim=limits,
        ylim=limits,
        aspect="equal",
        xlabel=r"reference $Z_{\alpha\beta}$ (e)",
        ylabel=r"predicted $Z_{\alpha\beta}$ (e)",
    )


@command
def main() -> None:
    """Draw the parity plot of one model's predictions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--predictions", required=True)
    parser.add_argument("--title", default="")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True)
    args = parser.parse_args()
    drawing.style(args.style)
    figure = draw(frames.read(args.labels), frames.read(args.predictions), args.title)
    drawing.save(figure, args.out)


if __name__ == "__main__":
    main()
