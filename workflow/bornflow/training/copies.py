"""Copies: one structure that occurs several times in a set, translated, rotated, mirrored or reordered.

Structures are copies if their sorted interatomic distances agree. A cheaper profile of each atom's
neighbourhood finds candidates.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float
from scipy.spatial import cKDTree
from vesin import NeighborList

from ..electrons import multiplicity, total_charge

SAME = 2e-3  # Å, the largest difference of interatomic distances between copies of one structure
REACH = 5.0  # Å, cutoff of the neighbours in a profile
PROFILE = 0.01  # largest difference of profiles; rounding positions to 0.001 Å changes them by about 0.001
KEY_SIZE = 16  # numbers of each profile in the search for candidates

Pair = tuple[int, int]  # two indices into a list of structures


def find_copies(structures: Sequence[Atoms]) -> list[Pair]:
    """Pairs of indices of structures that are copies of each other."""
    alike: dict[tuple, list[int]] = {}
    for index, atoms in enumerate(structures):
        cell = tuple(atoms.cell.cellpar().round(3)) if atoms.pbc.any() else None
        electrons = (total_charge(atoms), multiplicity(atoms))
        alike.setdefault((tuple(np.sort(atoms.numbers)), cell, electrons), []).append(index)
    pairs = []
    for members in alike.values():
        if len(members) < 2:
            continue
        profiles = np.array([profile(structures[index]) for index in members])
        # A few numbers of each profile find the candidates; then all distances are compared.
        chosen = np.linspace(0, profiles.shape[1] - 1, min(profiles.shape[1], KEY_SIZE)).astype(int)
        for one, other in sorted(cKDTree(profiles[:, chosen]).query_pairs(PROFILE, p=np.inf)):
            if np.abs(profiles[one] - profiles[other]).max() < PROFILE:
                distances = [sorted_distances(structures[members[place]]) for place in (one, other)]
                if np.abs(distances[0] - distances[1]).max(initial=0) < SAME:
                    pairs.append((members[one], members[other]))
    return pairs


def sorted_distances(atoms: Atoms) -> Float[np.ndarray, " pairs"]:
    """All interatomic distances [Å], sorted for each pair of elements; periodic ones to the nearest image."""
    first, second = np.triu_indices(len(atoms), 1)
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))[first, second]
    low, high = np.sort([atoms.numbers[first], atoms.numbers[second]], axis=0)
    return distances[np.lexsort((distances, high, low))]


def profile(atoms: Atoms) -> Float[np.ndarray, " atoms"]:
    """Σ_j (1 − r_ij / R)² over the neighbours of each atom within R = REACH, sorted for each element."""
    cell = atoms.cell.array if atoms.pbc.any() else np.zeros((3, 3))
    first, distances = NeighborList(cutoff=REACH, full_list=True).compute(
        atoms.positions, cell, bool(atoms.pbc.any()), "id"
    )
    sums = np.zeros(len(atoms))
    np.add.at(sums, first, (1 - distances / REACH) ** 2)
    return sums[np.lexsort((sums, atoms.numbers))]


def copies_across(train: Sequence[Atoms], valid: Sequence[Atoms]) -> list[tuple[Atoms, Atoms]]:
    """Structures that are in both sets, as pairs (from `train`, from `valid`)."""
    together = [*train, *valid]
    return [(together[i], together[j]) for i, j in pairs_across(find_copies(together), len(train))]


def pairs_across(copies: Sequence[Pair], count: int) -> list[Pair]:
    """The pairs (i, j) with i among the first `count` structures and j after them."""
    ordered = [(min(pair), max(pair)) for pair in copies]
    return [(i, j) for i, j in ordered if i < count <= j]
