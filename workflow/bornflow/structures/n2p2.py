"""Reader of n2p2's `input.data`, by dpdata: positions in bohr, energies in hartree, forces in hartree/bohr.

n2p2 (doi 10.1021/acs.jctc.8b00770) does not write units into its files. These are the usual ones; others
are found by the distances between atoms (`spacing`).
"""

import io
from pathlib import Path

import dpdata
from ase import Atoms

from ..errors import BornflowError
from ..io import documents, frames


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
        if word:
            lines.append(line)
        if word == "end":
            structures.append(_parse(lines, f"{path}, line {start}"))
            lines = []
    if lines:
        raise BornflowError(f"{path}, line {start}: the last structure has no `end`; get the file again")
    return structures


def _parse(lines: list[str], place: str) -> Atoms:
    """One structure, from `begin` to `end`."""
    words = [line.split() for line in lines]
    number_of_vectors = sum(entry[0] == "lattice" for entry in words)
    if number_of_vectors not in (0, 3):
        raise BornflowError(
            f"{place}: {number_of_vectors} lines `lattice`, but 3 or none are expected; correct it"
        )
    try:
        data = dpdata.LabeledSystem(io.StringIO("\n".join(lines)), fmt="n2p2").data
        symbols = [data["atom_names"][kind] for kind in data["atom_types"]]
        atoms = Atoms(symbols, data["coords"][0])
    except (ValueError, KeyError, IndexError, AssertionError, TypeError) as error:
        raise BornflowError(f"{place}: this structure cannot be read: {error}; get the file again") from error
    if number_of_vectors:
        atoms.set_cell(data["cells"][0])
        atoms.pbc = True
    charges = [float(entry[1]) for entry in words if entry[0] == "charge"]
    if any(charges):
        atoms.info["charge"] = round(charges[0])
    return frames.with_labels(atoms, {"energy": float(data["energies"][0]), "forces": data["forces"][0]})
