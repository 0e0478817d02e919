"""Training and validation subsets that keep related structures together.

Structures are related if they have the same `group` in `info` (a trajectory, a parent), or if they are
copies of one structure. If they were in different subsets, the validation errors would be too small.
`fixed_split` applies the marks of labelled files, `random_split` divides structures of files without marks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from jaxtyping import Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import BornflowError
from ..io import frames
from .copies import Pair

MARK = "split"  # in `info`
TRAIN, VALIDATION = "train", "validation"  # its values


class Split(NamedTuple):
    """Indices of structures by their use."""

    train: list[int]
    valid: list[int]
    left_out: list[int]  # related to the validation subset
    free: list[int]  # not prescribed by the files


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


def fixed_split(
    structures: Sequence[Atoms], files: Sequence[int], relation: Int[np.ndarray, " structures"]
) -> Split:
    """The subsets that labelled files prescribe; `files` is the number of the file of each structure.

    A file with marks has `split=train` or `split=validation` in the `info` of some of its structures. Those
    marked with validation are its validation subset, and all others are trained on. Structures related to a
    marked one (`relation`, from `related`) are left out: training on them would make the validation errors
    too small. Of a file without marks only the structures that are related to those of other files are
    assigned. Raises BornflowError for an unknown mark.
    """
    marks = [mark(atoms) for atoms in structures]
    with_marks = {file for file, atoms in zip(files, structures, strict=True) if MARK in atoms.info}
    held_out = {int(number) for number, found in zip(relation, marks, strict=True) if found == VALIDATION}
    trained = {
        int(number)
        for number, file in zip(relation, files, strict=True)
        if file in with_marks and number not in held_out
    }
    split = Split([], [], [], [])
    for index, (number, found) in enumerate(zip(relation.tolist(), marks, strict=True)):
        if found == VALIDATION:
            split.valid.append(index)
        elif number in held_out:
            split.left_out.append(index)
        elif number in trained:
            split.train.append(index)
        else:
            split.free.append(index)
    return split


def mark(atoms: Atoms) -> str:
    """The mark of a structure, TRAIN without one. Raises BornflowError for an unknown mark."""
    found = str(atoms.info.get(MARK, TRAIN))
    if found not in (TRAIN, VALIDATION):
        raise BornflowError(
            f"{frames.name_and_origin(atoms)}: split={found} found; write split={TRAIN} or "
            f"split={VALIDATION}, rename the key, or leave the structure out"
        )
    return found


def random_split(
    structures: Sequence[Atoms], relation: Int[np.ndarray, " structures"], fraction: float, seed: int
) -> tuple[list[int], list[int]]:
    """Indices of random training and validation subsets; at most about `fraction` are trained on.

    Related structures (`relation`, from `related`) stay together. Structures of each kind (cluster, bulk)
    with the same labels are split separately; if there are two or more sets of related structures, each
    subset gets at least one. Related structures with an element that the training subset lacks are moved
    there.
    """
    members: dict[int, list[int]] = {}
    for index, number in enumerate(relation):
        members.setdefault(int(number), []).append(index)
    strata: dict[tuple, list[list[int]]] = {}
    for group in members.values():
        strata.setdefault(_stratum(structures[group[0]]), []).append(group)
    rng = np.random.default_rng(seed)
    train: list[int] = []
    valid: list[list[int]] = []
    for _, groups in sorted(strata.items()):
        order = [groups[place] for place in rng.permutation(len(groups))]
        first, second = _fill(order, round(fraction * sum(map(len, order))))
        train += [index for group in first for index in group]
        valid += second
    return _with_all_elements(structures, train, valid)


def _fill(groups: Sequence[list[int]], wanted: int) -> tuple[list[list[int]], list[list[int]]]:
    """`groups` in two lists: those that fit, in their order, into `wanted` structures, and the others.

    The first list has at least one group, the second as well if there are two or more.
    """
    first, second, count = list[list[int]](), list[list[int]](), 0
    for group in groups:
        fits = count + len(group) <= wanted
        (first if fits else second).append(group)
        count += len(group) * fits
    if not first:
        first.append(second.pop(second.index(min(second, key=len))))
    if len(groups) > 1 and not second:
        second.append(first.pop())
    return first, second


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
