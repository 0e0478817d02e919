"""The writer of extxyz files, which `extxyz.py` reads back without loss."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from jaxtyping import Bool

from ..errors import BornflowError
from . import comment
from .columns import Column
from .files import atomic_write

RENAMED = {"charges": "charge"}  # arrays that ASE expects under another name in files
SMALL = 0.01  # a column whose largest number is smaller would lose digits with eight decimals
# Kind of a numpy type: its letter in `Properties`, and how a value is written.
FORMATS = {
    "f": ("R", "{:16.8f}"),
    "i": ("I", "{:8d}"),
    "u": ("I", "{:8d}"),
    "b": ("L", "{!s:>2.1}"),
    "U": ("S", "{}"),
}


def write(path: str | Path, structures: Sequence[Atoms], text_keys: frozenset[str]) -> None:
    """Write structures with their `info` and `arrays`, completely or not at all.

    An empty list makes an empty file. Labels of a calculator are not written. Values of `info` under
    `text_keys` are text, even if they look like a number. Raises BornflowError for a value that extxyz cannot
    store.
    """
    with atomic_write(path) as scratch, scratch.open("w", encoding="utf-8") as handle:
        for index, atoms in enumerate(structures):
            try:
                handle.writelines(_format_frame(atoms, text_keys))
            except (TypeError, ValueError) as error:
                raise BornflowError(f"{path}, frame {index} cannot be written: {error}") from error


def _format_frame(atoms: Atoms, text_keys: frozenset[str]) -> Iterator[str]:
    """The lines of a frame."""
    arrays = {"pos": atoms.positions}
    arrays |= {key: values for key, values in atoms.arrays.items() if key not in ("numbers", "positions")}
    if (mask := _free_to_move(atoms)) is not None:
        arrays["move_mask"] = mask
    properties, patterns, columns = ["species:S:1"], ["{:<2}"], [atoms.get_chemical_symbols()]
    for key, values in arrays.items():
        flat = values.reshape(len(atoms), -1)
        letter, pattern = _format_of(key, flat)
        properties.append(f"{RENAMED.get(key, key)}:{letter}:{flat.shape[1]}")
        patterns += [pattern] * flat.shape[1]
        columns += list(flat.T)
    head = {}
    if atoms.cell.any():
        head["Lattice"] = atoms.cell.array.ravel()
    head["Properties"] = ":".join(properties)
    comment_line = comment.compose(head | atoms.info | {"pbc": atoms.pbc}, text_keys | {"Properties"})
    yield f"{len(atoms)}\n{comment_line}\n"
    row = " ".join(patterns) + "\n"
    for values in zip(*columns, strict=True):
        yield row.format(*values)


def _format_of(key: str, values: Column) -> tuple[str, str]:
    """The letter and the pattern of an array; ValueError if extxyz cannot store it."""
    kind = values.dtype.kind
    if kind not in FORMATS:
        raise ValueError(f"column '{key}' has the type {values.dtype}, which extxyz cannot store; remove it")
    if kind == "U" and any(not word or len(word.split()) != 1 for word in values.ravel()):
        raise ValueError(f"column '{key}' has a text that is empty or contains spaces; correct or remove it")
    letter, pattern = FORMATS[kind]
    if letter == "R" and 0 < np.abs(values).max(initial=0) < SMALL:
        pattern = "{:17.9e}"
    return letter, pattern


def _free_to_move(atoms: Atoms) -> Bool[np.ndarray, "atoms ..."] | None:
    """Mask of atoms [atoms], or components [atoms, 3], that are free to move; None if all are."""
    free = np.ones((len(atoms), 3), bool)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            free[constraint.index] = False
        elif isinstance(constraint, FixCartesian):
            free[constraint.index] &= ~np.asarray(constraint.mask, bool)
    if free.all():
        return None
    return free[:, 0] if (free == free[:, :1]).all() else free
