"""Figure: which part of the current makes the bands of coupled models, static charges or charge flux.

    python -m bornflow.figures.current_parts --spectra a.csv b.csv --titles "bulk, 300 K" \\
        --models physical-global physical-local --resolution 20 --out f.pdf f.png
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..cli import command
from ..errors import BornflowError
from ..spectra.susceptibility import ERROR_COLUMN, PART_ERRORS, PARTS, WAVENUMBER_COLUMN
from . import drawing
from .spectrum import arguments, drawn_column, grid, line_width, shade
from .spectrum_linear import HIGHEST, LABELS, factor

NAMES = dict(zip(PARTS, ("static charges", "charge flux", "cross term"), strict=True))


def draw(
    tables: Sequence[Sequence[pd.DataFrame]], titles: Sequence[str], models: Sequence[str], resolution: float
) -> Figure:
    """A row for each title, a column for each model; `tables[title][model]` have the PARTS.

    `resolution` [cm⁻¹] gives the width of lines that is named below.
    """
    size = (6.8 if len(models) > 1 else 3.4, 2.1 * len(titles))
    figure, axes = plt.subplots(
        len(titles), len(models), figsize=size, squeeze=False, sharex=True, sharey="row"
    )
    letters = drawing.letters()
    for row, panel, title in zip(axes, tables, titles, strict=True):
        for axis, table, model in zip(row, panel, models, strict=True):
            missing = [part for part in PARTS if part not in table]
            if missing:
                raise BornflowError(
                    f"the spectrum of {title}, {model} has no {missing[0]}: not a coupled model"
                )
            nu = table[WAVENUMBER_COLUMN]
            column = drawn_column(table)
            scale = factor(column, nu)  # parts of χ'' become parts of α n
            axis.axhline(0, color="0.7", linewidth=0.5)
            for number, (part, its_error) in enumerate(zip(PARTS, PART_ERRORS, strict=True)):
                y, error = scale * table[part], scale * table[its_error]
                axis.plot(nu, y, color=f"C{number}", label=NAMES[part])
                shade(axis, nu, y - error, y + error, f"C{number}")
            total = scale * table[list(PARTS)].sum(axis=1)
            axis.plot(nu, total, color="0.1", linewidth=0.7, label="sum")
            error = scale * table[ERROR_COLUMN]
            shade(axis, nu, total - error, total + error, "0.1")
            axis.set_title(f"{next(letters)}  {drawing.literal(title)}\n{drawing.literal(model)}", loc="left")
        row[0].set_ylabel(LABELS[column])
    for axis in axes[-1]:
        axis.set(xlim=(0, HIGHEST), xlabel=f"wavenumber (cm⁻¹), {line_width(resolution)}")
    axes[0, 0].legend(loc="upper center", bbox_to_anchor=(0.58, 1))
    return figure


@command
def main() -> None:
    """Draw the parts."""
    args = arguments(main.__doc__).parse_args()
    drawing.style(args.style)
    tables, models = grid(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    drawing.save(draw(tables, args.titles, models, args.resolution), args.out)


if __name__ == "__main__":
    main()
