"""Figures: how labels depend on the settings of their calculation, one figure a study.

python -m bornflow.figures.label_studies --study convergence --table convergence.csv --out f.pdf f.png
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import config
from ..cli import command
from ..errors import BornflowError
from ..io import tables
from . import drawing

FORCE, CHARGE, FIELD, CELL = "force_difference [meV/Å]", "bec_difference [e]", "field", "cell [Å]"
MARKS = "osD^v<>p"
OPERATORS = {"berry": "Berry phase", "position": r"$E\cdot r$"}
UNITS = {"cutoff": "Ry", "force_cutoff": "Ry", "rel_cutoff": "Ry", "vacuum": "Å", "field": "a.u."}
LIMITS = {FORCE: 10.0, CHARGE: 0.005}  # what labels may be off by


def convergence(table: pd.DataFrame) -> Figure:
    """Differences of forces and Born effective charges from tight settings, one row a setting changed."""
    usual = table.iloc[0]
    options = list(table.columns[1 : list(table).index("operator")])
    names = [_changes(row, usual, options) for _, row in table.iterrows()]
    rows = list(dict.fromkeys(names))
    size = (6.8, 0.9 + 0.19 * len(rows))
    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, gridspec_kw={"wspace": 0.06})
    for number, (structure, part) in enumerate(table.groupby("structure", sort=False)):
        heights = [-rows.index(names[index]) for index in part.index]
        for axis, column in zip(axes, (FORCE, CHARGE), strict=True):
            style = {"color": f"C{number}", "label": drawing.literal(structure), "alpha": 0.8}
            axis.plot(part[column], heights, _mark(number), **style)
    for letter, axis, label, column in zip(
        "ab",
        axes,
        ("largest difference of forces (meV/Å)", r"largest difference of $Z$ (e)"),
        LIMITS,
        strict=True,
    ):
        axis.axvline(LIMITS[column], color="0.5", linestyle="--", linewidth=0.7)
        axis.set(xscale="log", xlabel=label, yticks=-np.arange(len(rows)), yticklabels=rows)
        drawing.plain_numbers(axis.xaxis)
        axis.grid(axis="y", linewidth=0.3, color="0.9")
        axis.set_title(letter, loc="left")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=6)
    return figure


def _mark(number: int) -> str:
    return MARKS[number % len(MARKS)]


def _changes(row: pd.Series, usual: pd.Series, options: list[str]) -> str:
    changed = {key: row[key] for key in options if row[key] != usual[key]}
    if changed.get("cutoff") == changed.get("force_cutoff"):
        changed.pop("force_cutoff", None)  # one grid for all runs
    words = [
        drawing.literal(value) if isinstance(value, str) else f"{key} {value:g} {UNITS.get(key, '')}".rstrip()
        for key, value in changed.items()
    ]
    return ", ".join(words) or "settings of the labels"


def field_strength(table: pd.DataFrame) -> Figure:
    """Born effective charges over the field's magnitude, and how far they are from the reference."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 2.6))
    usual = config.complete({})["labels"]["cp2k"]["field"]
    elements = [column for column in table if column.startswith("bec_") and column != CHARGE]
    for number, (structure, part) in enumerate(table.groupby("structure", sort=False)):
        part = part.sort_values(FIELD)
        for colour, column in enumerate(elements):
            symbol = column.removeprefix("bec_").split()[0]
            style = {"color": f"C{colour}", "marker": _mark(number)}
            left.plot(part[FIELD], part[column], label=f"{symbol}, {drawing.literal(structure)}", **style)
        style = {"color": f"C{number + 2}", "marker": _mark(number), "label": drawing.literal(structure)}
        right.plot(part[FIELD], part[CHARGE], **style)
    left.set(ylabel=r"mean of tr $Z_i$ / 3 (e)")
    right.set(yscale="log", ylabel=r"largest difference of $Z$ (e)")
    for letter, axis in zip("ab", (left, right), strict=True):
        axis.axvline(usual, color="0.6", linestyle="--", linewidth=0.7)
        axis.set(xscale="log", xlabel="field (a.u.)")
        axis.set_title(letter, loc="left")
        axis.legend(fontsize=6)
    return figure


def field_operator(table: pd.DataFrame) -> Figure:
    """The error of Born effective charges over the cell's edge: Berry phase against E·r."""
    figure, axis = plt.subplots()
    for number, (kind, part) in enumerate(table.groupby("operator")):
        part = part.sort_values(CELL)
        axis.plot(part[CELL], part[CHARGE], color=f"C{number}", marker=_mark(number), label=OPERATORS[kind])
    berry = table[table["operator"] == "berry"].sort_values(CELL)
    edges = np.linspace(berry[CELL].min(), berry[CELL].max(), 50)
    guide = berry[CHARGE].iloc[-1] * (berry[CELL].iloc[-1] / edges) ** 2
    axis.plot(edges, guide, color="0.5", linestyle=":", label=r"$\propto 1/L^2$")
    axis.set(xscale="log", yscale="log", xlabel="edge of the cell, L (Å)")
    axis.set(ylabel=r"largest difference of $Z$ (e)")
    ticks = sorted(table[CELL].unique())
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=6)
    axis.minorticks_off()
    axis.set_title(drawing.literal(", ".join(table["structure"].unique())), loc="left")
    axis.legend()
    return figure


# Columns of numbers that each figure draws.
NEEDED = {"convergence": (FORCE, CHARGE), "field_strength": (FIELD, CHARGE), "field_operator": (CELL, CHARGE)}
STUDIES = {draw.__name__: draw for draw in (convergence, field_strength, field_operator)}


def read(path: str, study: str) -> pd.DataFrame:
    """The rows of a table of `labels.study` whose label was accepted, without a gap in what is drawn."""
    remedy = "make it again with labels.study"
    drawn = NEEDED[study]
    table = tables.read(path, remedy, sparse=drawn, texts=["structure", "operator"], notes=["rejected"])
    table = table[table["rejected"] == ""].drop(columns="rejected").reset_index(drop=True)
    if table.empty:
        raise BornflowError(f"{path} holds no label that was accepted; there is nothing to draw")
    for name in drawn:
        gaps = table[name].isna() if name in table else np.ones(len(table), bool)
        if np.any(gaps):
            structure = table["structure"][int(np.argmax(gaps))]
            raise BornflowError(f"{path}: '{name}' of {structure} is missing, a number expected; {remedy}")
    odd = sorted(set(table["operator"]) - set(OPERATORS))
    if odd:
        raise BornflowError(f"{path}: operator is '{odd[0]}', {' or '.join(OPERATORS)} expected; {remedy}")
    if study == "field_operator" and "berry" not in set(table["operator"]):
        raise BornflowError(f"{path} holds no label with the Berry phase; there is nothing to draw")
    return table


@command
def main() -> None:
    """Draw the table of one study."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--study", required=True, choices=sorted(STUDIES))
    parser.add_argument("--table", required=True)
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    table = read(args.table, args.study)
    drawing.style(args.style)
    drawing.save(STUDIES[args.study](table), args.out)


if __name__ == "__main__":
    main()
