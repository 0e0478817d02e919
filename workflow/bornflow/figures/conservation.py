"""Figure: the conserved energy of runs without a thermostat, a panel for each model and kind of forces.

python -m bornflow.figures.conservation --runs a.h5 b.h5 --models model-1 model-1 --out f.pdf f.png
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..dynamics.conservation import DRIFT, DRIFT_ERROR, FORCES, block_means, tabulate
from ..dynamics.series import read_run
from ..errors import BornflowError, command
from . import drawing

POINTS = 1000  # of a curve at most


def draw(paths: Sequence[Path], models: Sequence[str], title: str = "") -> Figure:
    """Change of the conserved energy per atom: a column for each model, a row for each kind of forces.

    `title` says of what system.
    """
    table = tabulate(paths, models).set_index(["forces", "model", "precision"])
    kinds, names, precisions = (list(table.index.unique(level)) for level in range(3))
    size = (max(3.4, 2.3 * len(names)), 2.1 * len(kinds) + 0.2)
    figure, axes = plt.subplots(len(kinds), len(names), figsize=size, squeeze=False, sharey="row")
    panels = {
        (forces, name): axis
        for row, forces in zip(axes, kinds, strict=True)
        for axis, name in zip(row, names, strict=True)
    }
    labelled = set()
    for path, model in zip(paths, models, strict=True):
        attributes, series = read_run(path, "conserved_energy", "numbers")
        forces, precision = FORCES[bool(attributes["fixed_charges"])], attributes["precision"]
        axis, color = panels[forces, model], f"C{precisions.index(precision)}"
        energies = 1e3 * series["conserved_energy"] / len(series["numbers"])
        energies -= energies.mean()
        times = np.arange(len(energies)) * float(attributes["timestep [fs]"]) / 1e3
        every = slice(None, None, max(1, len(energies) // POINTS))
        axis.plot(times[every], energies[every], color=color, linewidth=0.3, alpha=0.3)
        kind = (forces, model, precision)
        label = None if kind in labelled else f"{precision}: {_drift(*table.loc[kind, [DRIFT, DRIFT_ERROR]])}"
        labelled.add(kind)
        axis.plot(block_means(times), block_means(energies), "o-", color=color, label=label)
    for letter, ((_, name), axis) in zip(drawing.letters(), panels.items(), strict=False):
        axis.set_title(f"{letter}  {name}", loc="left")
        if axis.lines:
            axis.legend(loc="upper left", fontsize=5.5, handlelength=1.2)
    for axis in axes[-1]:
        axis.set_xlabel("time (ps)")
    for axis, forces in zip(axes[:, 0], kinds, strict=True):
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.35 * (high - low))  # room for the legends
        axis.set_ylabel(f"conserved energy − mean\n{f'{forces} ' * (forces != FORCES[False])}(meV/atom)")
    figure.suptitle(title)
    return figure


def _drift(slope: float, error: float) -> str:
    digits = min(2, max(0, -math.floor(math.log10(error)))) if error else 2
    return f"{slope:.{digits}f} ± {error:.{digits}f} meV/atom/100 ps".replace("-", "−")


@command
def main() -> None:
    """Draw the energies."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", nargs="+", required=True, type=Path)
    parser.add_argument("--models", nargs="+", required=True, help="the model of each run")
    parser.add_argument("--title", default="", help="of what system")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True)
    args = parser.parse_args()
    if len(args.runs) != len(args.models):
        raise BornflowError(f"{len(args.runs)} runs for {len(args.models)} models")
    drawing.style(args.style)
    drawing.save(draw(args.runs, args.models, args.title), args.out)


if __name__ == "__main__":
    main()
