"""Whether the molecules of a cluster are still together."""

from ase import Atoms
from scipy.sparse.csgraph import connected_components


def is_connected(atoms: Atoms, gap: float) -> bool:
    """Whether a cluster is connected: every fragment is closer than `gap` [Å] to another.

    Periodic boxes count as connected.
    """
    if atoms.pbc.any():
        return True
    near = atoms.get_all_distances() < gap
    return bool(connected_components(near, directed=False, return_labels=False) == 1)
