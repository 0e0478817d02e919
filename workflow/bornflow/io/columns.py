"""The columns of an extxyz frame, which `Properties` names: arrays, elements, masses and constraints."""

import re
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from ase.data import chemical_symbols

from ..errors import BornflowError
from . import comment

# Columns of the structure, by their names in ASE and in files.
SPECIES, POSITIONS, NUMBERS = ("species", "symbols"), ("pos", "positions"), ("z", "numbers", "atomic_numbers")
MASSES = ("masses", "mass", "atomic_masses")
ELEMENTS = {symbol: number for number, symbol in enumerate(chemical_symbols) if number}


def parse_properties(properties: str | None, place: str) -> list[tuple[str, str, int]]:
    """Name, type (R, I, S or L) and width of each property."""
    fields = (properties or "species:S:1:pos:R:3").split(":")
    columns = [tuple(fields[first : first + 3]) for first in range(0, len(fields), 3)]
    for column in columns:
        if (
            len(column) != 3
            or not column[0]
            or column[1].upper() not in ("R", "I", "S", "L")
            or not re.fullmatch("[1-9][0-9]{0,5}", column[2])
        ):
            raise BornflowError(
                f"{place}: Properties={properties} is damaged at '{':'.join(column)}'; name:type:columns is "
                "expected, type "
                "one of R (real), I (integer), S (text), L (T or F), as in species:S:1:pos:R:3"
            )
    names = [column[0].lower() for column in columns]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BornflowError(f"{place}: Properties names {', '.join(sorted(twice))} twice; rename one")
    return [(name, kind.upper(), int(width)) for name, kind, width in columns]


def read_columns(properties: str | None, rows: list[str], name: str, line: int) -> dict[str, np.ndarray]:
    """The columns [N] or [N, width] of a frame's rows, by their names; `line` is that of the comment line.

    Raises BornflowError for a row of more or fewer words than `properties` names, and for words of other
    types.
    """
    columns = parse_properties(properties, f"{name}, line {line}")
    width = sum(number for _, _, number in columns)
    words = [row.split() for row in rows]
    for offset, row in enumerate(words, start=line + 1):
        if len(row) != width:
            expected = f"Properties={properties} names {width}; the frame is cut, or Properties is wrong"
            if properties is None:
                expected = f"{width} are expected (element, position) where no Properties names others"
            raise BornflowError(f"{name}, line {offset}: {len(row)} columns found, {expected}")
    table, first, found = list(zip(*words, strict=True)), 0, {}
    for key, kind, number in columns:
        parts = [_converted(table[first + place], kind, key, name, line) for place in range(number)]
        found[key] = parts[0] if number == 1 else np.stack(parts, axis=1)
        first += number
    return found


def _converted(words: Sequence[str], kind: str, key: str, name: str, line: int) -> np.ndarray:
    """A column as numbers, truth values or text."""
    if kind == "S":
        return np.array(words)
    read = {"R": comment.number, "I": _integer, "L": truth}[kind]
    if kind == "R" and not any("_" in word for word in words):
        try:
            return np.array(words, dtype=float)
        except ValueError:
            pass  # Fortran's exponents, or the word that is no number, which is named below
    values = []
    for offset, word in enumerate(words, start=line + 1):
        try:
            values.append(read(word))
        except (ValueError, KeyError):
            meant = {"R": "a number", "I": "an integer", "L": "T or F"}[kind]
            raise BornflowError(f"{name}, line {offset}: '{key}' is '{word}'; {meant} is expected") from None
    return np.array(values, dtype={"R": float, "I": np.int64, "L": bool}[kind])


def _integer(word: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        raise ValueError
    return int(word)


def truth(word: str) -> bool:
    """T or F, true or false, 1 or 0, in any case; KeyError for other words."""
    return {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}[word.lower()]


def take(arrays: dict[str, np.ndarray], names: Sequence[str], place: str) -> np.ndarray | None:
    """The column of one of `names`, in any case, taken out of `arrays`; BornflowError where there are two."""
    keys = [key for key in arrays if key.lower() in names]
    if len(keys) > 1:
        raise BornflowError(f"{place}: the columns {' and '.join(keys)} mean the same; keep one")
    return arrays.pop(keys[0]) if keys else None


def atomic_numbers(arrays: dict[str, np.ndarray], name: str, line: int) -> np.ndarray:
    """Atomic numbers from symbols or numbers; both must agree."""
    place = f"{name}, line {line}"
    symbols, given = take(arrays, SPECIES, place), None
    # Z may be a column of charges, too.
    if symbols is None or any(arrays[key].dtype.kind == "i" for key in arrays if key.lower() in NUMBERS):
        given = take(arrays, NUMBERS, place)
    columns = [column for column in (symbols, given) if column is not None]
    if not columns:
        raise BornflowError(f"{place}: Properties has no elements (species:S:1 or Z:I:1); add the column")
    if any(column.ndim > 1 or column.dtype.kind not in "Ui" for column in columns):
        raise BornflowError(f"{place}: elements are one symbol or atomic number an atom; correct Properties")
    found = [[_number(word) for word in column.tolist()] for column in columns]
    for row in range(len(columns[0])):
        if not found[0][row] or found[0][row] != found[-1][row]:
            word = next((str(c[row]) for c, n in zip(columns, found, strict=True) if not n[row]), "")
            raise BornflowError(f"{name}, line {line + 1 + row}: {_no_element(word)}")
    return np.array(found[0])


def _number(word: str | int) -> int:
    """The atomic number of a symbol or number; 0 where there is no such element."""
    if isinstance(word, int):
        return word if 0 < word < len(chemical_symbols) else 0
    return ELEMENTS.get(word.upper() if len(word) == 1 else word, 0)


def _no_element(word: str) -> str:
    if not word:
        return "symbol and atomic number do not agree; correct one"
    meant = word.capitalize() if word.capitalize() in ELEMENTS else word[:1].upper()
    hint = f"{meant} may be meant; write element symbols" if meant in ELEMENTS else "correct it"
    if word.upper() in ("D", "T"):
        hint = "write H, and the isotope's mass [u] in a column masses:R:1"
    return f"'{word}' is no element; {hint}"


def set_constraints(atoms: Atoms, arrays: dict[str, np.ndarray], place: str) -> None:
    """ASE's constraints from a column `move_mask`, T where an atom, or a component, moves."""
    mask = take(arrays, ("move_mask",), place)
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
        held = [FixCartesian(index, mask=~moves) for index, moves in enumerate(mask) if not moves.all()]
        atoms.set_constraint(held)


def set_masses(atoms: Atoms, arrays: dict[str, np.ndarray], name: str, line: int) -> None:
    """Masses [u] from a column `masses`, `mass` or `atomic_masses`."""
    masses = take(arrays, MASSES, f"{name}, line {line}")
    if masses is None:
        return
    if masses.shape != (len(atoms),) or masses.dtype.kind not in "if":
        raise BornflowError(
            f"{name}, line {line}: one number an atom is expected for masses [u]; correct Properties"
        )
    wrong = ~(np.isfinite(masses) & (masses > 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BornflowError(
            f"{name}, line {line + 1 + row}: the mass is {masses[row]:g} u; a positive number is expected"
        )
    atoms.set_masses(masses.astype(float))
