"""Figure: time per step over the number of atoms, all variants (the paper's S1).

python -m bornflow.figures.timing --timing timing.csv --out f.pdf f.png
"""

import argparse

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..errors import command
from . import drawing

# Time per step [ms] of the published LOREM models on a GPU, over atoms (supporting figure S1).
PUBLISHED = {
    "lorem-uncoupled": {33: 1.16, 264: 3.58, 891: 10.8, 2112: 27.6, 4125: 63.8, 7128: 139.8},
    "lorem-local": {33: 9.24, 264: 25.1, 891: 58.1, 2112: 119.1, 4125: 229.3},
}
MARKS = {"uncoupled": "o", "global": "s", "local": "^"}


def draw(table: pd.DataFrame) -> Figure:
    """One line a model: colours are backbones, marks the way Born effective charges arise."""
    figure, axis = plt.subplots(figsize=(3.4, 3.0))
    colours = {"physical": "C0", "lorem": "C1"}
    for name, part in table.groupby("model"):
        part = part.sort_values("atoms")
        backbone, charges = part[["backbone", "charges"]].iloc[0]
        if backbone not in colours:  # another package's model
            axis.plot(part["atoms"], part["step [ms]"], "k--x", label=f"{name}, {charges}")
            continue
        axis.plot(
            part["atoms"],
            part["step [ms]"],
            color=colours[backbone],
            marker=MARKS[charges],
            label=name.replace("-", ", "),
        )
    for name, points in PUBLISHED.items():
        style = {"color": "0.6", "marker": MARKS[name.partition("-")[2]], "linewidth": 0}
        axis.plot(
            list(points), list(points.values()), label=f"published, GPU: {name.replace('-', ', ')}", **style
        )
    devices = ", ".join(sorted(set(table["device"])))
    axis.set(xscale="log", yscale="log", xlabel="atoms", ylabel="time per step (ms)")
    axis.set_title(f"lines: on {devices.replace('cpu', 'CPU')}", loc="left")
    axis.legend(fontsize=5.5, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.24), borderaxespad=0)
    return figure


@command
def main() -> None:
    """Draw the table of timings."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--timing", required=True)
    parser.add_argument("--style", default=drawing.STYLE)
    parser.add_argument("--out", nargs="+", required=True)
    args = parser.parse_args()
    drawing.style(args.style)
    drawing.save(draw(pd.read_csv(args.timing)), args.out)


if __name__ == "__main__":
    main()
