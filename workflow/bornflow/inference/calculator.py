"""A trained model as an ASE calculator.

    calc = BornflowCalculator.from_checkpoint("results/models/physical-uncoupled/0")

Energy, forces and stress are exact derivatives of one function. In a constant electric field E
    H = E_0 − E · (M − M₀)                    (eq. 11)
    F_iβ = −∂E_0/∂r_iβ + Σ_α E_α Z[i, α, β]   (eq. 12)
with M − M₀ integrated along the path of the atoms: the reference M₀ is the dipole of the first structure, or
what who sets `dipole_change` takes for it. An uncoupled model's Z are no derivatives of a dipole, so that
there H depends on the path.
"""

import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.geometry import find_mic
from ase.stress import full_3x3_to_voigt_6_stress

from .. import jax_setup
from ..composition import composition
from ..errors import BornflowError
from ..models.model import Prediction
from . import checkpoint
from .checkpoint import Checkpoint
from .neighbours import Neighbours

JUMP = 1.0  # Å; an atom that moves farther in one step has not moved along a path


class BornflowCalculator(Calculator):
    """ASE calculator with energy, forces, stress, charges and born_effective_charges [N, 3, 3].

    Coupled models have `screening` γ_i and `effective_charges` Q_i = γ_i q_i [e] too.
    born_effective_charges are [field, force] in e. `electric_field` [V/Å] is constant, and in one there is no
    stress; `dipole_change` is M − M₀ [e Å] in a field, set by who goes on with a run or knows M₀. A step of
    more than JUMP, other atoms or another cell begin a new path, with a warning. With `fixed_charges` forces
    are no gradient: the derivatives of charges are left out, for comparison. `seconds` is the time in the
    model so far, `neighbours.room` what its arrays are padded to.
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
        jax_setup.configure()
        if dtype not in ("float32", "float64"):
            raise BornflowError(f"dtype is {dtype!r}; float32 and float64 are possible")
        if dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        self.model, self.baseline = checkpoint.model, checkpoint.baseline
        self.dtype = np.dtype(dtype)
        parameters = jax.tree.map(lambda x: jnp.asarray(x, self.dtype), checkpoint.parameters)
        # Weights are constants of the compiled step: what depends on them alone is evaluated once.
        # Without the stress a step saves the derivatives of the long-range sum with respect to the cell.
        options = jax_setup.plain_loops() if self.model.network.is_coupled else None
        self._evaluate = {
            strained: jax.jit(
                partial(self.model.evaluate, parameters, strained=strained, fixed_charges=fixed_charges),
                compiler_options=options,
            )
            for strained in (False, True)
        }
        self._strained, self.seconds = False, 0.0
        self.electric_field = electric_field
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

    @property
    def electric_field(self) -> np.ndarray | None:
        """The constant field [V/Å]; setting it makes results stale."""
        return self._electric_field

    @electric_field.setter
    def electric_field(self, field: np.ndarray | None) -> None:
        if field is not None:
            field = np.asarray(field, float)
            if field.shape != (3,) or not np.isfinite(field).all():
                raise BornflowError(
                    f"electric_field is {field.tolist()}; three finite numbers [V/Å] are needed"
                )
        self._electric_field, self.results = field, {}

    def reset(self) -> None:
        """Forget results, the neighbour list and the path that the dipole was integrated along."""
        super().reset()
        self._held: Atoms | None = None
        self.neighbours = Neighbours(self.model, self.dtype)
        self.forget_path()

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What changed since the last evaluation; ASE's own comparison takes as long as a small model."""
        return _changes(self.atoms, atoms)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Evaluate the model; see the class for properties."""
        self._take(atoms, system_changes)
        if "stress" in properties and self.electric_field is not None:
            raise BornflowError(
                "the stress in an electric field is not known here; set electric_field to None"
            )
        self._strained |= "stress" in properties  # who asks once asks again
        graph = self.neighbours.graph(self.atoms)
        begun = time.perf_counter()
        out = jax.device_get(self._evaluate[self._strained](graph))
        self.seconds += time.perf_counter() - begun
        n = len(self.atoms)
        self._check(out, n)
        energy = float(out.energy) + self._offset
        forces = np.asarray(out.forces[:n], float)
        bec = np.asarray(out.bec[:n], float)
        if self.electric_field is not None:
            self._go_on(self.atoms, bec)
            energy -= float(self.electric_field @ self.dipole_change)
            forces = forces + np.einsum("iab,a->ib", bec, self.electric_field)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "charges": np.asarray(out.charges[:n], float),
            "born_effective_charges": bec,
        }
        for name in ("screening", "effective_charges"):
            if (values := getattr(out, name)) is not None:
                self.results[name] = np.asarray(values[:n], float)
        if self._strained and self.atoms.pbc.all() and self.electric_field is None:
            stress = np.asarray(out.virial, float) / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _take(self, atoms: Atoms | None, changes: Sequence[str]) -> None:
        """Hold a copy of the structure; where it has but moved, its positions are all that is copied."""
        if self._held is None or atoms is None or set(changes) - {"positions"}:
            super().calculate(atoms)
            self._held = None  # until its elements are known to be the model's
            self._offset = float(composition(self.atoms, self.model.elements) @ self.baseline)
            self._held = self.atoms
            return
        self._held.positions[:] = atoms.positions
        self.atoms = self._held

    def _check(self, out: Prediction, n: int) -> None:
        for what, values in (("forces", out.forces), ("Born effective charges", out.bec)):
            if not np.isfinite(values[:n]).all():
                atom = int(np.argmin(np.isfinite(values[:n]).reshape(n, -1).all(axis=1)))
                where = f"{what} of atom {atom} ({self.atoms.symbols[atom]}) are"
                raise BornflowError(f"{where} not finite: the model does not hold this structure")
        if not np.isfinite(out.energy):
            atom = int(np.argmax(np.linalg.norm(out.forces[:n], axis=1)))
            where = f"atom {atom} ({self.atoms.symbols[atom]}) has the largest force"
            raise BornflowError(f"the energy is not finite: the model does not hold this structure; {where}")

    def forget_path(self) -> None:
        """Let M₀ be the dipole of the next structure."""
        self._path: tuple | None = None  # positions and Born effective charges of the last evaluation
        self.dipole_change = np.zeros(3)

    def renew_neighbours(self) -> None:
        """Forget the neighbour list, and what was evaluated with it."""
        self.neighbours.renew()
        self.results = {}

    def _go_on(self, atoms: Atoms, bec: np.ndarray) -> None:
        """Add the last stretch of the path of the atoms to M − M₀, by the trapezoidal rule.

        Other atoms, another cell or a step of more than JUMP start a path of their own; a step by a cell
        vector is none.
        """
        if self._path is not None:
            before, bec_before = self._path
            is_other = set(_changes(before, atoms)) - {"positions"}
            if not is_other:
                steps, lengths = find_mic(atoms.positions - before.positions, atoms.cell, atoms.pbc)
            if is_other or lengths.max() > JUMP:
                reason = "another structure or cell" if is_other else f"a step of {lengths.max():.1f} Å"
                warnings.warn(f"M₀ is the dipole after {reason}: H begins anew there", stacklevel=2)
                self.forget_path()
            else:
                self.dipole_change = self.dipole_change + np.einsum(
                    "iab,ib->a", (bec + bec_before) / 2, steps
                )
        self._path = (atoms.copy(), bec)


def _changes(known: Atoms | None, atoms: Atoms) -> list[str]:
    if known is None or len(known) != len(atoms) or (known.numbers != atoms.numbers).any():
        return list(all_changes)
    pairs = {
        "positions": (known.positions, atoms.positions),
        "cell": (known.cell.array, atoms.cell.array),
        "pbc": (known.pbc, atoms.pbc),
    }
    return [name for name, (before, now) in pairs.items() if (before != now).any()]
