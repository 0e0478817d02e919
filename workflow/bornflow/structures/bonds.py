"""What holds to what: molecules, and the hydrogen bonds between waters."""

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def molecules(atoms: Atoms) -> int:
    """The number of molecules: `n_molecules` of `info`, or groups of atoms that covalent bonds connect."""
    if atoms.info.get("n_molecules"):
        return int(atoms.info["n_molecules"])
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.2))
    bonds = coo_array((np.ones(len(first)), (first, second)), shape=(len(atoms), len(atoms)))
    return int(connected_components(bonds, directed=False)[0])


REACH = 2.4  # Å, of H···O in a hydrogen bond
ANGLE = 130.0  # degrees, the least of O–H···O


def _contacts(atoms: Atoms, reach: float) -> Iterator[tuple[int, int, int]]:
    """Hydrogen, donor and acceptor (oxygens) of every hydrogen bond, as numbers of atoms."""
    oxygens = np.flatnonzero(atoms.numbers == 8)
    if not len(oxygens):
        return
    periodic = bool(atoms.pbc.any())
    distances = atoms.get_all_distances(mic=periodic)
    for hydrogen in np.flatnonzero(atoms.numbers == 1):
        own = oxygens[distances[hydrogen, oxygens].argmin()]
        for other in oxygens:
            if other == own or distances[hydrogen, other] > reach:
                continue
            if atoms.get_angle(own, hydrogen, other, mic=periodic) > ANGLE:
                yield int(hydrogen), int(own), int(other)


def hydrogen_bonds(atoms: Atoms, reach: float = REACH) -> set[tuple[int, int]]:
    """Pairs (donor, acceptor) of molecules, counted by their oxygen atoms.

    A bond is H···O below `reach` [Å] with O–H···O above ANGLE.
    """
    count = {atom: number for number, atom in enumerate(np.flatnonzero(atoms.numbers == 8))}
    return {(count[donor], count[acceptor]) for _, donor, acceptor in _contacts(atoms, reach)}


def dangling(atoms: Atoms) -> np.ndarray:
    """Whether each atom is a hydrogen without a hydrogen bond [N]."""
    free = atoms.numbers == 1
    free[[hydrogen for hydrogen, _, _ in _contacts(atoms, REACH)]] = False
    return free
