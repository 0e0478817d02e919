"""GFN2-xTB energies, forces and forces in a field, by tblite (Bannwarth et al., JCTC 2019).

tblite's `electric-field` interaction wants a C array of three doubles, which its Python layer
does not convert; it is handed over here. Its field is meaningless under periodic boundaries.
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.optimize import FIRE
from tblite.ase import TBLite
from tblite.interface import Calculator
from tblite.library import ffi

from ...errors import Rejected
from ...io.frames import name
from ...units import BOHR, HARTREE
from .. import limits
from ..finite_field import FIELDS

METHOD, ACCURACY = "GFN2-xTB", 0.01  # of tblite, in its default of which gradients are too noisy for a field


@functools.cache
def version() -> str:
    """tblite's version as printed by the library."""
    from tblite.library import get_version

    return "tblite-" + ".".join(map(str, get_version()))


def key(atoms: Atoms, settings: Mapping) -> str:
    """A short hash of the exact calculation."""
    structure = [atoms.get_chemical_symbols(), atoms.positions.tolist()]
    identity = [*structure, dict(settings), METHOD, ACCURACY, version()]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def calculate(
    atoms: Atoms, field: float
) -> tuple[tuple[float, np.ndarray], dict[tuple[int, int], np.ndarray], str]:
    """Field-free (energy, forces), forces in six fields by (axis, sign), and the program's version.

    `field` and all results are in atomic units. Raises Rejected as `reject_unsuited`, where tblite fails, and
    beyond the `limits`: for energies far from those of free atoms, and atoms that lie in one another.
    """
    reject_unsuited(atoms)
    free = _single_point(atoms, np.zeros(3))
    limits.reject_overlaps(atoms)
    limits.reject_energy(atoms, free[0] * HARTREE, _free_atom)
    forces = {}
    for axis, sign in FIELDS:
        vector = np.zeros(3)
        vector[axis] = sign * field
        forces[axis, sign] = _single_point(atoms, vector)[1]
    return free, forces, version()


def relax(atoms: Atoms) -> np.ndarray:
    """Positions [N, 3] in Å of the nearest minimum, forces below 0.01 eV/Å. Raises as `calculate`."""
    reject_unsuited(atoms)
    moved = Atoms(atoms.symbols, atoms.positions)
    with _rejections(atoms):
        moved.calc = TBLite(method=METHOD, verbosity=0)
        converged = FIRE(moved, logfile=None).run(fmax=0.01, steps=2000)
    if not converged:
        raise Rejected(f"GFN2-xTB: {name(atoms)} is not relaxed after 2000 steps")
    return moved.positions


def reject_unsuited(atoms: Atoms) -> None:
    """Raise Rejected for periodic structures, and for those that are no closed shell."""
    if atoms.pbc.any():
        raise Rejected(
            f"structure {name(atoms)} is periodic: xtb labels isolated structures "
            "only (its electric field has no meaning under periodic boundaries); use engine cp2k"
        )
    if atoms.numbers.min() < 1 or atoms.numbers.sum() % 2:
        raise Rejected(
            f"structure {name(atoms)} has {atoms.numbers.sum()} electrons: labels are of closed shells"
        )


@functools.cache
def _free_atom(symbol: str) -> float:
    """The energy [eV] of a free atom of the element, its electrons paired as far as they go."""
    return _single_point(Atoms(symbol), np.zeros(3))[0] * HARTREE


@contextlib.contextmanager
def _rejections(atoms: Atoms):
    try:
        yield
    except Exception as error:  # tblite raises its own error types
        raise Rejected(f"GFN2-xTB failed for {name(atoms)}: {error}") from error


def _single_point(atoms: Atoms, field: np.ndarray) -> tuple[float, np.ndarray]:
    with _rejections(atoms):
        calculator = Calculator(METHOD, atoms.numbers, atoms.positions / BOHR)
        calculator.set("verbosity", 0)
        calculator.set("accuracy", ACCURACY)
        if field.any():
            calculator.add("electric-field", ffi.new("double[3]", list(field)))
        result = calculator.singlepoint()
    return float(result.get("energy")), -np.array(result.get("gradient"))
