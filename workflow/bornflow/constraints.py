"""Atoms that constraints hold: rejected wherever atoms are moved, since here all of them move.

A run that held atoms would need other degrees of freedom, and a relaxation another minimum.
"""

import numpy as np
from ase import Atoms

from .errors import BornflowError


def held(atoms: Atoms) -> np.ndarray:
    """Indices of the atoms that constraints of `atoms` act on; all atoms for a constraint that names none."""
    indices: list[np.ndarray] = []
    for constraint in atoms.constraints:
        named = getattr(constraint, "get_indices", lambda: None)()
        indices.append(np.arange(len(atoms)) if named is None else np.ravel(named).astype(int))
    return np.unique(np.concatenate(indices)) if indices else np.array([], int)


def reject(atoms: Atoms, called: str, what: str) -> None:
    """Raise BornflowError for constraints of `atoms`, which are `called` that; `what` moves all atoms."""
    if not atoms.constraints:
        return
    kinds = ", ".join(sorted({type(constraint).__name__ for constraint in atoms.constraints}))
    raise BornflowError(
        f"{called}: constraints ({kinds}) hold {len(held(atoms))} of {len(atoms)} atoms, but {what} moves "
        "all atoms; remove the constraints, which are the column move_mask of an extxyz file"
    )
