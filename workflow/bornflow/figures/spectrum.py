"""Figure: infrared spectra of all systems, one panel each; bulk water beside experiment.

    python -m bornflow.figures.spectrum --spectra a.csv b.csv --titles "bulk, 300 K" "cage, 10 K" \\
        --models model-1 --out f.pdf f.png
"""

import argparse
import string
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..errors import BornflowError, command
from ..spectra import experiment
from ..spectra.susceptibility import (
    ABSORPTION_COLUMN,
    CHI_COLUMN,
    ERROR_COLUMN,
    WAVENUMBER_COLUMN,
)
from ..units import TERAHERTZ, WAVENUMBER
from . import drawing

LOWEST, HIGHEST = 10.0, 5000.0  # cm⁻¹


def draw(tables: Sequence[Sequence[pd.DataFrame]], titles: Sequence[str], models: Sequence[str]) -> Figure:
    """One panel a title; `tables[panel][model]` are spectra as `spectra.susceptibility` writes them."""
    figure, axes = plt.subplots(len(titles), 1, figsize=(3.4, 2.3 * len(titles)), squeeze=False)
    for letter, axis, panel, title in zip(string.ascii_lowercase, axes[:, 0], tables, titles, strict=False):
        bulk = CHI_COLUMN in panel[0]
        column = CHI_COLUMN if bulk else ABSORPTION_COLUMN
        for model, table in zip(models, panel, strict=True):
            table = table[table[WAVENUMBER_COLUMN].between(LOWEST, HIGHEST)]
            x, y, error = (table[name] for name in (WAVENUMBER_COLUMN, column, ERROR_COLUMN))
            (line,) = axis.plot(x, y, label=model)
            axis.fill_between(
                x,
                np.maximum(y - error, y / 10),
                y + error,
                color=line.get_color(),
                alpha=0.25,
                linewidth=0,
            )
        top = max(table[column].max() for table in panel)
        if bulk:
            grid = np.geomspace(LOWEST, HIGHEST, 600)
            axis.plot(grid, experiment.water(grid), "--", color="0.3", label="experiment, 25 °C")
            axis.set(ylim=(1e-3, max(5 * top, 5)), ylabel=r"$\chi''(\nu)$")
        else:
            axis.set(
                ylim=(top * 1e-6, top * 5),
                ylabel="$\\omega\\,\\chi''\\,\\Omega$ per molecule\n(Å³ fs⁻¹)",
            )
        axis.set(xscale="log", yscale="log", xlim=(LOWEST, HIGHEST))
        axis.set_title(f"{letter}  {title}", loc="left")
        if bulk or axis is axes[0, 0]:  # models have one colour in all panels
            axis.legend(loc="lower left")
        axis.set_xlabel("wavenumber (cm⁻¹)")
        axis.secondary_xaxis("top", functions=(_terahertz, _wavenumber)).set_xlabel("frequency (THz)")
        axis.spines["top"].set_visible(True)
    return figure


def _terahertz(wavenumber: np.ndarray) -> np.ndarray:
    return wavenumber * TERAHERTZ / WAVENUMBER


def _wavenumber(terahertz: np.ndarray) -> np.ndarray:
    return terahertz * WAVENUMBER / TERAHERTZ


@command
def main() -> None:
    """Draw the spectra."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--spectra", nargs="+", required=True, help="panel by panel, model by model")
    parser.add_argument("--titles", nargs="+", required=True)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True)
    args = parser.parse_args()
    if len(args.spectra) != len(args.titles) * len(args.models):
        raise BornflowError(
            f"{len(args.spectra)} spectra for {len(args.titles)} titles and {len(args.models)} models"
        )
    drawing.style(args.style)
    tables = [pd.read_csv(path) for path in args.spectra]
    step = len(args.models)
    panels = [tables[first : first + step] for first in range(0, len(tables), step)]
    drawing.save(draw(panels, args.titles, args.models), args.out)


if __name__ == "__main__":
    main()
