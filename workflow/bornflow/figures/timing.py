"""Figure: time per step against the number of atoms, for all variants (supporting figure S1 of the paper).

python -m bornflow.figures.timing --timing timing.csv timing-h100.csv --out f.pdf f.png
"""

import re
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from .. import cli
from ..errors import BornflowError
from ..io import tables
from . import drawing

# Time per step [ms] of the published LOREM models on a GPU, by number of atoms (supporting figure S1).
PUBLISHED = {
    "lorem-uncoupled": {33: 1.16, 264: 3.58, 891: 10.8, 2112: 27.6, 4125: 63.8, 7128: 139.8},
    "lorem-local": {33: 9.24, 264: 25.1, 891: 58.1, 2112: 119.1, 4125: 229.3},
}
COLOURS = {"physical": "C0", "lorem": "C1"}  # of backbones
MARKS = {"uncoupled": "o", "global": "s", "local": "^"}
PEER_MARKS = {"lorem-jax": "x", "charge-nep": "+", "nep": "1", "mace": "2"}  # of other packages
LINES = ("-", ":", "-.")  # of devices, in the order of the tables


def draw(table: pd.DataFrame) -> Figure:
    """One line per model and device. Colour: backbone; marker: origin of Born effective charges."""
    figure, axis = plt.subplots(figsize=(3.4, 3.0))
    lines = dict(zip(table["device"].unique(), cycle(LINES), strict=False))
    labelled = set()
    for (device, name), rows in table.groupby(["device", "model"], sort=False):
        rows = rows.sort_values("atoms")
        label, style = _style(name, *rows[["backbone", "charges"]].iloc[0])
        shown = None if label in labelled else drawing.literal(label)
        axis.plot(rows["atoms"], rows["step [ms]"], linestyle=lines[device], label=shown, **style)
        labelled.add(label)
    for name, points in PUBLISHED.items():
        marker = MARKS[name.partition("-")[2]]
        label = f"published, GPU: {name.replace('-', ', ')}"
        axis.plot(list(points), list(points.values()), color="0.6", marker=marker, linewidth=0, label=label)
    for device, line in lines.items():
        label = f"on {drawing.literal(_device_label(device))}"
        axis.plot([], [], color="0.3", linestyle=line, label=label)
    axis.set(xscale="log", yscale="log", xlabel="atoms", ylabel="time per step (ms)")
    axis.legend(fontsize=5.5, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.24), borderaxespad=0)
    return figure


def _style(name: str, backbone: str, charges: str) -> tuple[str, dict[str, Any]]:
    """Label, colour and marker of a model; other packages are black."""
    if backbone in COLOURS:
        return name.replace("-", ", "), {"color": COLOURS[backbone], "marker": MARKS[charges]}
    label = f"{name}, no Born effective charges" if charges == "none" else f"{name}, {charges}"
    return label, {"color": "k", "marker": PEER_MARKS.get(name, "x")}


def read(path: str) -> pd.DataFrame:
    """A table of `benchmarks.dynamics`. Raises BornflowError, also for charges without a marker."""
    remedy = "make it again with benchmarks.dynamics"
    texts = ("model", "backbone", "charges", "device")
    table = tables.read(path, remedy, positive=("atoms", "step [ms]"), texts=texts)
    for _, row in table.iterrows():
        if row["backbone"] in COLOURS and row["charges"] not in MARKS:
            raise BornflowError(
                f"{path}: charges of {row['model']} are '{row['charges']}', {', '.join(MARKS)} expected; "
                f"{remedy}"
            )
    return table


def _device_label(device: str) -> str:
    """The name of a device without manufacturer and memory; jax calls every processor cpu."""
    return "CPU" if device == "cpu" else re.split(r" \d+GB", device.removeprefix("NVIDIA "))[0]


@cli.command
def main() -> None:
    """Draw the time per step."""
    args = drawing.parse(main, timing=cli.options("tables of timings; of one device the first table counts"))
    table = pd.concat(map(read, args.timing))
    table = table.drop_duplicates(["device", "model", "atoms"])
    drawing.save(draw(table), args.out)


if __name__ == "__main__":
    main()
