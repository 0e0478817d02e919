"""Figure: the composition of a labelled set.

python -m bornflow.figures.labelled_set --labels train.extxyz valid.extxyz --out f.pdf f.png
"""

from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator

from .. import cli
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


def _sizes(axis: Axes, labelled: Sequence[Atoms]) -> None:
    """Stacked bars of the number of structures of each size."""
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
    locator = AutoLocator()
    locator.set_params(integer=True)
    axis.yaxis.set_major_locator(locator)
    axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axis.set_ylim(top=1.25 * bottom.max())
    axis.legend(loc="upper left", ncols=2)


def _energies(axis: Axes, labelled: Sequence[Atoms]) -> None:
    """Energies above the lowest of the same composition, so that no baseline is needed."""
    by_formula: dict[tuple[str, str, int], list[float]] = {}
    for atoms in labelled:
        energy = frames.label(atoms, "energy")
        if energy is not None:
            key = (atoms.get_chemical_formula(), frames.kind(atoms), len(atoms))
            by_formula.setdefault(key, []).append(float(energy) / len(atoms))
    sizes = sorted({len(atoms) for atoms in labelled})
    for (_, kind, size), energies in by_formula.items():
        above = 1e3 * (np.array(energies) - min(energies))
        axis.plot([sizes.index(size)] * len(above), above, "_", color=COLOURS[kind], markersize=7)
    axis.set(xlabel="atoms", ylabel="energy above the lowest\nof the size (meV/atom)")
    axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axis.set_xlim(-0.5, len(sizes) - 0.5)


def _forces(axis: Axes, labelled: Sequence[Atoms]) -> None:
    """Distributions of the norms of the forces, for bulk and clusters."""
    with_forces = [atoms for atoms in labelled if frames.label(atoms, "forces") is not None]
    for kind, colour in COLOURS.items():
        structures = [atoms for atoms in with_forces if frames.kind(atoms) == kind]
        if structures:
            norms = np.linalg.norm(drawing.per_atom(structures, "forces"), axis=1)
            bins = np.arange(0, max(4.0, norms.max()) + FORCE_BIN, FORCE_BIN)
            _histogram(axis, norms, bins, colour, "-", drawing.KINDS[kind])
    label = f"atoms (% in {FORCE_BIN:g} eV/Å)"
    axis.set(yscale="log", xlabel="norm of the force on an atom (eV/Å)", ylabel=label)
    axis.legend()


def _charges(axis: Axes, labelled: Sequence[Atoms]) -> None:
    """Distributions of the diagonal and off-diagonal components of Z by element."""
    axis.set(xlabel=r"$Z_{\alpha\beta}$ (e)", ylabel=f"components (% in {CHARGE_BIN:g} e)")
    structures = [atoms for atoms in labelled if frames.label(atoms, "bec") is not None]
    if not structures:
        return
    symbols = np.concatenate([atoms.get_chemical_symbols() for atoms in structures])
    tensors = drawing.per_atom(structures, "bec")
    bins = np.arange(tensors.min() - CHARGE_BIN, tensors.max() + 2 * CHARGE_BIN, CHARGE_BIN)
    diagonal = np.eye(3, dtype=bool)
    for number, symbol in enumerate(sorted(set(symbols))):
        for mask, line, name in ((diagonal, "-", "diagonal"), (~diagonal, ":", "off-diagonal")):
            values = tensors[symbols == symbol][:, mask].ravel()
            _histogram(axis, values, bins, f"C{number + 2}", line, f"{symbol}, {name}")
    axis.set(yscale="log")
    rows = len(set(symbols))
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** (0.11 * rows))  # room for the legend
    axis.legend(fontsize=6, loc="upper center", ncols=2)


def _histogram(
    axis: Axes,
    values: Float[np.ndarray, " values"],
    bins: Float[np.ndarray, " edges"],
    colour: str,
    line: str,
    label: str,
) -> None:
    """The outline of a histogram in percent of all values."""
    weights = np.full(len(values), 100 / len(values))
    axis.hist(
        values, bins.tolist(), weights=weights, histtype="step", color=colour, linestyle=line, label=label
    )


@cli.command
def main() -> None:
    """Draw the composition of a labelled set."""
    args = drawing.parse(main, labels=cli.options("extxyz files of labelled structures"))
    drawing.save(draw(frames.read_all(args.labels)), args.out)


if __name__ == "__main__":
    main()
