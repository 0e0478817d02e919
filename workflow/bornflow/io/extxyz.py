"""extxyz files: read whole, or rejected with file, frame, line and remedy; written so that they read back.

Every line of a file belongs to a frame: a count, a comment line (`comment.py`), and one line for each atom
with the columns that `Properties` names. Blank lines may stand between frames. Names of keys that make up the
structure (Lattice, Properties, pbc) may be in any case. What values mean to bornflow is the business of
`frames.py`.
"""

import bz2
import difflib
import gzip
import itertools
import lzma
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian

from ..errors import BornflowError
from . import columns, comment, dialects
from .files import atomic_write

OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# The comment line's keys that make up the structure.
STRUCTURE = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
RENAMED = {"charges": "charge"}  # arrays of ASE that have another name in files
MOST_ATOMS = 10**8


@dataclass
class Frame:
    """A structure as the file has it: values of the comment line are text, columns are arrays."""

    place: str  # file and frame, for messages
    line: int  # of its comment
    atoms: Atoms  # elements, positions, cell and constraints, no labels
    info: dict[str, str]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)  # [N] or [N, columns]


def open_text(path: Path) -> TextIOWrapper:
    """A text file, compressed or not, for reading."""
    return OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8-sig")


def read(path: str | Path) -> Iterator[Frame]:
    """The frames of a file, one after the other. Raises BornflowError for the first thing that is wrong."""
    path = Path(path)
    if not path.exists():
        raise BornflowError(f"{path}: no such file")
    if path.is_dir():
        raise BornflowError(f"{path} is a folder; an extxyz file is needed")
    try:
        with open_text(path) as handle:
            yield from _frames(path, handle)
    except UnicodeDecodeError as error:
        raise BornflowError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}); convert it"
        ) from None
    except (gzip.BadGzipFile, lzma.LZMAError, EOFError) as error:
        raise BornflowError(f"{path} is damaged: {error}; copy it again") from error


def count(path: str | Path) -> int:
    """How many frames a file holds, by their counts of atoms alone."""
    path, found, line = Path(path), 0, 0
    with open_text(path) as handle:
        for text in handle:
            line += 1
            if text.strip():
                skipped = sum(
                    1
                    for _ in itertools.islice(handle, 1 + _atoms(text, f"{path}, frame {found}, line {line}"))
                )
                line += skipped
                found += 1
    return found


def _atoms(text: str, place: str) -> int:
    """The number of atoms that a line gives."""
    if not re.fullmatch(r"[0-9]+", text.strip()):
        raise BornflowError(
            f"{place}: the number of atoms of the next frame is expected, found '{text.strip()[:60]}'; a "
            "frame before may have more lines than it says"
        )
    digits = text.strip().lstrip("0")
    if not digits:
        raise BornflowError(f"{place}: a frame of 0 atoms; remove it")
    if len(digits) > 9 or int(digits) > MOST_ATOMS:
        raise BornflowError(
            f"{place}: {text.strip()[:60]} atoms are more than can be read; correct the number"
        )
    return int(digits)


def _frames(path: Path, handle: TextIOWrapper) -> Iterator[Frame]:
    line = 0
    for index in itertools.count():
        text = "\n"
        while text and not text.strip():
            text = handle.readline()
            line += 1
        if not text:
            return
        name = f"{path}, frame {index}"
        atoms = _atoms(text, f"{name}, line {line}")
        described = handle.readline()
        rows = list(itertools.islice(handle, atoms))
        if any("\0" in row for row in (described, *rows)):
            raise BornflowError(f"{name}: NUL, which is no text, from line {line} on; the file is damaged")
        if rows and not rows[-1].endswith("\n"):
            print(f"{path} has no line break at its end: its last line may be cut", file=sys.stderr)
        if not described or len(rows) < atoms:
            raise BornflowError(
                f"{name}: line {line} announces {atoms} atoms, but the file ends after {len(rows)} of them; "
                "the file is cut or the number is wrong"
            )
        yield _frame(name, line + 1, described.strip(), rows)
        line += 1 + atoms


def _frame(name: str, line: int, described: str, rows: list[str]) -> Frame:
    place = f"{name}, line {line}"
    try:
        # Without `=` it is the free text of a plain XYZ file.
        info = comment.pairs(described) if "=" in described else {}
    except comment.Malformed as error:
        raise BornflowError(f"{place}: the comment line cannot be read: {error}") from None
    structure = _structure(info, place)
    arrays = columns.read_columns(structure.get("Properties"), rows, name, line)
    numbers = columns.atomic_numbers(arrays, name, line)
    positions = columns.take(arrays, columns.POSITIONS, place)
    if positions is None or positions.shape != (len(rows), 3) or positions.dtype.kind not in "if":
        raise BornflowError(f"{place}: Properties has no positions (pos:R:3); add the column")
    positions = positions.astype(float)
    if not np.isfinite(positions).all():
        row = int(np.argmin(np.isfinite(positions).all(axis=1)))
        raise BornflowError(
            f"{name}, line {line + 1 + row}: the position is not finite; remove or repair the frame"
        )
    cell, pbc = _cell(structure, info, place)
    atoms = Atoms(numbers, positions, cell=cell, pbc=pbc)
    columns.set_constraints(atoms, arrays, place)
    columns.set_masses(atoms, arrays, name, line)
    return Frame(name, line, atoms, info, arrays)


