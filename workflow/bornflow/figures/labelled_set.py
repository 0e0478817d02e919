"""Figure: what a labelled set is made of.

python -m bornflow.figures.labelled_set --labels train.extxyz valid.extxyz --out f.pdf f.png
"""

import argparse
from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from matplotlib.figure import Figure

from ..cli import command
from ..io import frames
from . import drawing

COLOURS = {"cluster": "C0", "bulk": "C1"}
FORCE_BIN, CHARGE_BIN = 0.2, 0.05  # eV/Å, e


def draw(labelled: Sequence[Atoms]) -> Figure:
    """Sizes; energies by composition; forces; diagonal and off-diagonal Born effective charges by element."""
    figure, axes = plt.subplots(2, 2, figsize=(6.8, 5.0))
    _sizes(axes[0, 0], labelled)
    _energies(axes[0, 1], labelled)
    _forces(axes[1, 0], labelled)
    _charges(axes[1, 1], labelled)
    for letter, axis in zip("abcd", axes.flat, strict=True):
        axis.set_title(letter, loc="left")
    return figure


def _sizes(axis, labelled: Sequence[Atoms]) -> None:
    counts = Counter((len(atoms), frames.kind(atoms)) for atoms in labelled)
    sizes = sorted({size for size, _ in counts})
    bottom = np.zeros(len(sizes))
    for kind, colour in COLOURS.items():
        heights = np.array([counts[size, kind] for size in sizes])
        if heights.any():
            axis.bar(range(len(sizes)), heights, 0.8, bottom, color=colour, label=drawing.KINDS[kind])
        bottom += heights
    for place, height in enumerate(bottom):
        axis.text(place, height, f"{height:.0f}", ha="center", va="bottom", fontsize=6)
    axis.set(xlabel="atoms", ylabel="structures")
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.set_xticks(range(len(sizes)), sizes)
    axis.set_ylim(top=1.25 * bottom.max())
    axis.legend(loc="upper left", ncols=2)


def _energies(axis, labelled: Sequence[Atoms]) -> None:
    """Energies above the lowest of the same composition, so that no baseline is needed."""
    by_formula: dict[tuple[str, str, int], list[float]] = {}
    for atoms in labelled:
        energy = frames.label(atoms, "energy")
        if energy is not None:
            key = (atoms.get_chemical_formula(), frames.kind(atoms), len(atoms))
            by_formula.setdefault(key, []).append(energy / len(atoms))
    sizes = sorted({len(atoms) for atoms in labelled})
    for (_, kind, size), energies in by_formula.items():
        above = 1e3 * (np.array(energies) - min(energies))
        axis.plot([sizes.index(size)] * len(above), above, "_", color=COLOURS[kind], markersize=7)
    axis.set(xlabel="atoms", ylabel="energy above the lowest\nof the size (meV/atom)")
    axis.set_xticks(range(len(sizes)), sizes)
    axis.set_xlim(-0.5, len(sizes) - 0.5)


def _forces(axis, labelled: Sequence[Atoms]) -> None:
    for kind, colour in COLOURS.items():
        found = [
            np.linalg.norm(frames.label(atoms, "forces"), axis=1)
            for atoms in labelled
            if frames.kind(atoms) == kind and frames.label(atoms, "forces") is not None
        ]
        if found:
            norms = np.concatenate(found)
            weights = np.full(len(norms), 100 / len(norms))
            bins = np.arange(0, max(4.0, norms.max()) + FORCE_BIN, FORCE_BIN)
            axis.hist(norms, bins, weights=weights, histtype="step", color=colour, label=drawing.KINDS[kind])
    axis.set(
        yscale="log", xlabel="norm of the force on an atom (eV/Å)", ylabel=f"atoms (% in {FORCE_BIN:g} eV/Å)"
    )
    axis.legend()


def _charges(axis, labelled: Sequence[Atoms]) -> None:
    axis.set(xlabel=r"$Z_{\alpha\beta}$ (e)", ylabel=f"components (% in {CHARGE_BIN:g} e)")
    held = [atoms for atoms in labelled if frames.label(atoms, "bec") is not None]
    if not held:
        return
    symbols = np.concatenate([atoms.get_chemical_symbols() for atoms in held])
    tensors = np.concatenate([frames.label(atoms, "bec") for atoms in held])
    diagonal = np.eye(3, dtype=bool)
    for number, symbol in enumerate(sorted(set(symbols))):
        chosen = tensors[symbols == symbol]
        for mask, style, name in ((diagonal, "-", "diagonal"), (~diagonal, ":", "off-diagonal")):
            values = chosen[:, mask].ravel()
            weights = np.full(len(values), 100 / len(values))
            bins = np.arange(tensors.min() - CHARGE_BIN, tensors.max() + 2 * CHARGE_BIN, CHARGE_BIN)
            axis.hist(
                values,
                bins,
                weights=weights,
                histtype="step",
                color=f"C{number + 2}",
                linestyle=style,
                label=f"{symbol}, {name}",
            )
    axis.set(yscale="log")
    axis.set_ylim(top=8 * axis.get_ylim()[1])  # room for the legend
    axis.legend(fontsize=6, loc="upper center", ncols=2)


@command
def main() -> None:
    """Draw the make-up of a labelled set."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labels", required=True, nargs="+")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    drawing.style(args.style)
    labelled = frames.read_all(args.labels)
    drawing.save(draw(labelled), args.out)


if __name__ == "__main__":
    main()
