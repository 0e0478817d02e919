"""A trained model as an ASE calculator.

    calc = BornflowCalculator.from_checkpoint("results/models/physical-uncoupled/0")

Energy, forces and stress are exact derivatives of one function. In a constant electric field E
    H = E_0 − E · (M − M₀)                    (eq. 11)
    F_iβ = −∂E_0/∂r_iβ + Σ_α E_α Z[i, α, β]   (eq. 12)
with M − M₀ integrated along the path of the atoms since the first evaluation.
"""

import math
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from .. import runtime
from ..errors import BornflowError
from ..frames import kind
from ..models.graph import Graph, Shape, pad
from ..training import checkpoint
from ..training.checkpoint import Checkpoint
from ..training.data import composition

SKIN = 0.5  # Å; the neighbour list is made again when an atom has moved by half of it
HEADROOM = 1.1  # room for more neighbours before anything is compiled again


class BornflowCalculator(Calculator):
    """ASE calculator with energy, forces, stress, charges and born_effective_charges [N, 3, 3].

    Coupled models have `screening` γ_i and `effective_charges` Q_i = γ_i q_i [e] too.
    born_effective_charges are [field, force] in e. `electric_field` [V/Å] is constant; `dipole_change` is
    M − M₀ [e Å] in a field, set by who goes on with a run. With `fixed_charges` forces are no gradient: the
    derivatives of charges are left out, for comparison. `seconds` is the time spent in the model so far.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "forces",
        "stress",
        "charges",
        "born_effective_charges",
        "screening",
        "effective_charges",
    ]

    def __init__(
        self,
        checkpoint: Checkpoint,
        electric_field: np.ndarray | None = None,
        dtype: str = "float32",
        fixed_charges: bool = False,
    ):
        super().__init__()
        runtime.keep_compiled()
        if dtype not in ("float32", "float64"):
            raise BornflowError(f"dtype is {dtype!r}; float32 and float64 are possible")
        if dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        self.model, self.baseline = checkpoint.model, checkpoint.baseline
        self.dtype = np.dtype(dtype)
        parameters = jax.tree.map(lambda x: jnp.asarray(x, self.dtype), checkpoint.parameters)
        # Weights are constants of the compiled step: what depends on them alone is evaluated once.
        # Without the stress a step saves the derivatives of the long-range sum with respect to the cell.
        self._evaluate = {
            strained: jax.jit(
                partial(self.model.evaluate, parameters, strained=strained, fixed_charges=fixed_charges)
            )
            for strained in (False, True)
        }
        self._strained, self.seconds = False, 0.0
        self.electric_field = None if electric_field is None else np.asarray(electric_field, float)
        self.reset()

    @classmethod
    def from_checkpoint(
        cls,
        directory: str | Path,
        electric_field: np.ndarray | None = None,
        dtype: str = "float32",
        fixed_charges: bool = False,
    ) -> "BornflowCalculator":
        """The calculator of a folder written by `bornflow.training.train`."""
        return cls(checkpoint.load(directory), electric_field, dtype, fixed_charges)

    def reset(self) -> None:
        """Forget results, the neighbour list and the path that the dipole was integrated along."""
        super().reset()
        self._graph: Graph | None = None
        self._shape: Shape | None = None
        self._listed: tuple | None = None  # positions, cell, species the list was made for
        self.forget_path()

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What changed since the last evaluation; ASE's own comparison takes as long as a small model."""
        known = self.atoms
        if known is None or len(known) != len(atoms) or (known.numbers != atoms.numbers).any():
            return list(all_changes)
        pairs = {
            "positions": (known.positions, atoms.positions),
            "cell": (known.cell.array, atoms.cell.array),
            "pbc": (known.pbc, atoms.pbc),
        }
        return [name for name, (before, now) in pairs.items() if (before != now).any()]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Evaluate the model; see the class for properties."""
        super().calculate(atoms, properties, system_changes)
        self._strained |= "stress" in properties  # who asks once asks again
        graph = self._current_graph(self.atoms)
        begun = time.perf_counter()
        out = jax.device_get(self._evaluate[self._strained](graph))
        self.seconds += time.perf_counter() - begun
        n = len(self.atoms)
        counts = composition(self.atoms, self.model.elements)
        energy = float(out["energy"]) + float(counts @ self.baseline)
        forces = np.asarray(out["forces"][:n], float)
        bec = np.asarray(out["bec"][:n], float)
        if self.electric_field is not None:
            self._go_on(self.atoms.positions, bec)
            energy -= float(self.electric_field @ self.dipole_change)
            forces = forces + np.einsum("iab,a->ib", bec, self.electric_field)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "charges": np.asarray(out["charges"][:n], float),
            "born_effective_charges": bec,
        }
        for name in ("screening", "effective_charges"):
            if name in out:
                self.results[name] = np.asarray(out[name][:n], float)
        if self._strained and self.atoms.pbc.all():
            stress = np.asarray(out["virial"], float) / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    @property
    def room(self) -> list | None:
        """What arrays are padded to, which a resumed run sets so that it rounds like an undisturbed one."""
        return None if self._shape is None else [list(map(int, np.ravel(sizes))) for sizes in self._shape]

    @room.setter
    def room(self, sizes: list | None) -> None:
        if sizes is not None:
            (atoms,), blocks, waves = sizes
            self._shape = Shape(atoms, tuple(blocks), tuple(waves))

    def forget_path(self) -> None:
        """Let M₀ be the dipole of the next structure."""
        self._path: tuple | None = None  # positions and Born effective charges of the last evaluation
        self.dipole_change = np.zeros(3)

    def renew_neighbours(self) -> None:
        """Forget the neighbour list, and what was evaluated with it."""
        self._listed = None
        self.results = {}

    def _go_on(self, positions: np.ndarray, bec: np.ndarray) -> None:
        """Add the last stretch of the path of the atoms to M − M₀, by the trapezoidal rule."""
        if self._path is not None:
            before, bec_before = self._path
            self.dipole_change = self.dipole_change + np.einsum(
                "iab,ib->a", (bec + bec_before) / 2, positions - before
            )
        self._path = (positions.copy(), bec)

    def _current_graph(self, atoms: Atoms) -> Graph:
        if not np.isfinite(atoms.positions).all():
            bad = int(np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))[0])
            raise BornflowError(f"the position of atom {bad} is not finite: the run has diverged")
        cell = atoms.cell.array if kind(atoms) == "bulk" else None
        if cell is not None and abs(np.linalg.det(cell)) < 1e-6:
            raise BornflowError("the cell has no volume; set a cell or switch periodicity off")
        if self._listed is None or self._moved(atoms, cell):
            self._build(atoms, cell)
        padded = np.zeros((self._shape.atoms, 3), self.dtype)
        padded[: len(atoms)] = atoms.positions
        return replace(self._graph, positions=padded)

    def _moved(self, atoms: Atoms, cell: np.ndarray | None) -> bool:
        positions, listed_cell, numbers = self._listed
        if len(numbers) != len(atoms) or (numbers != atoms.numbers).any():
            return True
        if (cell is None) != (listed_cell is None):
            return True
        if cell is not None and (cell != listed_cell).any():
            return True
        farthest = np.sum((atoms.positions - positions) ** 2, axis=1).max()
        return bool(farthest > (SKIN / 2) ** 2)

    def _build(self, atoms: Atoms, cell: np.ndarray | None) -> None:
        composition(atoms, self.model.elements)  # refuses unknown elements
        pairs = self.model.pairs(atoms.numbers, atoms.positions, cell, SKIN)
        if self._shape is None or not _holds(self._shape, pairs.shape):
            self._shape = _with_headroom(pairs.shape)
        self._graph = jax.device_put(pad(pairs, self._shape, self.dtype))
        self._listed = (atoms.positions.copy(), cell, atoms.numbers.copy())


def _holds(have: Shape, need: Shape) -> bool:
    """Whether a structure of the shape `need` fits into `have` with no atom to spare."""
    if have.atoms != need.atoms or bool(have.waves) != bool(need.waves):
        return False
    return all(a >= b for a, b in zip((*have.blocks, *have.waves), (*need.blocks, *need.waves), strict=True))


def _with_headroom(shape: Shape) -> Shape:
    """Room for more neighbours of each species."""
    blocks = tuple(size and 2 * math.ceil(HEADROOM * size / 2) for size in shape.blocks)
    return Shape(shape.atoms, blocks, shape.waves)
