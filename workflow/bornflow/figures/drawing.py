"""What all figures share: the style, and saving as PDF and PNG."""

import string
from collections.abc import Callable, Iterator, Sequence
from itertools import count, product
from pathlib import Path
from typing import TypeVar

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..errors import BornflowError
from ..io.files import atomic_write

T = TypeVar("T")

KINDS = {"bulk": "bulk", "cluster": "clusters"}  # of structures, as figures call them
STYLE = Path(__file__).with_name("bornflow.mplstyle")


def style(path: str | Path = STYLE) -> None:
    """Switch the style on."""
    plt.style.use(str(path))


def letters() -> Iterator[str]:
    """Names of panels: a … z, aa, ab …"""
    for length in count(1):
        yield from map("".join, product(string.ascii_lowercase, repeat=length))


def by_model(models: Sequence[str], paths: Sequence[str], read: Callable[[str], T]) -> dict[str, list[T]]:
    """What `read` makes of the files of each model, one for each seed; `models` names that of each file."""
    if len(models) != len(paths):
        raise BornflowError(f"{len(paths)} files for {len(models)} names of models")
    found: dict[str, list[T]] = {}
    for model, path in zip(models, paths, strict=True):
        found.setdefault(model, []).append(read(path))
    return found


def plain_numbers(axis: Axis, steps: Sequence[float] = (1, 2, 5)) -> None:
    """Label a logarithmic axis of a decade or two with plain numbers at these multiples of powers of ten."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def save(figure: Figure, paths: Sequence[str | Path]) -> None:
    """Write a figure to each path, in the format of its suffix, without a date inside."""
    for path in paths:
        with atomic_write(path) as scratch:
            metadata = {"CreationDate": None} if Path(path).suffix == ".pdf" else {"Software": None}
            figure.savefig(scratch, metadata=metadata)
    plt.close(figure)
