"""Figure: conserved energy of runs without a thermostat, one panel per model, force and precision.

python -m bornflow.figures.conservation --runs a.h5 b.h5 --models model-1 model-1 --out f.pdf f.png
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..dynamics.conservation import DRIFT, DRIFT_ERROR, FORCES, block_means, tabulate
from ..dynamics.series import read_run
from ..errors import BornflowError
from . import drawing

POINTS = 1000  # largest number of points of a curve

Panel = tuple[str, str, str]  # forces, precision, model


def draw(paths: Sequence[Path], models: Sequence[str], title: str = "") -> Figure:
    """Change of the conserved energy per atom: a column for each model, a row for forces and precision.

    A run is a grey line with the means of its blocks in colour. `title` names the system; the length of the
    runs is added to it.
    """
    table = tabulate(paths, models).set_index(["forces", "precision", "model"])
    kinds = list(dict.fromkeys(key[:2] for key in table.index))
    names = list(table.index.unique("model"))
    size = (max(3.4, 2.3 * len(names)), 1.9 * len(kinds) + 0.3)
    figure, axes = plt.subplots(len(kinds), len(names), figsize=size, squeeze=False, sharex=True)
    panels: dict[Panel, Axes] = {
        (*kind, name): axis
        for row, kind in zip(axes, kinds, strict=True)
        for axis, name in zip(row, names, strict=True)
    }
    runs = _draw_runs(panels, paths, models)
    for letter, (panel, axis) in zip(drawing.letters(), panels.items(), strict=False):
        axis.set_title(f"{letter}  {drawing.literal(panel[-1])}", loc="left")
        if panel in table.index:
            slope, error = table.loc[[panel], [DRIFT, DRIFT_ERROR]].iloc[0]
            text = _drift(slope, error, runs[panel])
            axis.text(0.03, 0.97, text, transform=axis.transAxes, va="top", fontsize=6)
    for axis in axes[-1]:
        axis.set_xlabel("time (ps)")
    for row, (forces, precision) in zip(axes, kinds, strict=True):
        row[0].set_ylabel(f"{forces}, {drawing.literal(precision)}\nenergy − mean (meV/atom)")
    for forces in dict.fromkeys(forces for forces, _ in kinds):
        _share_scale([axis for panel, axis in panels.items() if panel[0] == forces])
    for axis in axes[:, 1:].flat:
        axis.tick_params(labelleft=False)
    lengths = " and ".join(f"{length:g}" for length in table["length [ps]"].unique())
    figure.suptitle(f"{drawing.literal(title)}, {lengths} ps")
    return figure


def _draw_runs(panels: dict[Panel, Axes], paths: Sequence[Path], models: Sequence[str]) -> Counter[Panel]:
    """Draw each run into its panel; return the number of runs of each panel."""
    runs: Counter[Panel] = Counter()
    for path, model in zip(paths, models, strict=True):
        attributes, series = read_run(path, "conserved_energy", "numbers")
        panel = (FORCES[bool(attributes["fixed_charges"])], attributes["precision"], model)
        energies = 1e3 * series["conserved_energy"] / len(series["numbers"])
        energies -= energies.mean()
        times = np.arange(len(energies)) * float(attributes["timestep [fs]"]) / 1e3
        every = slice(None, None, max(1, len(energies) // POINTS))
        axis, color = panels[panel], f"C{runs[panel]}"
        axis.plot(times[every], energies[every], color="0.82", linewidth=0.3, zorder=1)
        axis.plot(block_means(times), block_means(energies), "o-", color=color, markersize=2)
        runs[panel] += 1
    return runs


def _share_scale(axes: Sequence[Axes]) -> None:
    """The same limits, symmetric about zero, with space for the drift at the top."""
    reach = max(np.abs(axis.get_ylim()).max() for axis in axes)
    for axis in axes:
        axis.set_ylim(-reach, 1.4 * reach)


def _drift(slope: float, error: float, runs: int) -> str:
    """The drift with its error, rounded to significant digits, and the number of runs."""
    digits = min(2, max(0, -math.floor(math.log10(error)))) if error else 2
    text = f"drift {slope:z.{digits}f} ± {error:.{digits}f} meV/atom/100 ps"
    return text.replace("-", "−") + (f"\n{runs} runs" if runs > 1 else "\none run")


@cli.command
def main() -> None:
    """Draw the conserved energy of runs without a thermostat."""
    args = drawing.parse(
        main,
        runs=cli.options("HDF5 files of runs", type=Path),
        models=cli.options("model of each run"),
        title=cli.option("name of the system", ""),
    )
    if len(args.runs) != len(args.models):
        raise BornflowError(f"{len(args.runs)} runs for {len(args.models)} models; give a model for each run")
    drawing.save(draw(args.runs, args.models, args.title), args.out)


if __name__ == "__main__":
    main()
