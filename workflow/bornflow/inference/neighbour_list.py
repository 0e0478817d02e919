"""The padded graph of a structure that moves, with neighbour lists that are made again only when needed."""

import math
from dataclasses import replace

import jax
import numpy as np
from ase import Atoms

from ..composition import composition
from ..errors import BornflowError
from ..io.frames import kind, name
from ..models.graph import Graph, Shape, common_shape, pad
from ..models.model import Model

SKIN = 0.5  # Å; the neighbour list is made again when an atom has moved by half of it
HEADROOM = 1.1  # room for more neighbours before anything is compiled again


class Neighbours:
    """Lists of a model's neighbours with a skin, in arrays that have room for more of them."""

    def __init__(self, model: Model, dtype: np.dtype):
        self.model, self.dtype = model, dtype
        self._graph: Graph | None = None
        self._shape: Shape | None = None
        self._listed: tuple | None = None  # positions, cell, species the list was made for

    def graph(self, atoms: Atoms) -> Graph:
        """The graph at the present positions. Raises BornflowError for what is no structure."""
        cell = atoms.cell.array if kind(atoms) == "bulk" else None
        if self._listed is None or self._moved(atoms, cell):
            self._build(atoms, cell)
        padded = np.zeros((self._shape.atoms, 3), self.dtype)
        padded[: len(atoms)] = atoms.positions
        return replace(self._graph, positions=padded)

    def renew(self) -> None:
        """Forget the list."""
        self._listed = None

    @property
    def room(self) -> list | None:
        """What arrays are padded to, which a resumed run sets so that it rounds like an undisturbed one."""
        return None if self._shape is None else [list(map(int, np.ravel(sizes))) for sizes in self._shape]

    @room.setter
    def room(self, sizes: list | None) -> None:
        if sizes is not None:
            (atoms,), blocks, waves = sizes
            self._shape = Shape(atoms, tuple(blocks), tuple(waves))

    def _moved(self, atoms: Atoms, cell: np.ndarray | None) -> bool:
        positions, listed_cell, numbers = self._listed
        if len(numbers) != len(atoms) or (numbers != atoms.numbers).any():
            return True
        if (cell is None) != (listed_cell is None):
            return True
        if cell is not None and (cell != listed_cell).any():
            return True
        farthest = np.sum((atoms.positions - positions) ** 2, axis=1).max()
        return not farthest <= (SKIN / 2) ** 2  # also if it is no number, which the list rejects

    def _build(self, atoms: Atoms, cell: np.ndarray | None) -> None:
        composition(atoms, self.model.elements)  # rejects unknown elements
        try:
            pairs = self.model.pairs(atoms.numbers, atoms.positions, cell, SKIN)
        except BornflowError as error:
            raise BornflowError(f"structure {name(atoms)}: {error}") from error
        if self._shape is None or not _holds(self._shape, pairs.shape):
            self._shape = _with_headroom(pairs.shape, self._shape)
        self._graph = jax.device_put(pad(pairs, self._shape, self.dtype))
        self._listed = (atoms.positions.copy(), cell, atoms.numbers.copy())


def _holds(have: Shape, need: Shape) -> bool:
    """Whether a structure of the shape `need` fits into `have` with no atom to spare."""
    if have.atoms != need.atoms or bool(have.waves) != bool(need.waves):
        return False
    return all(a >= b for a, b in zip((*have.blocks, *have.waves), (*need.blocks, *need.waves), strict=True))


def _with_headroom(need: Shape, have: Shape | None) -> Shape:
    """Room for more neighbours of each species, in a cell that changes for more waves; never for fewer."""
    shape = need._replace(blocks=tuple(size and 2 * math.ceil(HEADROOM * size / 2) for size in need.blocks))
    if have is None or have.atoms != need.atoms or bool(have.waves) != bool(need.waves):
        return shape
    waves = tuple(now if room >= now else now + 1 for room, now in zip(have.waves, need.waves, strict=True))
    return common_shape([shape._replace(waves=waves), have])
