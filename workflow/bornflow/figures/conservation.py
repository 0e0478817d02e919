"""Figure: the conserved energy of runs without a thermostat, panels for models, forces and precisions.

python -m bornflow.figures.conservation --runs a.h5 b.h5 --models model-1 model-1 --out f.pdf f.png
"""

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..cli import command
from ..dynamics.conservation import DRIFT, DRIFT_ERROR, FORCES, block_means, tabulate
from ..dynamics.series import read_run
from ..errors import BornflowError
from . import drawing

POINTS = 1000  # of a curve at most


def draw(paths: Sequence[Path], models: Sequence[str], title: str = "") -> Figure:
    """Change of the conserved energy per atom: a column for each model, a row for forces and precision.

    A run is a grey line with the means of its blocks in colour. `title` says of what system;
    the length of the runs is added.
    """
    table = tabulate(paths, models).set_index(["forces", "precision", "model"])
    kinds = list(dict.fromkeys(zip(*(table.index.get_level_values(level) for level in (0, 1)), strict=True)))
    names = list(table.index.unique("model"))
    size = (max(3.4, 2.3 * len(names)), 1.9 * len(kinds) + 0.3)
    figure, axes = plt.subplots(len(kinds), len(names), figsize=size, squeeze=False, sharex=True)
    panels = {
        (*kind, name): axis
        for row, kind in zip(axes, kinds, strict=True)
        for axis, name in zip(row, names, strict=True)
    }
    drawn: Counter[tuple] = Counter()
    for path, model in zip(paths, models, strict=True):
        attributes, series = read_run(path, "conserved_energy", "numbers")
        kind = (FORCES[bool(attributes["fixed_charges"])], attributes["precision"], model)
        axis, color = panels[kind], f"C{drawn[kind]}"
        drawn[kind] += 1
        energies = 1e3 * series["conserved_energy"] / len(series["numbers"])
        energies -= energies.mean()
        times = np.arange(len(energies)) * float(attributes["timestep [fs]"]) / 1e3
        every = slice(None, None, max(1, len(energies) // POINTS))
        axis.plot(times[every], energies[every], color="0.82", linewidth=0.3, zorder=1)
        axis.plot(block_means(times), block_means(energies), "o-", color=color, markersize=2)
    for letter, (kind, axis) in zip(drawing.letters(), panels.items(), strict=False):
        axis.set_title(f"{letter}  {drawing.literal(kind[-1])}", loc="left")
        if kind in table.index:
            drift = _drift(*table.loc[kind, [DRIFT, DRIFT_ERROR]], drawn[kind])
            axis.text(0.03, 0.97, drift, transform=axis.transAxes, va="top", fontsize=6)
    for axis in axes[-1]:
        axis.set_xlabel("time (ps)")
    for row, (forces, precision) in zip(axes, kinds, strict=True):
        row[0].set_ylabel(f"{forces}, {drawing.literal(precision)}\nenergy − mean (meV/atom)")
    for forces in dict.fromkeys(forces for forces, _ in kinds):
        _one_scale([axis for kind, axis in panels.items() if kind[0] == forces])
    lengths = " and ".join(f"{length:g}" for length in table["length [ps]"].unique())
    figure.suptitle(f"{drawing.literal(title)}, {lengths} ps")
    return figure


def _one_scale(axes: Sequence[Axes]) -> None:
    """Symmetric about zero, with room for the drift; numbers at the first of a row."""
    reach = max(np.abs(axis.get_ylim()).max() for axis in axes)
    for axis in axes:
        axis.set_ylim(-reach, 1.4 * reach)
        axis.tick_params(labelleft=axis.get_subplotspec().is_first_col())


def _drift(slope: float, error: float, runs: int) -> str:
    digits = min(2, max(0, -math.floor(math.log10(error)))) if error else 2
    said = f"drift {slope:z.{digits}f} ± {error:.{digits}f} meV/atom/100 ps"
    return said.replace("-", "−") + (f"\n{runs} runs" if runs > 1 else "\none run")


@command
def main() -> None:
    """Draw the energies."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", nargs="+", required=True, type=Path)
    parser.add_argument("--models", nargs="+", required=True, help="the model of each run")
    parser.add_argument("--title", default="", help="of what system")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    if len(args.runs) != len(args.models):
        raise BornflowError(f"{len(args.runs)} runs for {len(args.models)} models")
    drawing.style(args.style)
    drawing.save(draw(args.runs, args.models, args.title), args.out)


if __name__ == "__main__":
    main()
