"""The arrays a model sees: one structure as padded neighbour lists, built on the host with numpy.

Neighbours are laid out as [atoms, max neighbours], a block of places for each species of neighbour, so
that sums over them are dense contractions. Padding atoms come last; padding neighbours point at the
atom itself with a mask of zero. `edges` and `from_neighbours` are what the device does with the lists.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import vesin
from jaxtyping import Array, Float

from .. import geometry
from ..errors import BornflowError

CLOSEST = 0.1  # Å; two atoms nearer than this are a mistake
MOST_WAVES = 1e9  # of the long-range sum, which a cube of about 100 nm has; more do not fit into memory
Leaf = Any  # an array of numpy on the host, of jax on the device, or what jax puts in its place


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "species",
        "positions",
        "cell",
        "neighbours",
        "opposite",
        "shifts",
        "pair_mask",
        "atom_mask",
        "waves",
    ],
    meta_fields=["blocks"],
)
@dataclass(frozen=True)
class Graph:
    """One structure. A batch has one more leading axis on every array."""

    species: Leaf  # [atoms]: index into the model's elements; 0 for padding
    positions: Leaf  # [atoms, 3], Å
    cell: Leaf  # [3, 3], Å, rows; the identity for isolated structures
    neighbours: Leaf  # [atoms, max]
    opposite: Leaf  # [atoms, max]: place in the flattened list of the pair seen from the other end
    shifts: Leaf  # [3, atoms, max]: cell vectors added to the neighbour, as integers
    pair_mask: Leaf  # [atoms, max]
    atom_mask: Leaf  # [atoms]
    waves: Leaf  # three arrays of wave numbers −n₁…n₁, −n₂…n₂, 0…n₃; None: isolated
    blocks: tuple[int, ...]  # places for neighbours of each species; their sum is `max`


class Shape(NamedTuple):
    """Sizes that arrays are padded to; structures of one shape share compiled code."""

    atoms: int
    blocks: tuple[int, ...]  # most neighbours of each species
    waves: tuple[int, ...]  # highest wave number along each cell vector; empty: isolated


class Pairs(NamedTuple):
    """A structure with its list of ordered pairs, sorted by centre and species of the neighbour."""

    species: np.ndarray
    positions: np.ndarray
    cell: np.ndarray | None
    first: np.ndarray
    second: np.ndarray
    shifts: np.ndarray
    place: np.ndarray  # of each pair among those of its centre and species
    shape: Shape


def list_pairs(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray | None,
    n_species: int,
    cutoff: float,
    k_max: float,
) -> Pairs:
    """All ordered pairs (i, j, shift) with |r_j + shift · cell − r_i| < cutoff [Å].

    A `cell` of None means isolated. Cells smaller than twice the cutoff are treated exactly.
    Wave numbers reach k_max [Å⁻¹]. Raises BornflowError for what is no structure: numbers that are not
    finite, atoms too far away, a cell without volume or too large for the sum over waves, two atoms in one
    place.
    """
    geometry.check(np.asarray(positions), cell)
    waves = _wave_numbers(cell, k_max)
    first, second, shifts, distances = vesin.NeighborList(cutoff=cutoff, full_list=True).compute(
        points=np.asarray(positions, dtype=np.float64),
        box=np.asarray(np.eye(3) if cell is None else cell, dtype=np.float64),
        periodic=cell is not None,
        quantities="ijSd",
    )
    if len(distances) and distances.min() < CLOSEST:
        pair = int(np.argmin(distances))
        raise BornflowError(
            f"atoms {first[pair]} and {second[pair]} are in one place: {distances[pair]:.2g} Å apart"
        )
    group = first.astype(np.int64) * n_species + species[second]
    order = np.argsort(group, kind="stable")
    first, second, shifts, group = first[order].astype(np.int64), second[order], shifts[order], group[order]
    counts = np.bincount(group, minlength=len(species) * n_species)
    place = np.arange(len(group)) - (np.cumsum(counts) - counts)[group]
    blocks = tuple(int(n) for n in counts.reshape(-1, n_species).max(axis=0, initial=0))
    shape = Shape(len(species), blocks if any(blocks) else (1, *blocks[1:]), waves)
    return Pairs(species, positions, cell, first, second.astype(np.int64), shifts, place, shape)


def _wave_numbers(cell: np.ndarray | None, k_max: float) -> tuple[int, ...]:
    """The highest n along each cell vector with |2π n · cell⁻ᵀ| < k_max."""
    if cell is None:
        return ()
    highest = [np.floor(k_max * np.linalg.norm(vector) / (2 * np.pi)) for vector in cell]
    waves = math.prod(2 * float(n) + 1 for n in highest)
    if waves > MOST_WAVES:
        edges = ", ".join(f"{np.linalg.norm(vector):.4g}" for vector in cell)
        raise BornflowError(
            f"the cell has edges of {edges} Å: {waves:.1g} waves of the long-range sum, {MOST_WAVES:.0e} are "
            "possible; make it smaller, or check the unit of its lengths, which is Å"
        )
    return tuple(map(int, highest))


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """The smallest shape that holds all of `shapes`, which are all periodic or all isolated."""
    atoms, blocks, waves = zip(*shapes, strict=True)
    return Shape(max(atoms), *(tuple(map(max, zip(*sizes, strict=True))) for sizes in (blocks, waves)))


def pad(pairs: Pairs, shape: Shape | None = None, dtype=np.float32) -> Graph:
    """The graph of a structure, padded to `shape` (default: to its own sizes)."""
    shape = shape or pairs.shape
    n, width = shape.atoms, sum(shape.blocks)
    starts = np.cumsum(shape.blocks) - shape.blocks
    flat = pairs.first * width + starts[pairs.species[pairs.second]] + pairs.place

    def fill(empty: np.ndarray, values) -> np.ndarray:
        rows = empty.reshape(n * width, -1)
        rows[flat] = np.reshape(values, (len(flat), rows.shape[1]))
        return empty

    def extend(values: np.ndarray, kind) -> np.ndarray:
        padded = np.zeros((n, *values.shape[1:]), kind)
        padded[: len(values)] = values
        return padded

    itself = np.repeat(np.arange(n, dtype=np.int32)[:, None], width, axis=1)
    own_place = np.arange(n * width, dtype=np.int32).reshape(n, width)
    waves = None
    if pairs.cell is not None:
        one, two, three = shape.waves
        waves = tuple(
            np.arange(low, high + 1, dtype=dtype) for low, high in ((-one, one), (-two, two), (0, three))
        )
    return Graph(
        species=extend(pairs.species, np.int32),
        positions=extend(pairs.positions, dtype),
        cell=np.asarray(np.eye(3) if pairs.cell is None else pairs.cell, dtype),
        neighbours=fill(itself, pairs.second),
        opposite=fill(own_place, flat[_opposite(pairs)]),
        shifts=np.moveaxis(fill(np.zeros((n, width, 3), dtype), pairs.shifts), -1, 0).copy(),
        pair_mask=fill(np.zeros((n, width), dtype), np.ones(len(flat))),
        atom_mask=extend(np.ones(len(pairs.species)), dtype),
        waves=waves,
        blocks=shape.blocks,
    )


def _opposite(pairs: Pairs) -> np.ndarray:
    """For each pair (i, j, shift) the index of (j, i, −shift)."""
    first, second, shifts = pairs.first, pairs.second, pairs.shifts.astype(np.int64)
    width = 2 * int(np.abs(shifts).max(initial=0)) + 1
    code = shifts @ np.array([width**2, width, 1])
    n = len(pairs.species)
    order = np.argsort((first * n + second) * width**3 + code)
    mirrored = np.argsort((second * n + first) * width**3 - code)
    opposite = np.empty(len(first), np.int64)
    opposite[order] = mirrored
    return opposite


def edges(graph: Graph) -> Float[Array, "3 atoms max"]:
    """Vectors r_j + shift − r_i [Å] of all neighbours, components first.

    Padding gets a vector of unit length, so that no derivative is singular.
    """
    components = []
    for axis in range(3):
        shift = sum(graph.shifts[k] * graph.cell[k, axis] for k in range(3))
        positions = graph.positions[:, axis]
        component = positions[graph.neighbours] + shift - positions[:, None]
        components.append(jnp.where(graph.pair_mask > 0, component, float(axis == 2)))
    return jnp.stack(components)


def lengths(vectors: Float[Array, "3 atoms max"]) -> Float[Array, "atoms max"]:
    """Euclidean norms of vectors that are not zero."""
    return jnp.sqrt(vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2)


def from_neighbours(values: Float[Array, "3 atoms max"], graph: Graph) -> Float[Array, "3 atoms max"]:
    """For each pair (i, j) the value that `values` holds for (j, i).

    With it Σ_e over the pairs that end in an atom is a gather and a sum, which is faster than adding
    into places of memory.
    """
    return values.reshape(3, -1)[:, graph.opposite] * graph.pair_mask
