"""Figures: how labels depend on the settings of their calculation, one figure per study.

python -m bornflow.figures.label_studies --study convergence --table convergence.csv --out f.pdf f.png
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import cli, config
from ..errors import BornflowError
from ..io import tables
from . import drawing

FORCE, CHARGE, FIELD, CELL = "force_difference [meV/Å]", "bec_difference [e]", "field", "cell [Å]"
AXIS_LABELS = {
    FORCE: "largest difference of forces (meV/Å)",
    CHARGE: r"largest difference of $Z$ (e)",
    FIELD: "field (a.u.)",
    CELL: "edge of the cell, L (Å)",
}
MARKS = "osD^v<>p"
OPERATORS = {"berry": "Berry phase", "position": r"$E\cdot r$"}
UNITS = {"cutoff": "Ry", "force_cutoff": "Ry", "rel_cutoff": "Ry", "vacuum": "Å", "field": "a.u."}
LIMITS = {FORCE: 10.0, CHARGE: 0.005}  # acceptable errors of labels, drawn dashed


def convergence(table: pd.DataFrame) -> Figure:
    """Differences of forces and Born effective charges from tight settings, one row per setting."""
    options = list(table.columns[1 : list(table).index("operator")])
    names = [_changes(row, table.iloc[0], options) for _, row in table.iterrows()]
    rows = list(dict.fromkeys(names))
    size = (6.8, 0.9 + 0.19 * len(rows))
    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, gridspec_kw={"wspace": 0.06})
    for number, (structure, cases) in enumerate(table.groupby("structure", sort=False)):
        heights = [-rows.index(names[index]) for index in cases.index]
        for axis, column in zip(axes, LIMITS, strict=True):
            label = drawing.literal(str(structure))
            axis.plot(cases[column], heights, _mark(number), color=f"C{number}", label=label, alpha=0.8)
    for letter, axis, (column, limit) in zip("ab", axes, LIMITS.items(), strict=True):
        axis.axvline(limit, color="0.5", linestyle="--", linewidth=0.7)
        axis.set(xscale="log", xlabel=AXIS_LABELS[column])
        axis.set_yticks(-np.arange(len(rows)), rows)
        drawing.plain_numbers(axis.xaxis)
        axis.grid(axis="y", linewidth=0.3, color="0.9")
        axis.set_title(letter, loc="left")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=6)
    return figure


def _mark(number: int) -> str:
    return MARKS[number % len(MARKS)]


def _changes(row: pd.Series, default: pd.Series, options: Sequence[str]) -> str:
    """The settings of a row that differ from those of the labels (first row of the table)."""
    changed = {key: row[key] for key in options if row[key] != default[key]}
    if changed.get("cutoff") == changed.get("force_cutoff"):
        changed.pop("force_cutoff", None)  # one grid for all runs
    words = [
        drawing.literal(value) if isinstance(value, str) else f"{key} {value:g} {UNITS.get(key, '')}".rstrip()
        for key, value in changed.items()
    ]
    return ", ".join(words) or "settings of the labels"


def field_strength(table: pd.DataFrame) -> Figure:
    """Born effective charges against the magnitude of the field, and their distance from the reference."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 2.6))
    default = config.complete({})["labels"]["cp2k"]["field"]
    elements = [column for column in table if column.startswith("bec_") and column != CHARGE]
    for number, (structure, cases) in enumerate(table.groupby("structure", sort=False)):
        cases, label = cases.sort_values(FIELD), drawing.literal(str(structure))
        for color, column in enumerate(elements):
            symbol = column.removeprefix("bec_").split()[0]
            curve = {"color": f"C{color}", "label": f"{symbol}, {label}"}
            _curve(left, cases, FIELD, column, number, curve)
        _curve(right, cases, FIELD, CHARGE, number, {"color": f"C{number + 2}", "label": label})
    left.set(ylabel=r"mean of tr $Z_i$ / 3 (e)")
    right.set(yscale="log", ylabel=AXIS_LABELS[CHARGE])
    for letter, axis in zip("ab", (left, right), strict=True):
        axis.axvline(default, color="0.6", linestyle="--", linewidth=0.7)
        axis.set(xscale="log", xlabel=AXIS_LABELS[FIELD])
        axis.set_title(letter, loc="left")
        axis.legend(fontsize=6)
    return figure


def field_operator(table: pd.DataFrame) -> Figure:
    """The error of Born effective charges against the edge of the cell: Berry phase and E·r."""
    figure, axis = plt.subplots()
    for number, (operator, cases) in enumerate(table.groupby("operator")):
        curve = {"color": f"C{number}", "label": OPERATORS[str(operator)]}
        _curve(axis, cases.sort_values(CELL), CELL, CHARGE, number, curve)
    berry = table[table["operator"] == "berry"].sort_values(CELL)
    edges = np.linspace(berry[CELL].min(), berry[CELL].max(), 50)
    guide = berry[CHARGE].iloc[-1] * (berry[CELL].iloc[-1] / edges) ** 2
    axis.plot(edges, guide, color="0.5", linestyle=":", label=r"$\propto 1/L^2$")
    axis.set(xscale="log", yscale="log", xlabel=AXIS_LABELS[CELL], ylabel=AXIS_LABELS[CHARGE])
    ticks = sorted(table[CELL].unique())
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=6)
    axis.minorticks_off()
    axis.set_title(drawing.literal(", ".join(table["structure"].unique())), loc="left")
    axis.legend()
    return figure


def _curve(axis: Axes, cases: pd.DataFrame, x: str, y: str, number: int, style: Mapping[str, str]) -> None:
    """Column `y` against column `x`, with the marker of number `number`."""
    axis.plot(cases[x], cases[y], marker=_mark(number), color=style["color"], label=style["label"])


STUDIES = {draw.__name__: draw for draw in (convergence, field_strength, field_operator)}
# Columns of numbers that each figure draws.
NEEDED = {"convergence": (FORCE, CHARGE), "field_strength": (FIELD, CHARGE), "field_operator": (CELL, CHARGE)}


def read(path: str, study: str) -> pd.DataFrame:
    """The accepted labels of a table of `labels.study`.

    Raises BornflowError if a number is missing that the figure needs, or if there is no label to draw.
    """
    remedy = "make it again with labels.study"
    drawn = NEEDED[study]
    table = tables.read(path, remedy, sparse=drawn, texts=["structure", "operator"], notes=["rejected"])
    table = table[table["rejected"] == ""].drop(columns="rejected").reset_index(drop=True)
    if table.empty:
        raise BornflowError(f"{path} contains no accepted label, so the figure cannot be drawn")
    for name in drawn:
        gaps = table[name].isna() if name in table else np.ones(len(table), bool)
        if np.any(gaps):
            structure = table["structure"][int(np.argmax(gaps))]
            raise BornflowError(f"{path}: '{name}' of {structure} is missing, a number expected; {remedy}")
    unknown = sorted(set(table["operator"]) - set(OPERATORS))
    if unknown:
        raise BornflowError(
            f"{path}: operator is '{unknown[0]}', {' or '.join(OPERATORS)} expected; {remedy}"
        )
    if study == "field_operator" and "berry" not in set(table["operator"]):
        raise BornflowError(f"{path} contains no label with the Berry phase, so the figure cannot be drawn")
    return table


@cli.command
def main() -> None:
    """Draw the table of one study of label settings."""
    args = drawing.parse(
        main,
        study=cli.option("the study", choices=sorted(STUDIES)),
        table=cli.option("its table, from labels.study"),
    )
    drawing.save(STUDIES[args.study](read(args.table, args.study)), args.out)


if __name__ == "__main__":
    main()
