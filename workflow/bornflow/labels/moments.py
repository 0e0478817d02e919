"""Dipole and polarizability of a structure, from the seven runs of its label.

They are stored in a frame's `info` and are not used in training. This module contains physics only, no files
or programs.
"""

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..electrons import total_charge
from ..identity import kind
from ..units import BOHR
from .finite_field import FIELDS, Direction, polarizability

Dipole = Float[np.ndarray, "3"]


def moments(
    atoms: Atoms, free: Dipole | None, in_fields: Mapping[Direction, Dipole | None], field: float
) -> dict[str, Float[np.ndarray, "..."]]:
    """The moments of a structure from its dipoles without a field and in six fields, in atomic units.

    - `dipole` [3] in e Å of an isolated structure;
    - `polarization` [3] in e/Å² of a periodic one: the Berry-phase dipole divided by the volume, defined
      modulo e times the cell vectors divided by the volume;
    - `polarizability` [9] in Å³, row-major [field, dipole]: (∂μ/∂E)/4πε₀ of the whole structure or cell.

    A moment is omitted if one of its runs has no dipole, as in results of earlier versions. Dipole and
    polarization of a charged structure depend on the origin and are omitted too.
    """
    values: dict[str, Float[np.ndarray, ...]] = {}
    is_periodic = kind(atoms) == "bulk"
    if free is not None and not total_charge(atoms):
        dipole = free * BOHR
        values |= {"polarization": dipole / atoms.get_volume()} if is_periodic else {"dipole": dipole}
    known = {direction: dipole for direction, dipole in in_fields.items() if dipole is not None}
    if len(known) == len(FIELDS):
        quantum = atoms.cell.array / BOHR if is_periodic else None
        values["polarizability"] = (polarizability(known, field, quantum) * BOHR**3).ravel()
    return values
