"""From a structure to its graph, on the host with numpy: the list of pairs, then padding."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import vesin
from jaxtyping import Float, Int, Shaped
from numpy.typing import DTypeLike

from .. import geometry
from ..errors import BornflowError
from .graph import Graph, Shape

CLOSEST = 0.1  # Å; a smaller distance of two atoms is a mistake
MOST_WAVES = 1e9  # in the long-range sum, reached by a cube of about 100 nm; more do not fit into memory


class Pairs(NamedTuple):
    """A structure with its list of ordered pairs, sorted by centre and species of the neighbour."""

    species: Int[np.ndarray, " atoms"]
    positions: Float[np.ndarray, "atoms 3"]  # Å
    cell: Float[np.ndarray, "3 3"] | None  # Å, rows; None for an isolated structure
    first: Int[np.ndarray, " pairs"]  # the centre
    second: Int[np.ndarray, " pairs"]  # the neighbour
    shifts: Int[np.ndarray, "pairs 3"]  # cell vectors to add to the neighbour's position
    place: Int[np.ndarray, " pairs"]  # number of the pair among those of its centre and species, from 0
    shape: Shape


def list_pairs(
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"] | None,
    n_species: int,
    cutoff: float,
    k_max: float,
) -> Pairs:
    """All ordered pairs (i, j, shift) with |r_j + shift · cell − r_i| < cutoff [Å].

    A `cell` of None means isolated. Cells smaller than twice the cutoff are treated exactly. Wave vectors of
    the long-range sum reach k_max [Å⁻¹].

    Raises BornflowError if numbers are not finite, atoms are too far from the origin, two atoms coincide, or
    the cell has no volume or is too large for the sum over waves.
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
            f"atoms {first[pair]} and {second[pair]} coincide: their distance is {distances[pair]:.2g} Å; "
            "remove one of them, or check the positions and the cell"
        )
    group = first.astype(np.int64) * n_species + species[second]
    order = np.argsort(group, kind="stable")
    first, second, shifts, group = first[order].astype(np.int64), second[order], shifts[order], group[order]
    counts = np.bincount(group, minlength=len(species) * n_species)
    place = np.arange(len(group)) - (np.cumsum(counts) - counts)[group]
    blocks = tuple(int(n) for n in counts.reshape(-1, n_species).max(axis=0, initial=0))
    shape = Shape(len(species), blocks if any(blocks) else (1, *blocks[1:]), waves)
    return Pairs(species, positions, cell, first, second.astype(np.int64), shifts, place, shape)


def _wave_numbers(cell: Float[np.ndarray, "3 3"] | None, k_max: float) -> tuple[int, ...]:
    """The highest n along each cell vector with |2π n · cell⁻ᵀ| < k_max."""
    if cell is None:
        return ()
    highest = [np.floor(k_max * np.linalg.norm(vector) / (2 * np.pi)) for vector in cell]
    waves = math.prod(2 * float(n) + 1 for n in highest)
    if waves > MOST_WAVES:
        edges = ", ".join(f"{np.linalg.norm(vector):.4g}" for vector in cell)
        raise BornflowError(
            f"the cell has edges of {edges} Å: the long-range sum needs {waves:.1g} waves, of which at most "
            f"{MOST_WAVES:.0e} are possible; make the cell smaller, or check its unit of length, which is Å"
        )
    return tuple(map(int, highest))


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """The smallest shape that contains all `shapes`, which are all periodic or all isolated."""
    atoms, blocks, waves = zip(*shapes, strict=True)
    return Shape(max(atoms), *(tuple(map(max, zip(*sizes, strict=True))) for sizes in (blocks, waves)))


def pad(pairs: Pairs, shape: Shape | None = None, dtype: DTypeLike = np.float32, charge: float = 0) -> Graph:
    """The graph of a structure of total `charge` [e], padded to `shape` (by default to its own sizes)."""
    shape = shape or pairs.shape
    atoms, width = shape.atoms, sum(shape.blocks)
    starts = np.cumsum(shape.blocks) - shape.blocks
    flat = pairs.first * width + starts[pairs.species[pairs.second]] + pairs.place

    def fill(
        padding: Shaped[np.ndarray, "atoms neighbours ..."], values: Shaped[np.ndarray, "pairs ..."]
    ) -> Shaped[np.ndarray, "atoms neighbours ..."]:
        """`padding` with the pairs' `values` written over it."""
        rows = padding.reshape(atoms * width, -1)
        rows[flat] = np.reshape(values, (len(flat), rows.shape[1]))
        return padding

    def extend(values: Shaped[np.ndarray, "real ..."], kind: DTypeLike) -> Shaped[np.ndarray, "atoms ..."]:
        """The atoms' `values`, followed by zeros."""
        padded = np.zeros((atoms, *values.shape[1:]), kind)
        padded[: len(values)] = values
        return padded

    itself = np.repeat(np.arange(atoms, dtype=np.int32)[:, None], width, axis=1)
    own_place = np.arange(atoms * width, dtype=np.int32).reshape(atoms, width)
    waves = None
    if pairs.cell is not None:
        one, two, three = shape.waves
        ranges = ((-one, one), (-two, two), (0, three))
        waves = tuple(np.arange(low, high + 1, dtype=dtype) for low, high in ranges)
    return Graph(
        species=extend(pairs.species, np.int32),
        positions=extend(pairs.positions, dtype),
        cell=np.asarray(np.eye(3) if pairs.cell is None else pairs.cell, dtype),
        charge=np.asarray(charge, dtype),
        neighbours=fill(itself, pairs.second),
        opposite=fill(own_place, flat[_opposite(pairs)]),
        shifts=np.moveaxis(fill(np.zeros((atoms, width, 3), dtype), pairs.shifts), -1, 0).copy(),
        pair_mask=fill(np.zeros((atoms, width), dtype), np.ones(len(flat))),
        atom_mask=extend(np.ones(len(pairs.species)), dtype),
        waves=waves,
        blocks=shape.blocks,
    )


def _opposite(pairs: Pairs) -> Int[np.ndarray, " pairs"]:
    """For each pair (i, j, shift) the index of (j, i, −shift)."""
    first, second, shifts = pairs.first, pairs.second, pairs.shifts.astype(np.int64)
    width = 2 * int(np.abs(shifts).max(initial=0)) + 1
    code = shifts @ np.array([width**2, width, 1])
    atoms = len(pairs.species)
    order = np.argsort((first * atoms + second) * width**3 + code)
    mirrored = np.argsort((second * atoms + first) * width**3 - code)
    opposite = np.empty(len(first), np.int64)
    opposite[order] = mirrored
    return opposite
