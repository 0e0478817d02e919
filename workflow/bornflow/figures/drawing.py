"""Functions of all figures: command line, style, panel letters, and saving in several formats."""

import argparse
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, product
from pathlib import Path
from typing import Any, TypeVar

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from .. import cli
from ..errors import BornflowError
from ..io import documents, frames
from ..io.files import atomic_write

T = TypeVar("T")

# Formats of figures, and metadata that must be fixed because they differ from run to run.
FORMATS: dict[str, dict[str, None] | None] = {
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".eps": None,  # contains the date
    ".jpg": None,
    ".tif": None,
    ".webp": None,
}
KINDS = {"bulk": "bulk", "cluster": "clusters"}  # names of structures on figures
STYLE = Path(__file__).with_name("bornflow.mplstyle")


def parse(main: Callable[[], None], **own: Mapping[str, Any]) -> argparse.Namespace:
    """The arguments of a figure's program: its `own` options, `--style`, which is applied, and `--out`.

    Figures are drawn without a window, whatever backend the environment asks for.
    """
    plt.switch_backend("Agg")
    args = cli.parse(
        main,
        **own,
        style=cli.option("style file of matplotlib", STYLE),
        out=cli.options(f"files to write ({', '.join(FORMATS)})", type=picture),
    )
    style(args.style)
    return args


def style(path: str | Path = STYLE) -> None:
    """Apply a style alone, without the user's matplotlibrc.

    Raises BornflowError for a file that matplotlib cannot read.
    """
    documents.read_text(path, "give another --style")  # matplotlib does not report a wrong encoding
    plt.rcdefaults()
    try:
        plt.style.use(str(path))
    except (OSError, ValueError) as error:
        raise BornflowError(
            f"{path} is not a style of matplotlib: {' '.join(str(error).split())}; give another --style"
        ) from error


def picture(path: str) -> str:
    """The path, if its suffix is one of FORMATS: the type of `--out`, checked before any work is done."""
    if Path(path).suffix.lower() not in FORMATS:
        raise BornflowError(
            f"--out {path}: figures are written as {', '.join(FORMATS)}; give the name one of these endings"
        )
    return path


def legend_above(figure: Figure, axes: Iterable[Axes]) -> None:
    """One legend for all `axes` above the figure, where it covers no curve; equal labels are listed once."""
    entries: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    widest = max(map(len, entries), default=1)
    columns = max(1, int(figure.get_figwidth() * 12 / (widest + 6)))  # about 12 letters fit on an inch
    figure.legend(
        [*entries.values()], [*entries], loc="outside upper center", ncols=min(columns, len(entries) or 1)
    )


def literal(text: str) -> str:
    """A user's text, changed so that it is drawn literally.

    matplotlib reads text between two $ as a formula, and omits labels that begin with an underscore from
    legends.
    """
    return ("\N{ZERO WIDTH SPACE}" if text.startswith("_") else "") + text.replace("$", r"\$")


def letters() -> Iterator[str]:
    """Letters of the panels: a … z, aa, ab …"""
    for length in count(1):
        yield from map("".join, product(string.ascii_lowercase, repeat=length))


def by_model(models: Sequence[str], paths: Sequence[str], read: Callable[[str], T]) -> dict[str, list[T]]:
    """The results of `read` by model, one for each seed; `models` names the model of each path."""
    if len(models) != len(paths):
        raise BornflowError(
            f"{len(paths)} files for {len(models)} names of models; give a name for each file"
        )
    results: dict[str, list[T]] = {}
    for model, path in zip(models, paths, strict=True):
        results.setdefault(model, []).append(read(path))
    return results


def per_atom(structures: Sequence[Atoms], key: str) -> Float[np.ndarray, "atoms ..."]:
    """The labels `key` of all atoms, for structures that have them: forces [eV/Å] or bec [e]."""
    return np.concatenate([np.asarray(frames.label(atoms, key)) for atoms in structures])


def plain_numbers(axis: Axis, steps: Sequence[float] = (1, 2, 5)) -> None:
    """Label a logarithmic axis of one or two decades with plain numbers: `steps` times powers of ten."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def save(figure: Figure, paths: Sequence[str | Path]) -> None:
    """Write a figure to each path, in the format of its suffix (FORMATS). Equal figures give equal files."""
    for path in paths:
        metadata = FORMATS[Path(picture(str(path))).suffix.lower()]
        with atomic_write(path) as scratch, plt.rc_context({"svg.hashsalt": "bornflow"}):
            figure.savefig(scratch, metadata=metadata)
    plt.close(figure)
