"""CP2K's restart files of wave functions: the one in a field −E from those in 0 and +E."""

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
    """Write the wave function in a field −E, extrapolated from the field-free one and that in +E.

        C(−E) = 2 C(0) − R C(+E) + O(E²)

    C [orbitals, basis functions] are the occupied orbitals. CP2K writes them up to an arbitrary rotation; R
    rotates C(+E) as close as possible to C(0). The remaining error is of second order in the field. Raises
    BornflowError for files of different systems, and for a file that is not a closed-shell wave function.
    """
    (records, free), (others, polarised) = _read(field_free), _read(in_field)
    basis = [[record.tobytes() for record in run[:COUNTS]] for run in (records, others)]
    if basis[0] != basis[1] or free.shape != polarised.shape:
        raise BornflowError(f"{in_field} and {field_free} are wave functions of different systems")
    rotation, _ = orthogonal_procrustes(polarised.T, free.T)
    mirrored = 2 * free - rotation.T @ polarised
    with atomic_write(out) as scratch, FortranFile(scratch, "w") as file:
        for record in [*records, *mirrored]:
            file.write_record(record)


def _read(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """The records before the orbitals, and the orbitals as [orbitals, basis functions]."""
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
        raise BornflowError(f"{path} is a wave function of {spins} spins; a closed shell has one")
    if len(rows) != orbitals or any(row.nbytes != 8 * functions for row in rows):
        raise BornflowError(f"{path} does not contain {orbitals} orbitals of {functions} basis functions")
    return head, np.array([row.view("f8") for row in rows])
