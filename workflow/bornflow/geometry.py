"""What positions and a cell must be before anything is calculated from them."""

import numpy as np

from .errors import BornflowError

FARTHEST = 1e4  # Å from the origin; single precision rounds positions there to 0.001 Å
DENSEST = 0.5  # Å³ for each atom; a carbon atom of diamond has 5.7
FLATTEST = 1e-6  # Å³, the least volume of a cell


def check(positions: np.ndarray, cell: np.ndarray | None) -> None:
    """Raise BornflowError unless `positions` [N, 3] and `cell` [3, 3] (None: isolated) are a structure [Å].

    Numbers are finite and none is above FARTHEST; a cell has a volume, of DENSEST or more for each atom.
    Farther atoms lose digits in single precision, and overflow the integers of the neighbour list in the end.
    """
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        raise BornflowError(f"the position of atom {bad[0]} is not finite; remove or repair the structure")
    if len(positions):
        atom = int(np.abs(positions).max(axis=1).argmax())
        _near(np.abs(positions[atom]).max(), f"atom {atom} has a coordinate")
    if cell is None:
        return
    cell = np.asarray(cell, float)
    with np.errstate(over="ignore"):
        volume = abs(np.linalg.det(cell)) if np.isfinite(cell).all() else 0.0
    if not volume > FLATTEST:
        raise BornflowError(f"the cell {cell.tolist()} has no volume; set one, or switch periodicity off")
    _near(np.abs(cell).max(), "the cell has a component")
    if len(positions) and volume / len(positions) < DENSEST:
        raise BornflowError(
            f"the cell of {volume:.3g} Å³ leaves {volume / len(positions):.2g} Å³ for each atom, the least "
            f"possible is {DENSEST:g} Å³: check the unit of its lengths, which is Å"
        )


def _near(length: float, what: str) -> None:
    if length > FARTHEST:
        raise BornflowError(
            f"{what} of {length:.3g} Å, the largest possible is {FARTHEST:g} Å: check the unit of length, "
            "which is Å, or move the structure to the origin"
        )
