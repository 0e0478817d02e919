"""The arrays a model sees: one structure as padded neighbour lists, built on the host with numpy.

Neighbours are laid out as [atoms, max neighbours], so that sums over them are dense contractions.
Padding atoms come last; padding neighbours point at the atom itself with a mask of zero. `edges` and
`from_neighbours` are what the device does with the lists.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import vesin
from jaxtyping import Array, Float, Int


class Graph(NamedTuple):
    """One structure. A batch has one more leading axis on every array."""

    species: Int[Array, " atoms"]  # index into the model's elements; 0 for padding
    positions: Float[Array, "atoms 3"]  # Å
    cell: Float[Array, "3 3"]  # Å, rows; the identity for isolated structures
    neighbours: Int[Array, "atoms max"]
    opposite: Int[Array, "atoms max"]  # place in the flattened list of the pair seen from the other end
    shifts: Float[Array, "atoms max 3"]  # lattice vectors added to the neighbour
    pair_mask: Float[Array, "atoms max"]
    atom_mask: Float[Array, " atoms"]
    kpoints: Float[Array, "k 3"] | None  # integer wave vectors of half of k-space; None: isolated


class Shape(NamedTuple):
    """Sizes that arrays are padded to; structures of one shape share compiled code."""

    atoms: int
    neighbours: int
    kpoints: int  # 0: isolated


def neighbour_pairs(
    positions: np.ndarray, cell: np.ndarray | None, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All ordered pairs (i, j, shift) with |r_j + shift · cell − r_i| < cutoff, sorted by i.

    A `cell` of None means isolated. Cells smaller than twice the cutoff are treated exactly.
    """
    periodic = cell is not None
    first, second, shifts = vesin.NeighborList(cutoff=cutoff, full_list=True).compute(
        points=np.asarray(positions, dtype=np.float64),
        box=np.asarray(cell if periodic else np.eye(3), dtype=np.float64),
        periodic=periodic,
        quantities="ijS",
    )
    order = np.argsort(first, kind="stable")
    return first[order].astype(np.int64), second[order].astype(np.int64), shifts[order]


def _opposite(first: np.ndarray, second: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """For each pair (i, j, shift) of a full list the index of (j, i, −shift)."""
    atoms, reach = int(first.max(initial=0)) + 1, int(np.abs(shifts).max(initial=0))
    width = 2 * reach + 1
    code = (shifts @ np.array([width**2, width, 1])).astype(np.int64)
    order = np.argsort((first * atoms + second) * width**3 + code)
    mirrored = np.argsort((second * atoms + first) * width**3 - code)
    opposite = np.empty(len(first), np.int64)
    opposite[order] = mirrored
    return opposite


def wave_vectors(cell: np.ndarray, k_max: float) -> np.ndarray:
    """Integer triples n with |2π n · cell⁻ᵀ| < k_max, one of each pair ±n, without zero."""
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    reach = np.ceil(k_max * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    half = grid[len(grid) // 2 + 1 :]  # the grid is symmetric about its middle, which is zero
    return half[np.linalg.norm(half @ reciprocal, axis=1) < k_max].astype(float)


def build(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray | None,
    cutoff: float,
    k_max: float,
    shape: Shape | None = None,
    dtype=np.float32,
) -> Graph:
    """The graph of one structure, padded to `shape` (default: to its own sizes)."""
    first, second, shifts = neighbour_pairs(positions, cell, cutoff)
    counts = np.bincount(first, minlength=len(species))
    kpoints = wave_vectors(cell, k_max) if cell is not None else np.zeros((0, 3))
    if shape is None:
        shape = Shape(len(species), max(int(counts.max(initial=1)), 1), len(kpoints))
    slots = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    neighbours = np.repeat(np.arange(shape.atoms)[:, None], shape.neighbours, axis=1)
    neighbours[first, slots] = second
    opposite = np.arange(shape.atoms * shape.neighbours).reshape(shape.atoms, shape.neighbours)
    opposite[first, slots] = (first * shape.neighbours + slots)[_opposite(first, second, shifts)]
    padded_shifts = np.zeros((shape.atoms, shape.neighbours, 3), dtype)
    padded_shifts[first, slots] = shifts
    pair_mask = np.zeros((shape.atoms, shape.neighbours), dtype)
    pair_mask[first, slots] = 1
    atom_mask = np.zeros(shape.atoms, dtype)
    atom_mask[: len(species)] = 1
    padded_positions = np.zeros((shape.atoms, 3), dtype)
    padded_positions[: len(species)] = positions
    padded_species = np.zeros(shape.atoms, np.int32)
    padded_species[: len(species)] = species
    padded_kpoints = None
    if cell is not None:
        padded_kpoints = np.zeros((shape.kpoints, 3), dtype)
        padded_kpoints[: len(kpoints)] = kpoints
    return Graph(
        species=padded_species,
        positions=padded_positions,
        cell=np.asarray(np.eye(3) if cell is None else cell, dtype),
        neighbours=neighbours.astype(np.int32),
        opposite=opposite.astype(np.int32),
        shifts=padded_shifts,
        pair_mask=pair_mask,
        atom_mask=atom_mask,
        kpoints=padded_kpoints,
    )


def edges(graph: Graph) -> Float[Array, "atoms max 3"]:
    """Vectors r_j + shift − r_i [Å] of all neighbours.

    Padding gets a vector of unit length, so that no derivative is singular.
    """
    vectors = graph.positions[graph.neighbours] + graph.shifts @ graph.cell - graph.positions[:, None]
    return jnp.where(graph.pair_mask[..., None] > 0, vectors, jnp.array([0.0, 0.0, 1.0], vectors.dtype))


def lengths(vectors: Float[Array, "*rest 3"]) -> Float[Array, "*rest"]:
    """Euclidean norms of vectors that are not zero."""
    return jnp.sqrt(jnp.sum(vectors**2, axis=-1))


def from_neighbours(values: Float[Array, "atoms max *rest"], graph: Graph) -> Float[Array, "atoms max *rest"]:
    """For each pair (i, j) the value that `values` holds for (j, i).

    With it Σ_e over the pairs that end in an atom is a gather and a sum, which is faster than adding
    into places of memory.
    """
    flat = values.reshape(-1, *values.shape[2:])
    mask = graph.pair_mask.reshape(*graph.pair_mask.shape, *(1,) * (values.ndim - 2))
    return flat[graph.opposite] * mask


def own_shape(graph: Graph) -> Shape:
    """The sizes of a graph."""
    kpoints = 0 if graph.kpoints is None else graph.kpoints.shape[-2]
    return Shape(graph.species.shape[-1], graph.neighbours.shape[-1], kpoints)
