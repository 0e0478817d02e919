"""What all figures share: the style, and saving as PDF and PNG."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..files import whole

KINDS = {"bulk": "bulk", "cluster": "clusters"}  # of structures, as figures call them
STYLE = Path(__file__).with_name("bornflow.mplstyle")


def style(path: str | Path = STYLE) -> None:
    """Switch the style on."""
    plt.style.use(str(path))


def save(figure: Figure, paths: Sequence[str | Path]) -> None:
    """Write a figure to each path, in the format of its suffix, without a date inside."""
    for path in paths:
        with whole(path) as scratch:
            metadata = {"CreationDate": None} if Path(path).suffix == ".pdf" else {"Software": None}
            figure.savefig(scratch, metadata=metadata)
    plt.close(figure)
