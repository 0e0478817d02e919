"""Frames that no longer are what the run began with: bonds have changed, or a cluster has fallen apart."""

from collections.abc import Sequence

from ase import Atoms
from scipy.sparse.csgraph import connected_components

from ..connectivity import covalent_bonds

BondSet = frozenset[tuple[int, int]]


def bonded_pairs(atoms: Atoms) -> BondSet:
    """The pairs of atoms that covalent bonds connect (`connectivity`)."""
    first, second, _ = covalent_bonds(atoms)
    return frozenset((min(pair), max(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True))


def bonds_of_molecules(parts: Sequence[tuple[Atoms, int]]) -> BondSet:
    """The bonds of molecules that follow each other, each with its number of copies.

    In a packing, atoms of different molecules may be as near as bonded ones.
    """
    bonds, first = [], 0
    for atoms, copies in parts:
        own = bonded_pairs(atoms)
        for _ in range(copies):
            bonds += [(first + one, first + other) for one, other in own]
            first += len(atoms)
    return frozenset(bonds)


def reason_to_leave_out(atoms: Atoms, bonds: BondSet, gap: float) -> str | None:
    """Why a frame is left out of a pool, or None.

    `dissociated` if its covalent bonds are not the `bonds` of the start, `evaporated` if a fragment of a
    cluster is more than `gap` [Å] from all others.
    """
    now = bonded_pairs(atoms)
    for pairs, what in ((bonds - now, "no longer bonded"), (now - bonds, "bonded, unlike in the start")):
        if pairs:
            first, second = min(pairs)
            names = " and ".join(f"{index} ({atoms.symbols[index]})" for index in (first, second))
            return f"dissociated: atoms {names} are {what}"
    return evaporated(atoms, gap)


def evaporated(atoms: Atoms, gap: float) -> str | None:
    """The reason to leave out a cluster with a fragment that is more than `gap` [Å] from all others, or None.

    Periodic boxes count as connected.
    """
    if atoms.pbc.any():
        return None
    near = atoms.get_all_distances() < gap
    if connected_components(near, directed=False, return_labels=False) == 1:
        return None
    return f"evaporated: a fragment is more than {gap:g} Å from all others"
