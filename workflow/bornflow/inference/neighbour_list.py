"""The padded graph of a moving structure; its neighbour list is rebuilt only when atoms have moved enough."""

import math
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from ..composition import composition
from ..electrons import total_charge
from ..errors import BornflowError
from ..identity import kind, name
from ..models.graph import Graph, Shape
from ..models.model import Model
from ..models.pairs import common_shape, pad

SKIN = 0.5  # Å; the neighbour list is rebuilt when an atom has moved by half of it
HEADROOM = 1.1  # arrays have room for this factor times the neighbours; recompilation is then rare

Cell = Float[np.ndarray, "3 3"]


class Listed(NamedTuple):
    """The structure that a list was built for, and its graph on the device."""

    positions: Float[np.ndarray, "atoms 3"]  # Å
    cell: Cell | None  # Å, rows; None if isolated
    numbers: Int[np.ndarray, " atoms"]
    graph: Graph


class NeighbourList:
    """A model's neighbour list with a skin, in arrays that have room for more neighbours."""

    def __init__(self, model: Model, dtype: np.dtype) -> None:
        self.model, self.dtype = model, dtype
        self._shape: Shape | None = None
        self._listed: Listed | None = None

    def graph(self, atoms: Atoms) -> Graph:
        """The graph at the present positions. Raises BornflowError for an invalid structure."""
        cell = atoms.cell.array if kind(atoms) == "bulk" else None
        if self._listed is None or _needs_rebuild(self._listed, atoms, cell):
            self._listed = self._build(atoms, cell)
        graph = self._listed.graph
        padded = np.zeros(graph.positions.shape, self.dtype)
        padded[: len(atoms)] = atoms.positions
        return replace(graph, positions=padded, charge=np.asarray(total_charge(atoms), self.dtype))

    def renew(self) -> None:
        """Discard the list, so that the next graph has a new one."""
        self._listed = None

    @property
    def room(self) -> list[list[int]] | None:
        """The sizes that arrays are padded to.

        A resumed run restores them, so that its rounding errors are those of an uninterrupted run.
        """
        return None if self._shape is None else [list(map(int, np.ravel(sizes))) for sizes in self._shape]

    @room.setter
    def room(self, sizes: list[list[int]] | None) -> None:
        if sizes is not None:
            (atoms,), blocks, waves = sizes
            self._shape = Shape(atoms, tuple(blocks), tuple(waves))

    def _build(self, atoms: Atoms, cell: Cell | None) -> Listed:
        composition(atoms, self.model.elements)  # rejects unknown elements
        try:
            pairs = self.model.pairs(atoms.numbers, atoms.positions, cell, SKIN)
        except BornflowError as error:
            raise BornflowError(f"structure {name(atoms)}: {error}") from error
        if self._shape is None or not _fits(pairs.shape, self._shape):
            self._shape = _with_headroom(pairs.shape, self._shape)
        graph = jax.device_put(pad(pairs, self._shape, self.dtype))
        return Listed(atoms.positions.copy(), cell, atoms.numbers.copy(), graph)


def _needs_rebuild(listed: Listed, atoms: Atoms, cell: Cell | None) -> bool:
    """Whether atoms or cell have changed, or an atom has moved by half the skin."""
    if len(listed.numbers) != len(atoms) or (listed.numbers != atoms.numbers).any():
        return True
    if (cell is None) != (listed.cell is None):
        return True
    if cell is not None and (cell != listed.cell).any():
        return True
    farthest = np.sum((atoms.positions - listed.positions) ** 2, axis=1).max()
    return not farthest <= (SKIN / 2) ** 2  # true for NaN too, which the list then rejects


def _fits(needed: Shape, room: Shape) -> bool:
    """Whether a structure of the shape `needed` fits into `room` without padding atoms."""
    if room.atoms != needed.atoms or bool(room.waves) != bool(needed.waves):
        return False
    sizes = zip((*room.blocks, *room.waves), (*needed.blocks, *needed.waves), strict=True)
    return all(size >= least for size, least in sizes)


def _with_headroom(needed: Shape, room: Shape | None) -> Shape:
    """Room for more neighbours of each species and, in a cell that changes, for more waves.

    As long as the number of atoms is the same, no size decreases.
    """
    blocks = tuple(size and 2 * math.ceil(HEADROOM * size / 2) for size in needed.blocks)
    shape = needed._replace(blocks=blocks)
    if room is None or room.atoms != needed.atoms or bool(room.waves) != bool(needed.waves):
        return shape
    waves = tuple(now if size >= now else now + 1 for size, now in zip(room.waves, needed.waves, strict=True))
    return common_shape([shape._replace(waves=waves), room])
