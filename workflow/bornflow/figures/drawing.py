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
from ..io import documents
from ..io.files import atomic_write

T = TypeVar("T")

# Formats a figure is written in, and what keeps its date or version out of the file.
FORMATS: dict[str, dict[str, None] | None] = {
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".eps": None,  # has the date in it
    ".jpg": None,
    ".tif": None,
    ".webp": None,
}
KINDS = {"bulk": "bulk", "cluster": "clusters"}  # of structures, as figures call them
STYLE = Path(__file__).with_name("bornflow.mplstyle")


def style(path: str | Path = STYLE) -> None:
    """Switch the style on. Raises BornflowError for a file that matplotlib cannot read."""
    documents.read_text(path, "give another --style")  # matplotlib says nothing of one in another encoding
    try:
        plt.style.use(str(path))
    except (OSError, ValueError) as error:
        raise BornflowError(f"{path} is no style of matplotlib: {' '.join(str(error).split())}") from error


def picture(path: str) -> str:
    """The path, whose suffix says a format that can be written; for `--out`, so before any work."""
    if Path(path).suffix.lower() not in FORMATS:
        raise BornflowError(
            f"--out {path}: figures are written as {', '.join(FORMATS)}; give the name one of these endings"
        )
    return path


def literal(text: str) -> str:
    """Text of a user as it stands: matplotlib would take what is between two $ as a formula, and leave out
    of a legend what begins with an underscore."""
    return ("\N{ZERO WIDTH SPACE}" if text.startswith("_") else "") + text.replace("$", r"\$")


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
    """Write a figure to each path, in the format of its suffix (FORMATS), each time the same."""
    for path in paths:
        metadata = FORMATS[Path(picture(str(path))).suffix.lower()]
        with atomic_write(path) as scratch, plt.rc_context({"svg.hashsalt": "bornflow"}):
            figure.savefig(scratch, metadata=metadata)
    plt.close(figure)