def _structure(info: dict[str, str], place: str) -> dict[str, str]:
    """Lattice, Properties and pbc, in whatever case, taken out of `info`."""
    found: dict[str, str] = {}
    for key in [key for key in info if key.lower() in STRUCTURE]:
        standard, text = STRUCTURE[key.lower()], info.pop(key)
        if found.setdefault(standard, text) != text:
            raise BornflowError(f"{place}: {standard} is there twice, with different values; keep one")
    other = None if "Lattice" in found else dialects.foreign_cell(info)
    if other is None and "Properties" not in found:
        other = next(
            iter(difflib.get_close_matches("properties", map(str.lower, info), n=1, cutoff=0.8)), None
        )
        other = next((key for key in info if key.lower() == other), None)
    if other is not None:
        meant = "Properties" if "prop" in other.lower() else "Lattice (nine numbers) and pbc"
        raise BornflowError(
            f"{place}: '{other}' is no key of extxyz; {meant} may be meant: rename or remove it"
        )
    return found


def _cell(
    structure: dict[str, str], info: dict[str, str], place: str
) -> tuple[np.ndarray | None, list[bool]]:
    """Cell vectors [3, 3] as rows and periodicity; with a cell and without `pbc` a frame is periodic."""
    cell, text = None, structure.get("Lattice")
    if text is not None:
        try:
            cell = np.array([comment.number(word) for word in _plain(text)]).reshape(3, 3)
        except ValueError:
            cell = np.full((3, 3), np.nan)
        if not np.isfinite(cell).all():
            raise BornflowError(
                f'{place}: Lattice="{text}" found; nine finite numbers are expected, the cell vectors in Å'
            )
    words = _plain(structure.get("pbc", "T T T" if cell is not None else "F F F"))
    if len(words) == 1:
        words = list(words[0]) if re.fullmatch("[TtFf]{3}", words[0]) else words * 3
    try:
        pbc = [columns.truth(word) for word in words]
    except KeyError:
        pbc = []
    if len(pbc) != 3:
        raise BornflowError(
            f'{place}: pbc="{structure["pbc"]}" found; T or F for each of three directions is expected'
        )
    if any(pbc) and (cell is None or abs(np.linalg.det(cell)) < 1e-6):
        found = "no Lattice" if cell is None else f'Lattice="{text}"'
        raise BornflowError(
            f'{place}: periodic, but {found} is given; add three independent cell vectors or set pbc="F F F"'
        )
    return cell, pbc


def _plain(text: str) -> list[str]:
    """The words of a list, whatever brackets and commas are around them."""
    return re.sub(r"[][(){},;]", " ", text).split()


def write(path: str | Path, structures: Sequence[Atoms], texts: frozenset[str]) -> None:
    """Write structures with their `info` and `arrays`, whole or not at all; no structure makes an empty file.

    Labels of a calculator are not written. Values of `info` under the keys `texts` are names: text whatever
    they look like. Raises BornflowError for a value that has no text.
    """
    with atomic_write(path) as scratch, scratch.open("w", encoding="utf-8") as handle:
        for index, atoms in enumerate(structures):
            try:
                handle.writelines(_lines(atoms, texts))
            except (TypeError, ValueError) as error:
                raise BornflowError(f"{path}, frame {index} cannot be written: {error}") from error


SMALL = 0.01  # columns below lose digits with eight decimals
FORMATS = {
    "f": ("R", "{:16.8f}"),
    "i": ("I", "{:8d}"),
    "u": ("I", "{:8d}"),
    "b": ("L", "{!s:>2.1}"),
    "U": ("S", "{}"),
}


def _lines(atoms: Atoms, texts: frozenset[str]) -> Iterator[str]:
    arrays = {"pos": atoms.positions}
    arrays |= {key: values for key, values in atoms.arrays.items() if key not in ("numbers", "positions")}
    if (mask := _mask(atoms)) is not None:
        arrays["move_mask"] = mask
    properties, formats, columns = ["species:S:1"], ["{:<2}"], [atoms.get_chemical_symbols()]
    for key, values in arrays.items():
        flat = values.reshape(len(atoms), -1)
        if flat.dtype.kind not in FORMATS:
            raise ValueError(f"column '{key}' holds {flat.dtype}, which extxyz does not")
        kind, pattern = FORMATS[flat.dtype.kind]
        if kind == "R" and 0 < np.abs(flat).max(initial=0) < SMALL:
            pattern = "{:17.9e}"
        if flat.dtype.kind == "U" and any(not word or len(word.split()) != 1 for word in flat.ravel()):
            raise ValueError(f"column '{key}' holds a text with blanks, or without letters")
        properties.append(f"{RENAMED.get(key, key)}:{kind}:{flat.shape[1]}")
        formats += [pattern] * flat.shape[1]
        columns += list(flat.T)
    head = {}
    if atoms.cell.any():
        head["Lattice"] = atoms.cell.array.ravel()
    head["Properties"] = ":".join(properties)
    described = comment.line(head | atoms.info | {"pbc": atoms.pbc}, texts | {"Properties"})
    yield f"{len(atoms)}\n{described}\n"
    row = " ".join(formats) + "\n"
    for values in zip(*columns, strict=True):
        yield row.format(*values)


def _mask(atoms: Atoms) -> np.ndarray | None:
    """Which atoms, or components [N, 3], are free to move; None where all are."""
    mask = np.ones((len(atoms), 3), bool)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            mask[constraint.index] = False
        elif isinstance(constraint, FixCartesian):
            mask[constraint.index] &= ~np.asarray(constraint.mask, bool)
    if mask.all():
        return None
    return mask[:, 0] if (mask == mask[:, :1]).all() else mask
