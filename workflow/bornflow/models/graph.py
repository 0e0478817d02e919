"""The arrays that a model sees: one structure with its padded neighbour list.

The list has the shape [atoms, neighbours], with a block of entries for each neighbour species, so that sums
over neighbours are dense contractions. Padding atoms come last. A padding entry refers to the atom itself and
has a mask of zero.

`pairs` builds a graph on the host with numpy; the functions here evaluate it on the device with jax.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from .types import Distances, HostOrDevice, Vectors


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "species",
        "positions",
        "cell",
        "charge",
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
    """One structure. A batch has one more leading axis on every array.

    For type checkers a field is Any, because jax temporarily replaces arrays by placeholders.
    """

    species: Annotated[Any, Int[HostOrDevice, " atoms"]]  # index into the model's elements; 0 for padding
    positions: Annotated[Any, Float[HostOrDevice, "atoms 3"]]  # Å
    cell: Annotated[Any, Float[HostOrDevice, "3 3"]]  # Å, rows; the identity for isolated structures
    charge: Annotated[Any, Float[HostOrDevice, ""]]  # e, the total charge
    neighbours: Annotated[Any, Int[HostOrDevice, "atoms neighbours"]]  # index of the neighbour
    # For each pair (i, j), the index of the pair (j, i) in the flattened list.
    opposite: Annotated[Any, Int[HostOrDevice, "atoms neighbours"]]
    # Cell vectors to add to the neighbour's position: integers, stored as floats.
    shifts: Annotated[Any, Float[HostOrDevice, "3 atoms neighbours"]]
    pair_mask: Annotated[Any, Float[HostOrDevice, "atoms neighbours"]]
    atom_mask: Annotated[Any, Float[HostOrDevice, " atoms"]]
    waves: Any  # three arrays of wave numbers: −n₁ … n₁, −n₂ … n₂, 0 … n₃; None for isolated structures
    blocks: tuple[int, ...]  # entries for each neighbour species; their sum is the axis `neighbours`


class Shape(NamedTuple):
    """The sizes that arrays are padded to; structures of one shape share compiled code."""

    atoms: int
    blocks: tuple[int, ...]  # largest number of neighbours of each species
    waves: tuple[int, ...]  # highest wave number along each cell vector; empty for isolated structures


def edge_vectors(graph: Graph) -> Vectors:
    """Vectors R_ij = r_j + shift · cell − r_i [Å] to all neighbours, components first.

    Padding gets a vector of unit length, so that no derivative is singular.
    """
    components = []
    for axis in range(3):
        shift = sum(graph.shifts[k] * graph.cell[k, axis] for k in range(3))
        positions = graph.positions[:, axis]
        component = positions[graph.neighbours] + shift - positions[:, None]
        components.append(jnp.where(graph.pair_mask > 0, component, float(axis == 2)))
    return jnp.stack(components)


def lengths(vectors: Vectors) -> Distances:
    """Euclidean norms of nonzero vectors."""
    return jnp.sqrt(vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2)


def at_opposite_pairs(values: Vectors, graph: Graph) -> Vectors:
    """For each pair (i, j) the value of the pair (j, i); zero for padding.

    This turns the sum over all pairs that end at an atom into a gather and a sum, which is faster than a
    scatter.
    """
    return values.reshape(3, -1)[:, graph.opposite] * graph.pair_mask
