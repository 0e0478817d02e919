"""Wave functions as CP2K leaves them for a restart, and the one that a run in a field starts from."""

from pathlib import Path

import numpy as np
from scipy.io import FortranEOFError, FortranFile
from scipy.linalg import orthogonal_procrustes

from ....errors import BornflowError
from ....io.files import atomic_write

# Records before the orbitals: [atoms, spins, basis functions, ...], three of the basis, [orbitals, ...],
# eigenvalues with occupations.
SIZES, COUNTS, ORBITALS = 0, 4, 6


def write_mirrored(field_free: Path, in_field: Path, out: Path) -> None:
    """Write the wave function in a field −E that follows from those without one and in +E.

        C(−E) = 2 C(0) − R C(+E) + O(E²)

    C [orbitals, basis functions] are occupied orbitals, which CP2K leaves in any rotation among themselves; R
    is the one that brings them closest to C(0). What an SCF has left to find is of second order in the field.
    Raises BornflowError for files of different systems and for what is no wave function of one spin.
    """
    (records, free), (others, polarised) = _read(field_free), _read(in_field)
    basis = [[record.tobytes() for record in of_run[:COUNTS]] for of_run in (records, others)]
    if basis[0] != basis[1] or free.shape != polarised.shape:
        raise BornflowError(f"{in_field} and {field_free} are wave functions of different systems")
    rotation, _ = orthogonal_procrustes(polarised.T, free.T)
    mirrored = 2 * free - rotation.T @ polarised
    with atomic_write(out) as scratch, FortranFile(scratch, "w") as file:
        for record in [*records, *mirrored]:
            file.write_record(record)


def _read(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """The records before the orbitals, as they are, and the orbitals, one record each."""
    records = []
    try:
        with FortranFile(path) as file:
            while True:
                records.append(file.read_record("u1"))
    except FortranEOFError:
        pass
    except (OSError, TypeError, ValueError) as error:
        raise BornflowError(f"{path} is cut off or no wave function of CP2K: {error}") from error
    head, rows = records[:ORBITALS], records[ORBITALS:]
    try:
        _, spins, functions, *_ = head[SIZES].view("i4")
        orbitals, *_ = head[COUNTS].view("i4")
    except (IndexError, ValueError) as error:
        raise BornflowError(f"{path} is cut off or no wave function of CP2K: {error}") from error
    if spins != 1:
        raise BornflowError(f"{path} is a wave function of {spins} spins; one is understood")
    if len(rows) != orbitals or any(row.nbytes != 8 * functions for row in rows):
        raise BornflowError(f"{path} does not hold {orbitals} orbitals of {functions} basis functions")
    return head, np.array([row.view("f8") for row in rows])
