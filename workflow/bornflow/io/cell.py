"""The keys of a comment line that describe the structure: `Lattice`, `Properties` and `pbc`.

Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 pbc="T T T"
"""

import difflib
import re

import numpy as np
from jaxtyping import Float

from ..errors import BornflowError
from . import comment, dialects
from .columns import Place, parse_boolean

STANDARD_NAMES = {"lattice": "Lattice", "properties": "Properties", "pbc": "pbc"}
LEAST_VOLUME = 1e-6  # Å³; below it the cell vectors lie in a plane


def pop_structure_keys(info: dict[str, str], place: Place) -> dict[str, str]:
    """Remove Lattice, Properties and pbc, written in any case, from `info`, and return them.

    Raises BornflowError for a key with two values, and for a key that resembles `Lattice` or `Properties`.
    """
    found: dict[str, str] = {}
    for key in [key for key in info if key.lower() in STANDARD_NAMES]:
        standard, text = STANDARD_NAMES[key.lower()], info.pop(key)
        if found.setdefault(standard, text) != text:
            raise BornflowError(f"{place}: {standard} is given twice, with different values; keep one")
    suspect = None if "Lattice" in found else dialects.foreign_cell_key(info)
    if suspect is None and "Properties" not in found:
        similar = difflib.get_close_matches("properties", map(str.lower, info), n=1, cutoff=0.8)
        suspect = next((key for key in info if key.lower() in similar), None)
    if suspect is not None:
        meant = "Properties" if "prop" in suspect.lower() else "Lattice (nine numbers) and pbc"
        raise BornflowError(
            f"{place}: '{suspect}' is not a key of extxyz; {meant} may be meant: rename or remove it"
        )
    return found


def parse_cell(structure: dict[str, str], place: Place) -> tuple[Float[np.ndarray, "3 3"] | None, list[bool]]:
    """Cell vectors [Å] as rows, None without `Lattice`, and whether each direction is periodic.

    A frame with a cell and without `pbc` is periodic. Raises BornflowError for values that cannot be read,
    and for a periodic frame without three independent cell vectors.
    """
    lattice = structure.get("Lattice")
    cell = None if lattice is None else _parse_lattice(lattice, place)
    pbc = _parse_pbc(structure.get("pbc", "F F F" if cell is None else "T T T"), place)
    if any(pbc) and (cell is None or abs(np.linalg.det(cell)) < LEAST_VOLUME):
        found = "no Lattice is given" if cell is None else f'Lattice="{lattice}" is given'
        raise BornflowError(
            f"{place}: the frame is periodic, but {found}; add three independent cell vectors or set "
            'pbc="F F F"'
        )
    return cell, pbc


def _parse_lattice(text: str, place: Place) -> Float[np.ndarray, "3 3"]:
    """The cell vectors of `9 0 0 0 9 0 0 0 9`, or of the same numbers with brackets and commas."""
    try:
        cell = np.array([comment.parse_number(word) for word in dialects.split_list(text)]).reshape(3, 3)
    except ValueError:
        cell = np.full((3, 3), np.nan)
    if not np.isfinite(cell).all():
        raise BornflowError(
            f'{place}: Lattice="{text}" found; nine finite numbers are expected, the cell vectors in Å'
        )
    return cell


def _parse_pbc(text: str, place: Place) -> list[bool]:
    """Three truth values from `T T T`, `TTT`, `T, T, T` or `T`."""
    words = dialects.split_list(text)
    if len(words) == 1:
        words = list(words[0]) if re.fullmatch("[TtFf]{3}", words[0]) else words * 3
    try:
        pbc = [parse_boolean(word) for word in words]
    except ValueError:
        pbc = []
    if len(pbc) != 3:
        raise BornflowError(
            f'{place}: pbc="{text}" found; T or F for each of three directions is expected, as in "T T T"'
        )
    return pbc
