"""Figure: the structures chosen from a pool, and how well they cover it compared with a random choice.

python -m bornflow.figures.selection --map map.csv --coverage coverage.csv --title "trimer" --out f.pdf f.png
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import cli
from ..errors import BornflowError
from ..io import tables
from ..structures.columns import FARTHEST, PICK, RANDOM
from . import drawing

REMEDY = "make it again (structures.select)"


def draw(places: pd.DataFrame, coverage: pd.DataFrame, title: str) -> Figure:
    """Principal components of all candidates, and the covering radius against the number of picks.

    `places` and `coverage` are the tables of `structures.select`. Raises BornflowError for empty ones.
    """
    if places.empty or coverage.empty:
        raise BornflowError("the tables are empty, since all structures of the pool are selected")
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 2.6))
    chosen = places[places[PICK].notna()]
    left.plot(
        places["pc1"], places["pc2"], ".", color="0.75", markersize=3, label="candidates", rasterized=True
    )
    left.plot(chosen["pc1"], chosen["pc2"], ".", color="C1", markersize=3.5, label="chosen")
    left.set(xlabel="first principal component", ylabel="second principal component")
    left.set_title(f"a  {drawing.literal(title)}", loc="left")
    left.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    for column, line in ((RANDOM, "0.5"), (FARTHEST, "C1")):
        right.plot(coverage[PICK], coverage[column], color=line, label=column)
    right.set(xlabel="structures chosen", ylabel="covering radius", ylim=(0, None))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_title("b", loc="left")
    right.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    return figure


@cli.command
def main() -> None:
    """Draw the selection from one pool."""
    args = drawing.parse(
        main,
        map=cli.option("table of candidates, from structures.select"),
        coverage=cli.option("table of covering radii, from structures.select"),
        title=cli.option("name of the pool"),
    )
    places = tables.read(args.map, REMEDY, numbers=("pc1", "pc2"), sparse=(PICK,), texts=("structure",))
    coverage = tables.read(args.coverage, REMEDY, numbers=(PICK, FARTHEST, RANDOM))
    drawing.save(draw(places, coverage, args.title), args.out)


if __name__ == "__main__":
    main()
