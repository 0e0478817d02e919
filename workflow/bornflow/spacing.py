"""Distances between neighbours, relative to covalent radii: they show wrong units and damaged structures."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from jaxtyping import Float
from vesin import NeighborList

# Distance of nearest neighbours divided by the sum of covalent radii; 1.9 times as large in bohr.
CLOSE, FAR = 0.5, 1.6
CLOSE_MEDIAN = 0.6  # of all atoms; 0.53 in Å that were taken for bohr, 0.77 in N2
NOBLE = (2, 10, 18, 36, 54, 86)
TOO_CLOSE = "atoms are closer than half a bond (positions in another unit than Å, or a damaged structure?)"
TOO_FAR = "no two atoms are as close as a bond (positions in bohr instead of Å?)"


def nearest(atoms: Atoms) -> Float[np.ndarray, " atoms"]:
    """Distance of each atom to its nearest neighbour, divided by the sum of their covalent radii.

    Infinite if no neighbour is within 2 FAR times the largest radius.
    """
    radii = covalent_radii[atoms.numbers]
    cell = atoms.cell.array if atoms.pbc.any() else np.zeros((3, 3))
    first, second, distances = NeighborList(cutoff=2 * FAR * float(radii.max()), full_list=True).compute(
        atoms.positions, cell, bool(atoms.pbc.any()), "ijd"
    )
    ratios = np.full(len(atoms), np.inf)
    np.minimum.at(ratios, first, distances / (radii[first] + radii[second]))
    return ratios


def problem(atoms: Atoms) -> str | None:
    """TOO_CLOSE for overlapping atoms, TOO_FAR for three or more atoms without any bond, otherwise None."""
    if len(atoms) < 2:
        return None
    ratios = nearest(atoms)
    if ratios.min() < CLOSE or np.median(ratios) < CLOSE_MEDIAN:
        return TOO_CLOSE
    bonded = ratios[~np.isin(atoms.numbers, NOBLE)]
    return TOO_FAR if len(bonded) > 2 and bonded.min() > FAR else None
