"""A random split into training and validation subsets that keeps related structures together.

Structures are related if they have the same `group` in `info` (a trajectory, a parent), or if they are
copies of one structure. If they were in different subsets, the validation errors would be too small.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..io import frames
from .copies import Pair


def related(
    structures: Sequence[Atoms], copies: Sequence[Pair], by_group: bool
) -> Int[np.ndarray, " structures"]:
    """A number for each structure, equal for `copies` and, if `by_group`, for structures of one `group`."""
    links = list(copies)
    if by_group:
        first: dict[str, int] = {}
        for index, atoms in enumerate(structures):
            if "group" in atoms.info:
                links.append((first.setdefault(str(atoms.info["group"]), index), index))
    rows, columns = np.array(links, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(structures),) * 2)
    return connected_components(graph, directed=False)[1].astype(int)


def random_split(
    structures: Sequence[Atoms],
    copies: Sequence[Pair],
    fraction: float,
    seed: int,
    by_group: bool = True,
) -> tuple[list[Atoms], list[Atoms]]:
    """Random training and validation subsets; about `fraction` of the structures are trained on.

    `copies` are the pairs that `find_copies` returns; related structures stay together. Structures of each
    kind (cluster, bulk) with the same labels are split separately; if there are two or more sets of related
    structures, each subset gets at least one. Related structures with an element that the training subset
    lacks are moved there.
    """
    members: dict[int, list[int]] = {}
    for index, number in enumerate(related(structures, copies, by_group)):
        members.setdefault(int(number), []).append(index)
    strata: dict[tuple, list[list[int]]] = {}
    for group in members.values():
        strata.setdefault(_stratum(structures[group[0]]), []).append(group)
    rng = np.random.default_rng(seed)
    train: list[int] = []
    valid: list[list[int]] = []
    for _, groups in sorted(strata.items()):
        order = [groups[place] for place in rng.permutation(len(groups))]
        counts = np.cumsum([len(group) for group in order])
        cut = int(np.searchsorted(counts, round(fraction * counts[-1]), side="right"))
        if len(order) > 1:
            cut = min(max(cut, 1), len(order) - 1)
        train += [index for group in order[:cut] for index in group]
        valid += order[cut:]
    train, kept = _with_all_elements(structures, train, valid)
    return [structures[index] for index in train], [structures[index] for index in kept]


def _stratum(atoms: Atoms) -> tuple[bool, ...]:
    return (frames.kind(atoms) == "bulk", *(frames.label(atoms, key) is not None for key in frames.LABELS))


def _with_all_elements(
    structures: Sequence[Atoms], train: list[int], valid: Sequence[Sequence[int]]
) -> tuple[list[int], list[int]]:
    """Both subsets, with groups of `valid` moved to `train` if `train` lacks one of their elements."""
    train, kept = list(train), list[int]()
    known = {symbol for index in train for symbol in structures[index].symbols}
    for group in valid:
        if new := {symbol for index in group for symbol in structures[index].symbols} - known:
            train += group
            known |= new
        else:
            kept += group
    return train, kept
