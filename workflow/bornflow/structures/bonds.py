"""What holds to what: molecules, and the hydrogen bonds between waters."""

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


def hydrogen_bonds(atoms: Atoms, reach: float = 2.4, angle: float = 130.0) -> set[tuple[int, int]]:
    """Pairs (donor, acceptor) of molecules, counted by their oxygen atoms.

    A bond is H···O below `reach` [Å] with O–H···O above `angle` [degrees].
    """
    oxygens = [atom.index for atom in atoms if atom.symbol == "O"]
    bonds: set[tuple[int, int]] = set()
    if not oxygens:
        return bonds
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    for hydrogen in (atom.index for atom in atoms if atom.symbol == "H"):
        own = min(oxygens, key=lambda oxygen: distances[hydrogen, oxygen])
        for other in oxygens:
            if other == own or distances[hydrogen, other] > reach:
                continue
            if atoms.get_angle(own, hydrogen, other, mic=bool(atoms.pbc.any())) > angle:
                bonds.add((oxygens.index(own), oxygens.index(other)))
    return bonds
