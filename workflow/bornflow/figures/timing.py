"""Figure: time per step over the number of atoms, all variants (the paper's S1).

python -m bornflow.figures.timing --timing timing.csv timing-h100.csv --out f.pdf f.png
"""

import argparse
import re
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..cli import command
from ..errors import BornflowError
from ..io import tables
from . import drawing

# Time per step [ms] of the published LOREM models on a GPU, over atoms (supporting figure S1).
PUBLISHED = {
    "lorem-uncoupled": {33: 1.16, 264: 3.58, 891: 10.8, 2112: 27.6, 4125: 63.8, 7128: 139.8},
    "lorem-local": {33: 9.24, 264: 25.1, 891: 58.1, 2112: 119.1, 4125: 229.3},
}
COLOURS = {"physical": "C0", "lorem": "C1"}  # of backbones
MARKS = {"uncoupled": "o", "global": "s", "local": "^"}
LINES = ("-", ":", "-.")  # of the devices, in the order of the tables


def draw(table: pd.DataFrame) -> Figure:
    """One line a model and device: colours are backbones, marks the way Born effective charges arise."""
    figure, axis = plt.subplots(figsize=(3.4, 3.0))
    lines = dict(zip(table["device"].unique(), cycle(LINES), strict=False))
    named = set()
    for (device, name), part in table.groupby(["device", "model"], sort=False):
        part = part.sort_values("atoms")
        backbone, charges = part[["backbone", "charges"]].iloc[0]
        style = {"linestyle": lines[device]}
        if backbone in COLOURS:
            label = name.replace("-", ", ")
            style |= {"color": COLOURS[backbone], "marker": MARKS[charges]}
        else:  # another package's model
            label = f"{name}, {charges}"
            style |= {"color": "k", "marker": "x"}
        axis.plot(
            part["atoms"],
            part["step [ms]"],
            label=None if label in named else drawing.literal(label),
            **style,
        )
        named.add(label)
    for name, points in PUBLISHED.items():
        style = {"color": "0.6", "marker": MARKS[name.partition("-")[2]], "linewidth": 0}
        axis.plot(
            list(points), list(points.values()), label=f"published, GPU: {name.replace('-', ', ')}", **style
        )
    for device, line in lines.items():
        axis.plot([], [], color="0.3", linestyle=line, label=f"on {drawing.literal(_named(device))}")
    axis.set(xscale="log", yscale="log", xlabel="atoms", ylabel="time per step (ms)")
    axis.legend(fontsize=5.5, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.24), borderaxespad=0)
    return figure


def read(path: str) -> pd.DataFrame:
    """A table of `dynamics.timing`. Raises BornflowError, also for charges that have no mark."""
    remedy = "make it again with dynamics.timing"
    texts = ("model", "backbone", "charges", "device")
    table = tables.read(path, remedy, positive=("atoms", "step [ms]"), texts=texts)
    for _, row in table.iterrows():
        if row["backbone"] in COLOURS and row["charges"] not in MARKS:
            raise BornflowError(
                f"{path}: charges of {row['model']} are '{row['charges']}', {', '.join(MARKS)} expected; "
                f"{remedy}"
            )
    return table


def _named(device: str) -> str:
    """A device as a legend names it, without maker and memory; jax calls every processor cpu."""
    return "CPU" if device == "cpu" else re.split(r" \d+GB", device.removeprefix("NVIDIA "))[0]


@command
def main() -> None:
    """Draw the table of timings."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--timing", nargs="+", required=True, help="tables, one for each device")
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True, type=drawing.picture)
    args = parser.parse_args()
    drawing.style(args.style)
    table = pd.concat(map(read, args.timing))
    table = table.drop_duplicates(["device", "model", "atoms"])  # of one device the first table's
    drawing.save(draw(table), args.out)


if __name__ == "__main__":
    main()
