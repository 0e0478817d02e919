"""The columns of an extxyz frame, which `Properties` names: arrays, elements, masses and constraints.

Properties=species:S:1:pos:R:3:forces:R:3      in the comment line: name, type and width of each column
O   0.000  0.000  0.117   0.01  0.00 -0.02     one row for each atom: 1 + 3 + 3 words
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from ase.data import chemical_symbols
from jaxtyping import Int, Shaped

from ..errors import BornflowError
from . import comment

# Columns of the structure, by their names in ASE and in files.
SPECIES, POSITIONS, NUMBERS = ("species", "symbols"), ("pos", "positions"), ("z", "numbers", "atomic_numbers")
MASSES = ("masses", "mass", "atomic_masses")
ELEMENTS = {symbol: number for number, symbol in enumerate(chemical_symbols) if number}

Column = Shaped[np.ndarray, "atoms ..."]  # numbers, truth values or text


@dataclass(frozen=True)
class Place:
    """The location of a frame in its file, for messages: `set.xyz, frame 3, line 17` (the comment line)."""

    frame: str  # file and frame
    line: int  # of the comment

    def __str__(self) -> str:
        return f"{self.frame}, line {self.line}"

    def row(self, atom: int) -> str:
        """The line of an atom, counted from 0."""
        return f"{self.frame}, line {self.line + 1 + atom}"


class Property(NamedTuple):
    """One entry of `Properties`."""

    name: str
    letter: str  # its type: R (real), I (integer), S (text), L (T or F)
    width: int  # its number of words in a row


def _parse_integer(word: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        raise ValueError(f"'{word}' is not an integer")
    return int(word)


def parse_boolean(word: str) -> bool:
    """T or F, true or false, 1 or 0, in any case; ValueError for other words."""
    known = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
    if word.lower() not in known:
        raise ValueError(f"'{word}' is not T or F")
    return known[word.lower()]


class _Type(NamedTuple):
    """The reader of words of one type."""

    parse: Callable[[str], float | int | bool]
    dtype: type
    description: str


TYPES = {
    "R": _Type(comment.parse_number, float, "a number"),
    "I": _Type(_parse_integer, np.int64, "an integer"),
    "L": _Type(parse_boolean, bool, "T or F"),
}


def parse_properties(properties: str | None, place: Place) -> list[Property]:
    """The entries of `species:S:1:pos:R:3`, which is also the default without `Properties`."""
    fields = (properties or "species:S:1:pos:R:3").split(":")
    columns = []
    for first in range(0, len(fields), 3):
        entry = fields[first : first + 3]
        if (
            len(entry) != 3
            or not entry[0]
            or entry[1].upper() not in ("R", "I", "S", "L")
            or not re.fullmatch("[1-9][0-9]{0,5}", entry[2])
        ):
            raise BornflowError(
                f"{place}: Properties={properties} is damaged at '{':'.join(entry)}'; write name:type:width "
                "for each column, with the type R (real), I (integer), S (text) or L (T or F), as in "
                "species:S:1:pos:R:3"
            )
        columns.append(Property(entry[0], entry[1].upper(), int(entry[2])))
    names = [column.name.lower() for column in columns]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise BornflowError(f"{place}: Properties names {', '.join(sorted(repeated))} twice; rename one")
    return columns


def read_columns(properties: str | None, rows: list[str], place: Place) -> dict[str, Column]:
    """The columns [atoms] or [atoms, width] of a frame's rows, by their names.

    Raises BornflowError for a row with more or fewer words than `properties` names, and for a word that does
    not have the type of its column.
    """
    columns = parse_properties(properties, place)
    width = sum(column.width for column in columns)
    words = [row.split() for row in rows]
    for atom, row in enumerate(words):
        if len(row) != width:
            expected = f"Properties={properties} names {width}; complete the row or correct Properties"
            if properties is None:
                expected = f"{width} are expected (element, position) where Properties is missing; add it"
            raise BornflowError(f"{place.row(atom)}: {len(row)} columns found, but {expected}")
    by_column, first = list(zip(*words, strict=True)), 0
    arrays = {}
    for column in columns:
        parsed = [_parse_column(by_column[first + offset], column, place) for offset in range(column.width)]
        arrays[column.name] = parsed[0] if column.width == 1 else np.stack(parsed, axis=1)
        first += column.width
    return arrays


def _parse_column(words: Sequence[str], column: Property, place: Place) -> Shaped[np.ndarray, " atoms"]:
    """One word of each row as numbers, truth values or text."""
    if column.letter == "S":
        return np.array(words)
    parse, dtype, description = TYPES[column.letter]
    if column.letter == "R" and not any("_" in word for word in words):  # numpy would read 1_000 as 1000
        try:
            return np.array(words, dtype=float)
        except ValueError:
            pass  # a Fortran exponent, or a word that is not a number; read word by word below
    values = []
    for atom, word in enumerate(words):
        try:
            values.append(parse(word))
        except ValueError:
            raise BornflowError(
                f"{place.row(atom)}: '{column.name}' is '{word}'; {description} is expected, correct it"
            ) from None
    return np.array(values, dtype=dtype)


def pop_column(arrays: dict[str, Column], names: Sequence[str], place: Place) -> Column | None:
    """Remove the column with one of `names`, in any case, from `arrays`, and return it.

    Raises BornflowError if there are two.
    """
    keys = [key for key in arrays if key.lower() in names]
    if len(keys) > 1:
        raise BornflowError(f"{place}: the columns {' and '.join(keys)} mean the same; keep one")
    return arrays.pop(keys[0]) if keys else None


def pop_atomic_numbers(arrays: dict[str, Column], place: Place) -> Int[np.ndarray, " atoms"]:
    """Atomic numbers from the columns of symbols or numbers, which are removed from `arrays`.

    Raises BornflowError if both columns are missing or disagree, and for an unknown element.
    """
    symbols, numbers = pop_column(arrays, SPECIES, place), None
    # A column Z of real numbers contains charges.
    if symbols is None or any(arrays[key].dtype.kind == "i" for key in arrays if key.lower() in NUMBERS):
        numbers = pop_column(arrays, NUMBERS, place)
    columns = [column for column in (symbols, numbers) if column is not None]
    if not columns:
        raise BornflowError(
            f"{place}: Properties names no elements; add a column species:S:1 (symbols) or Z:I:1 (numbers)"
        )
    if any(column.ndim > 1 or column.dtype.kind not in "Ui" for column in columns):
        raise BornflowError(
            f"{place}: one element symbol or atomic number for each atom is expected; correct Properties"
        )
    found = [[_atomic_number(word) for word in column.tolist()] for column in columns]
    for atom, given in enumerate(zip(*found, strict=True)):
        if 0 in given:
            word = str(columns[given.index(0)][atom])
            raise BornflowError(f"{place.row(atom)}: {_explain_unknown_element(word)}")
        if given[0] != given[-1]:
            raise BornflowError(f"{place.row(atom)}: symbol and atomic number do not agree; correct one")
    return np.array(found[0])


def _atomic_number(word: str | int) -> int:
    """The atomic number of a symbol or number; 0 if there is no such element."""
    if isinstance(word, int):
        return word if 0 < word < len(chemical_symbols) else 0
    return ELEMENTS.get(word.upper() if len(word) == 1 else word, 0)


def _explain_unknown_element(word: str) -> str:
    guess = word.capitalize() if word.capitalize() in ELEMENTS else word[:1].upper()
    remedy = f"{guess} may be meant; write element symbols" if guess in ELEMENTS else "correct it"
    if word.upper() in ("D", "T"):
        remedy = "write H, and the isotope's mass [u] in a column masses:R:1"
    return f"'{word}' is not an element; {remedy}"


def set_constraints(atoms: Atoms, arrays: dict[str, Column], place: Place) -> None:
    """Set ASE's constraints from a column `move_mask`: T where an atom, or a component of it, may move."""
    mask = pop_column(arrays, ("move_mask",), place)
    if mask is None:
        return
    if mask.dtype.kind not in "bi" or mask.shape[1:] not in ((), (3,)):
        raise BornflowError(
            f"{place}: one or three columns of T or F are expected for move_mask (L); correct it"
        )
    mask = mask.astype(bool)
    if mask.ndim == 1:
        atoms.set_constraint(FixAtoms(mask=~mask) if not mask.all() else [])
    else:
        fixed = [FixCartesian(index, mask=~free) for index, free in enumerate(mask) if not free.all()]
        atoms.set_constraint(fixed)


def set_masses(atoms: Atoms, arrays: dict[str, Column], place: Place) -> None:
    """Set masses [u] from a column `masses`, `mass` or `atomic_masses`."""
    masses = pop_column(arrays, MASSES, place)
    if masses is None:
        return
    if masses.shape != (len(atoms),) or masses.dtype.kind not in "if":
        raise BornflowError(
            f"{place}: one mass [u] for each atom is expected (masses:R:1); correct Properties"
        )
    wrong = ~(np.isfinite(masses) & (masses > 0))
    if wrong.any():
        atom = int(np.argmax(wrong))
        raise BornflowError(
            f"{place.row(atom)}: the mass is {masses[atom]:g} u; a positive number is expected, correct it"
        )
    atoms.set_masses(masses.astype(float))
