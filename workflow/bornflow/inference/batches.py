"""Structures as batches of padded graphs, so that a few compiled programs evaluate structures of all sizes.

Structures are sorted by size into a few groups, each of which has one padded shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np
from ase import Atoms
from jaxtyping import Int

from ..composition import composition
from ..electrons import total_charge
from ..errors import BornflowError
from ..io import frames
from ..models.graph import Graph
from ..models.model import Model
from ..models.pairs import Pairs, common_shape, pad

BATCH_ATOMS = 256  # in a batch of predictions

T = TypeVar("T")


@dataclass(frozen=True)
class Graphs:
    """Structures of one padded shape: their indices in the list of structures, and their stacked graphs."""

    indices: Int[np.ndarray, " structures"]
    stacked: Graph
    batch_size: int


def padded_sizes(sizes: Sequence[int], most: int) -> Int[np.ndarray, " structures"]:
    """The padded size of each structure, with at most `most` different sizes and the least padding.

    The optimum is exact, by dynamic programming over the sizes in ascending order.
    """
    values, counts = np.unique(sizes, return_counts=True)
    weights = np.concatenate([[0], np.cumsum(counts)])
    # best[j]: the smallest sum over the first j values, and the places where a shape ends.
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ()), *[(np.inf, ())] * len(values)]
    for _ in range(min(most, len(values))):
        best = [
            min(
                [best[j]]
                + [
                    (best[i][0] + (weights[j] - weights[i]) * values[j - 1], (*best[i][1], j - 1))
                    for i in range(j)
                ]
            )
            for j in range(len(values) + 1)
        ]
    chosen = values[list(best[-1][1])]
    return chosen[np.searchsorted(chosen, sizes)]


def group_by_size(structures: Sequence[Atoms], shapes: int) -> dict[tuple[bool, int], list[int]]:
    """Indices of the structures by (periodic, padded size), each kind padded to at most `shapes` sizes."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for periodic in (False, True):
        members = [
            index for index, atoms in enumerate(structures) if (frames.kind(atoms) == "bulk") == periodic
        ]
        if members:
            sizes = padded_sizes([len(structures[index]) for index in members], shapes)
            for index, size in zip(members, sizes.tolist(), strict=True):
                groups.setdefault((periodic, size), []).append(index)
    return groups


def stack_graphs(
    structures: Sequence[Atoms], indices: Sequence[int], model: Model, batch_atoms: int = BATCH_ATOMS
) -> Graphs:
    """The structures of these indices, padded to one shape, in batches of about `batch_atoms` atoms.

    Raises BornflowError for an element that the model does not know, or for a structure without a neighbour
    list.
    """
    neighbours = [_neighbour_list(structures[index], model) for index in indices]
    shape = common_shape([pairs.shape for pairs in neighbours])
    graphs = [
        pad(pairs, shape, charge=total_charge(structures[index]))
        for pairs, index in zip(neighbours, indices, strict=True)
    ]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *graphs)
    return Graphs(np.array(indices), stacked, max(1, batch_atoms // shape.atoms))


def make_graphs(structures: Sequence[Atoms], model: Model) -> list[Graphs]:
    """All structures, clusters padded to one shape and periodic structures to another; errors as above."""
    return [stack_graphs(structures, indices, model) for indices in group_by_size(structures, 1).values()]


def take_rows(stacked: T, rows: Int[np.ndarray, " rows"], batch_size: int) -> T:
    """Rows of stacked arrays as a batch of `batch_size`, filled up with the first row."""
    padded = np.concatenate([rows, np.repeat(rows[:1], batch_size - len(rows))])
    return jax.tree.map(lambda leaf: leaf[padded], stacked)


def _neighbour_list(atoms: Atoms, model: Model) -> Pairs:
    composition(atoms, model.elements)  # rejects unknown elements
    cell = atoms.cell.array if frames.kind(atoms) == "bulk" else None
    try:
        return model.pairs(atoms.numbers, atoms.positions, cell)
    except BornflowError as error:
        raise BornflowError(f"structure {frames.name(atoms)}: {error}") from error
