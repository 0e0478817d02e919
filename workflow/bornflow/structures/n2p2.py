"""Reader of n2p2's `input.data`, by dpdata: positions in bohr, energies in hartree, forces in hartree/bohr.

n2p2 (doi 10.1021/acs.jctc.8b00770) does not write units into its files. These are the usual ones; others
are found by the distances between atoms (`spacing`).
"""

import io
from collections import Counter
from pathlib import Path

import dpdata
import numpy as np
from ase import Atoms

from ..errors import BornflowError
from ..io import documents, frames

CHARGE_TOLERANCE = 1e-3  # e, of an integer
LINES = (
    ("lattice", (0, 3), "three lines, or no line,"),
    ("atom", range(1, 10**9), "one line or more"),
    ("energy", (1,), "one line"),
    ("charge", (0, 1), "at most one line"),
)
NUMBERS = {"lattice": 3, "atom": 8, "energy": 1, "charge": 1}  # in a line, apart from the element


def read(path: Path) -> list[Atoms]:
    """All structures with energy, forces and total charge.

    dpdata gets them one by one: in a file of several it would change the order of atoms, and refuse different
    compositions. Raises BornflowError, with the line, for a structure that is cut or cannot be read.
    """
    structures: list[Atoms] = []
    lines: list[str] = []  # of the structure that is read, from line `start`
    start = 0
    text = documents.read_text(path, "get it again")
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.split()[0].lower() if line.split() else ""
        if word == "begin":
            if lines:
                raise BornflowError(f"{path}, line {start}: the structure has no `end`; get the file again")
            start = number
        elif word and not lines:
            raise BornflowError(f"{path}, line {number}: `begin` is expected, found {line.strip()[:60]!r}")
        if word:
            lines.append(line)
        if word == "end":
            structures.append(_parse(lines, f"{path}, line {start}"))
            lines = []
    if lines:
        raise BornflowError(f"{path}, line {start}: the last structure has no `end`; get the file again")
    return structures


def _check_lines(words: list[list[str]], place: str) -> None:
    """Raise BornflowError for lines that are unknown, repeated, missing, or not of finite numbers."""
    found = Counter(entry[0] for entry in words)
    for key, allowed, expected in LINES:
        if found.pop(key, 0) not in allowed:
            raise BornflowError(f"{place}: the structure needs {expected} `{key}`; correct it")
    if unknown := sorted(set(found) - {"begin", "end", "comment"}):
        raise BornflowError(f"{place}: `{unknown[0]}` is no line of an n2p2 file; correct it")
    for entry in words:
        if entry[0] not in NUMBERS:
            continue
        numbers = [word for index, word in enumerate(entry[1:]) if (entry[0], index) != ("atom", 3)]
        try:
            values = [float(word) for word in numbers]
        except ValueError:
            values = []
        if len(numbers) != NUMBERS[entry[0]] or len(values) != len(numbers) or not np.isfinite(values).all():
            line = " ".join(entry)[:80]
            raise BornflowError(
                f"{place}: {line!r}: {NUMBERS[entry[0]]} finite numbers are expected; correct it"
            )


def _parse(lines: list[str], place: str) -> Atoms:
    """One structure, from `begin` to `end`."""
    words = [line.split() for line in lines]
    _check_lines(words, place)
    try:
        data = dpdata.LabeledSystem(io.StringIO("\n".join(lines)), fmt="n2p2").data
        symbols = [data["atom_names"][kind] for kind in data["atom_types"]]
        atoms = Atoms(symbols, data["coords"][0])
    except (ValueError, KeyError, IndexError, AssertionError, TypeError) as error:
        raise BornflowError(f"{place}: this structure cannot be read: {error}; get the file again") from error
    if any(entry[0] == "lattice" for entry in words):
        atoms.set_cell(data["cells"][0])
        atoms.pbc = True
    charge = next((float(entry[1]) for entry in words if entry[0] == "charge"), 0.0)
    if abs(charge - round(charge)) > CHARGE_TOLERANCE:
        raise BornflowError(f"{place}: charge {charge:g}, but an integer is expected; correct it")
    if round(charge):
        atoms.info["charge"] = round(charge)
    return frames.with_labels(atoms, {"energy": float(data["energies"][0]), "forces": data["forces"][0]})
