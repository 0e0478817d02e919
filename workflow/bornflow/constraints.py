"""Rejection of constraints wherever atoms are moved: in bornflow all atoms move.

A run with fixed atoms would have fewer degrees of freedom, and a relaxation another minimum.
"""

import numpy as np
from ase import Atoms
from jaxtyping import Int

from .errors import BornflowError


def constrained_atoms(atoms: Atoms) -> Int[np.ndarray, " constrained"]:
    """Indices of the atoms that constraints act on; all atoms for a constraint without indices."""
    indices: list[np.ndarray] = []
    for constraint in atoms.constraints:
        given = getattr(constraint, "get_indices", lambda: None)()
        indices.append(np.arange(len(atoms)) if given is None else np.ravel(given).astype(int))
    return np.unique(np.concatenate(indices)) if indices else np.array([], int)


def reject(atoms: Atoms, label: str, operation: str) -> None:
    """Raise BornflowError if `atoms` have constraints.

    The message calls the structure `label`, and names the `operation` that moves all atoms.
    """
    if not atoms.constraints:
        return
    kinds = ", ".join(sorted({type(constraint).__name__ for constraint in atoms.constraints}))
    raise BornflowError(
        f"{label}: constraints ({kinds}) fix {len(constrained_atoms(atoms))} of {len(atoms)} atoms, but "
        f"{operation} moves all atoms; remove the constraints, which are the column move_mask of an extxyz "
        "file"
    )
