"""Checks of positions and cells before anything is calculated from them."""

import numpy as np
from jaxtyping import Float

from .errors import BornflowError

FARTHEST = 1e4  # Å from the origin; single precision rounds positions there to 0.001 Å
SMALLEST_VOLUME = 1e-6  # Å³, of a cell
SMALLEST_VOLUME_PER_ATOM = 0.5  # Å³; a carbon atom of diamond has 5.7


def check(positions: Float[np.ndarray, "atoms 3"], cell: Float[np.ndarray, "3 3"] | None) -> None:
    """Raise BornflowError unless `positions` and `cell` (None: isolated) [Å] describe a possible structure.

    Numbers must be finite and at most FARTHEST. A cell must have a volume of at least SMALLEST_VOLUME, and of
    SMALLEST_VOLUME_PER_ATOM for each atom. Positions farther away lose digits in single precision, and even
    larger ones overflow the integers of the neighbour list.
    """
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        raise BornflowError(f"the position of atom {bad[0]} is not finite; remove or repair the structure")
    if len(positions):
        atom = int(np.abs(positions).max(axis=1).argmax())
        _check_length(np.abs(positions[atom]).max(), f"atom {atom} has a coordinate")
    if cell is None:
        return
    cell = np.asarray(cell, float)
    with np.errstate(over="ignore"):
        volume = abs(np.linalg.det(cell)) if np.isfinite(cell).all() else 0.0
    if not volume > SMALLEST_VOLUME:
        raise BornflowError(f"the cell {cell.tolist()} has no volume; set one, or switch periodicity off")
    _check_length(np.abs(cell).max(), "the cell has a component")
    if len(positions) and volume / len(positions) < SMALLEST_VOLUME_PER_ATOM:
        raise BornflowError(
            f"the cell of {volume:.3g} Å³ has {volume / len(positions):.2g} Å³ for each atom, but the least "
            f"possible is {SMALLEST_VOLUME_PER_ATOM:g} Å³: check the unit of its lengths, which is Å"
        )


def _check_length(length: float, subject: str) -> None:
    if length > FARTHEST:
        raise BornflowError(
            f"{subject} of {length:.3g} Å, the largest possible is {FARTHEST:g} Å: check the unit of length, "
            "which is Å, or move the structure to the origin"
        )
