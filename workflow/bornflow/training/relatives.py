"""Which structures belong together, and a random split that keeps them on one side.

Structures are related if they have the same `group` in `info` (a trajectory, a parent), or are the same
structure under two names: then held-out errors would be those of structures that were trained on.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from vesin import NeighborList

from ..io import frames

SAME = 2e-3  # Å, the largest difference of interatomic distances between copies of one structure
REACH = 5.0  # Å, of the neighbours that a profile counts
PROFILE = 0.01  # positions written to 0.001 Å change a profile by about 0.001


def fingerprint(atoms: Atoms) -> Float[np.ndarray, " pairs"]:
    """All interatomic distances [Å] by pair of elements, sorted; with images, those to the nearest one."""
    first, second = np.triu_indices(len(atoms), 1)
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))[first, second]
    low, high = np.sort([atoms.numbers[first], atoms.numbers[second]], axis=0)
    return distances[np.lexsort((distances, high, low))]


def copies(structures: Sequence[Atoms]) -> list[tuple[int, int]]:
    """Pairs of places in the list that hold one structure, wherever it is, however turned or mirrored."""
    alike: dict[tuple, list[int]] = {}
    for index, atoms in enumerate(structures):
        cell = tuple(atoms.cell.cellpar().round(3)) if atoms.pbc.any() else None
        alike.setdefault((tuple(np.sort(atoms.numbers)), cell), []).append(index)
    found = []
    for members in alike.values():
        if len(members) < 2:
            continue
        profiles = np.array([profile(structures[index]) for index in members])
        # A few numbers of each find the candidates, all distances decide.
        chosen = np.linspace(0, profiles.shape[1] - 1, min(profiles.shape[1], 16)).astype(int)
        for one, other in sorted(cKDTree(profiles[:, chosen]).query_pairs(PROFILE, p=np.inf)):
            if np.abs(profiles[one] - profiles[other]).max() < PROFILE:
                marks = [fingerprint(structures[members[place]]) for place in (one, other)]
                if np.abs(marks[0] - marks[1]).max(initial=0) < SAME:
                    found.append((members[one], members[other]))
    return found


def profile(atoms: Atoms) -> Float[np.ndarray, " atoms"]:
    """A number for each atom, Σ_j (1 − r_ij / R)² over its neighbours within R, sorted for each element."""
    cell = atoms.cell.array if atoms.pbc.any() else np.zeros((3, 3))
    first, distances = NeighborList(cutoff=REACH, full_list=True).compute(
        atoms.positions, cell, bool(atoms.pbc.any()), "id"
    )
    sums = np.zeros(len(atoms))
    np.add.at(sums, first, (1 - distances / REACH) ** 2)
    return sums[np.lexsort((sums, atoms.numbers))]


def families(structures: Sequence[Atoms], by_group: bool) -> Int[np.ndarray, " structures"]:
    """A number for each structure, the same for relatives: copies and, if `by_group`, one `group`."""
    links = copies(structures)
    if by_group:
        first: dict[str, int] = {}
        for index, atoms in enumerate(structures):
            if "group" in atoms.info:
                links.append((first.setdefault(str(atoms.info["group"]), index), index))
    rows, columns = np.array(links, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(structures),) * 2)
    return connected_components(graph, directed=False)[1].astype(int)


def split(
    structures: Sequence[Atoms], fraction: float, seed: int, by_group: bool = True
) -> tuple[list[Atoms], list[Atoms]]:
    """Random training and validation parts of about `fraction` and the rest; relatives stay together.

    Structures of each kind (cluster, bulk) that have the same labels are split by themselves; of two or more
    families at least one goes to either part. A family with an element that no structure to train on has is
    moved there.
    """
    members: dict[int, list[int]] = {}
    for index, family in enumerate(families(structures, by_group)):
        members.setdefault(int(family), []).append(index)
    strata: dict[tuple, list[list[int]]] = {}
    for family in members.values():
        strata.setdefault(_stratum(structures[family[0]]), []).append(family)
    rng = np.random.default_rng(seed)
    train: list[int] = []
    valid: list[list[int]] = []
    for _, part in sorted(strata.items()):
        order = [part[place] for place in rng.permutation(len(part))]
        counts = np.cumsum([len(family) for family in order])
        cut = int(np.searchsorted(counts, round(fraction * counts[-1]), side="right"))
        if len(order) > 1:
            cut = min(max(cut, 1), len(order) - 1)
        train += [index for family in order[:cut] for index in family]
        valid += order[cut:]
    known = {symbol for index in train for symbol in structures[index].symbols}
    kept = []
    for family in valid:
        if new := {symbol for index in family for symbol in structures[index].symbols} - known:
            train += family
            known |= new
        else:
            kept += family
    return [structures[index] for index in train], [structures[index] for index in kept]


def _stratum(atoms: Atoms) -> tuple[bool, ...]:
    return (frames.kind(atoms) == "bulk", *(frames.label(atoms, key) is not None for key in frames.LABELS))


def shared(train: Sequence[Atoms], valid: Sequence[Atoms]) -> list[tuple[Atoms, Atoms]]:
    """Structures of `valid` that are in `train` too, as pairs (train, valid)."""
    together, count = [*train, *valid], len(train)
    pairs = [tuple(sorted(pair)) for pair in copies(together)]
    return [(together[first], together[second]) for first, second in pairs if first < count <= second]


def summary(train: Sequence[Atoms], valid: Sequence[Atoms]) -> Mapping[str, int]:
    """How many structures, groups and copies either part holds."""
    return {
        "train": len(train),
        "valid": len(valid),
        "groups": len({atoms.info["group"] for atoms in (*train, *valid) if "group" in atoms.info}),
        "copies": len(copies([*train, *valid])),
    }
