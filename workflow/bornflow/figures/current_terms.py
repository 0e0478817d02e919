"""Figure: the terms of the current, static charges and charge flux, in the spectra of coupled models.

    python -m bornflow.figures.current_terms --spectra a.csv b.csv --titles "bulk, 300 K" \\
        --models physical-global physical-local --resolution 20 --out f.pdf f.png
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli
from ..errors import BornflowError
from ..spectra.susceptibility import ERROR_COLUMN, TERM_ERRORS, TERMS, WAVENUMBER_COLUMN
from . import drawing
from .spectrum import OPTIONS, drawn_column, line_width, read_panels, shade
from .spectrum_linear import HIGHEST, LABELS, factor

NAMES = dict(zip(TERMS, ("static charges", "charge flux", "cross term"), strict=True))


def draw(
    tables: Sequence[Sequence[pd.DataFrame]], titles: Sequence[str], models: Sequence[str], resolution: float
) -> Figure:
    """A row for each title and a column for each model; `tables[title][model]` contain the terms.

    `resolution` [cm⁻¹] gives the line width in the axis label. Raises BornflowError for a model that is not
    coupled.
    """
    size = (6.8 if len(models) > 1 else 3.4, 2.1 * len(titles))
    figure, axes = plt.subplots(
        len(titles), len(models), figsize=size, squeeze=False, sharex=True, sharey="row"
    )
    letters = drawing.letters()
    for row, panels, title in zip(axes, tables, titles, strict=True):
        for axis, table, model in zip(row, panels, models, strict=True):
            missing = [term for term in TERMS if term not in table]
            if missing:
                raise BornflowError(
                    f"the spectrum of {title}, {model} has no {missing[0]}: not a coupled model; leave it out"
                )
            _panel(axis, table)
            axis.set_title(f"{next(letters)}  {drawing.literal(title)}\n{drawing.literal(model)}", loc="left")
        row[0].set_ylabel(LABELS[drawn_column(panels[0])])
    for axis in axes[-1]:
        axis.set(xlim=(0, HIGHEST), xlabel=f"wavenumber (cm⁻¹), {line_width(resolution)}")
    drawing.legend_above(figure, axes.flat)
    return figure


def _panel(axis: Axes, table: pd.DataFrame) -> None:
    """The terms of one spectrum and their sum, with standard errors."""
    nu = table[WAVENUMBER_COLUMN]
    scale = factor(drawn_column(table), nu)
    curves = {
        term: (scale * table[term], table[error]) for term, error in zip(TERMS, TERM_ERRORS, strict=True)
    }
    axis.axhline(0, color="0.7", linewidth=0.5)
    for number, (term, (y, error)) in enumerate(curves.items()):
        axis.plot(nu, y, color=f"C{number}", label=NAMES[term])
        shade(axis, nu, y - scale * error, y + scale * error, f"C{number}")
    total, error = scale * table[list(TERMS)].sum(axis=1), scale * table[ERROR_COLUMN]
    axis.plot(nu, total, color="0.1", linewidth=0.7, label="sum")
    shade(axis, nu, total - error, total + error, "0.1")


@cli.command
def main() -> None:
    """Draw the terms of the current."""
    args = drawing.parse(main, **OPTIONS)
    tables, models = read_panels(args.spectra, args.titles, args.models), list(dict.fromkeys(args.models))
    drawing.save(draw(tables, args.titles, models, args.resolution), args.out)


if __name__ == "__main__":
    main()
