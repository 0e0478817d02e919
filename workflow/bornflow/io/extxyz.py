"""Reader of extxyz files: a file is read completely, or rejected with file, frame, line and remedy.

    3                                                    how many atoms follow
    Properties=species:S:1:pos:R:3 energy=-17.2          the comment line (`comment.py`)
    O   0.000  0.000  0.117                              one row for each atom (`columns.py`)
    H   0.000  0.757 -0.470
    H   0.000 -0.757 -0.470

Empty lines between frames are allowed. Keys that describe the structure (`cell.py`) may be in upper or lower
case. The other keys are interpreted in `label_keys.py` and `normalise.py`. `extxyz_writer.py` writes files.
"""

import bz2
import contextlib
import gzip
import itertools
import logging
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..errors import BornflowError
from . import comment
from .cell import parse_cell, pop_structure_keys
from .columns import (
    POSITIONS,
    Column,
    Place,
    pop_atomic_numbers,
    pop_column,
    read_columns,
    set_constraints,
    set_masses,
)

logger = logging.getLogger(__name__)

MAX_ATOMS = 10**8


@dataclass
class RawFrame:
    """A structure with the keys of its file: values of the comment line are text, columns are arrays."""

    place: Place
    atoms: Atoms  # elements, positions, cell, masses and constraints, no labels
    info: dict[str, str]
    arrays: dict[str, Column]


def open_text(path: Path) -> TextIOWrapper:
    """Open a UTF-8 text file, compressed or not, for reading."""
    openers: dict[str, Callable[..., TextIOWrapper]] = {
        ".gz": gzip.open,
        ".bz2": bz2.open,
        ".xz": lzma.open,
    }
    return openers.get(path.suffix, open)(path, "rt", encoding="utf-8-sig")


def read(path: str | Path) -> Iterator[RawFrame]:
    """Read the frames of a file one by one. Raises BornflowError for the first fault."""
    path = Path(path)
    if not path.exists():
        raise BornflowError(f"{path}: no such file; correct the path")
    if path.is_dir():
        raise BornflowError(f"{path} is a folder; give an extxyz file")
    with _faults_of_files(path), open_text(path) as handle:
        yield from _read_frames(path, handle)


@contextlib.contextmanager
def _faults_of_files(path: Path) -> Iterator[None]:
    """Raise BornflowError for a file that is not text in UTF-8, or a compressed file that is damaged."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise BornflowError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}); save the file as UTF-8"
        ) from None
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise BornflowError(f"{path} is damaged: {error}; copy it again") from error
    except OSError as error:  # of bz2, which has no type of its own
        if error.errno is not None:
            raise
        raise BornflowError(f"{path} is damaged: {error}; copy it again") from error


def count(path: str | Path) -> int:
    """The number of frames in a file. Only the line with the number of atoms is checked in each."""
    path, frames, line = Path(path), 0, 0
    with _faults_of_files(path), open_text(path) as handle:
        for text in handle:
            line += 1
            if text.strip():
                atoms = _parse_number_of_atoms(text, Place(f"{path}, frame {frames}", line))
                line += sum(1 for _ in itertools.islice(handle, 1 + atoms))
                frames += 1
    return frames


def _parse_number_of_atoms(text: str, place: Place) -> int:
    """The number of atoms from the first line of a frame."""
    text = text.strip()
    if not re.fullmatch(r"[0-9]+", text):
        raise BornflowError(
            f"{place}: the number of atoms of the next frame is expected here, found '{text[:60]}'; correct "
            "it, or the number of atoms of the frame before"
        )
    digits = text.lstrip("0")
    if not digits:
        raise BornflowError(f"{place}: the frame has 0 atoms; remove it")
    if len(digits) > 9 or int(digits) > MAX_ATOMS:
        raise BornflowError(
            f"{place}: {text[:60]} atoms are more than the {MAX_ATOMS} that can be read; correct the number"
        )
    return int(digits)


def _read_frames(path: Path, handle: TextIOWrapper) -> Iterator[RawFrame]:
    line = 0
    for index in itertools.count():
        first = "\n"
        while first and not first.strip():
            first = handle.readline()
            line += 1
        if not first:
            return
        name = f"{path}, frame {index}"
        atoms = _parse_number_of_atoms(first, Place(name, line))
        comment_line = handle.readline()
        rows = list(itertools.islice(handle, atoms))
        if any("\0" in text for text in (comment_line, *rows)):
            raise BornflowError(
                f"{name}, line {line}: a NUL byte follows, which is not text: the file is damaged; "
                "copy it again"
            )
        if rows and not rows[-1].endswith("\n"):
            logger.warning(f"{path} has no line break at its end: its last line may be cut")
        if not comment_line or len(rows) < atoms:
            raise BornflowError(
                f"{name}: line {line} announces {atoms} atoms, but the file ends after {len(rows)} of them; "
                "the file is cut (copy it again) or the number is wrong (correct it)"
            )
        yield _parse_frame(Place(name, line + 1), comment_line.strip(), rows)
        line += 1 + atoms


def _parse_frame(place: Place, comment_line: str, rows: list[str]) -> RawFrame:
    try:
        # Without `=` it is the free text of a plain XYZ file.
        info = comment.parse(comment_line) if "=" in comment_line else {}
    except BornflowError as error:
        raise BornflowError(f"{place}: the comment line cannot be read: {error}") from None
    structure = pop_structure_keys(info, place)
    arrays = read_columns(structure.get("Properties"), rows, place)
    numbers = pop_atomic_numbers(arrays, place)
    positions = _pop_positions(arrays, place)
    cell, pbc = parse_cell(structure, place)
    atoms = Atoms(numbers, positions, cell=cell, pbc=pbc)
    set_constraints(atoms, arrays, place)
    set_masses(atoms, arrays, place)
    return RawFrame(place, atoms, info, arrays)


def _pop_positions(arrays: dict[str, Column], place: Place) -> Float[np.ndarray, "atoms 3"]:
    positions = pop_column(arrays, POSITIONS, place)
    if positions is None or positions.shape[1:] != (3,) or positions.dtype.kind not in "if":
        raise BornflowError(f"{place}: Properties names no positions; add the columns pos:R:3")
    positions = positions.astype(float)
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        raise BornflowError(
            f"{place.row(int(np.argmin(finite)))}: the position is not finite; correct or remove the frame"
        )
    return positions
