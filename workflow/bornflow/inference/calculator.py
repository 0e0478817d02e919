"""A trained model as an ASE calculator.

    calc = BornflowCalculator.from_checkpoint("results/models/physical-uncoupled/0")

Energy, forces and stress are exact derivatives of one function. In a constant electric field E
    H = E_0 − E · (M − M₀)                    (eq. 11)
    F_iβ = −∂E_0/∂r_iβ + Σ_α E_α Z[i, α, β]   (eq. 12)
with M − M₀ integrated along the path of the atoms. The reference M₀ is the dipole of the first structure,
unless the caller sets `dipole_change`. The Z of an uncoupled model are not derivatives of a dipole, so that H
depends on the path.
"""

import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.geometry import find_mic
from ase.stress import full_3x3_to_voigt_6_stress
from jaxtyping import Float

from .. import jax_setup
from ..composition import composition
from ..electrons import total_charge
from ..errors import BornflowError
from ..models.model import Prediction
from . import checkpoint
from .checkpoint import Checkpoint
from .neighbour_list import NeighbourList

JUMP = 1.0  # Å; an atom that moves farther in one step has not moved along a path


class BornflowCalculator(Calculator):
    """ASE calculator with energy, forces, stress, charges and born_effective_charges [N, 3, 3].

    born_effective_charges are [field, force] in e. Coupled models also have `screening` γ_i and
    `effective_charges` Q_i = γ_i q_i [e].

    `electric_field` [V/Å] is constant; with one there is no stress. `dipole_change` is M − M₀ [e Å] in the
    field; set it to resume a run or if M₀ is known. A step of more than JUMP, other atoms or another cell
    start a new path, with a warning. With `fixed_charges`, for comparison, forces omit the derivatives of the
    charges and are not a gradient.

    `seconds` is the time spent in the model so far, `neighbours.room` the sizes that its arrays are padded
    to. The constructor sets up jax (`jax_setup.configure`), and double precision for a `dtype` of float64.
    Raises BornflowError for another `dtype`, and for a field that is not three finite numbers.
    """

    implemented_properties = [  # noqa: RUF012 (as ASE declares it)
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
    ) -> None:
        super().__init__()
        jax_setup.configure()
        if dtype not in ("float32", "float64"):
            raise BornflowError(f"dtype is {dtype!r}; float32 and float64 are possible")
        if dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        self.model, self.baseline = checkpoint.model, checkpoint.baseline
        self.dtype = np.dtype(dtype)
        parameters = jax.tree.map(lambda x: jnp.asarray(x, self.dtype), checkpoint.parameters)
        # Weights are constants of the compiled step: expressions of weights alone are evaluated once. Without
        # the stress, a step omits the derivatives of the long-range sum with respect to the cell.
        self._evaluate = {
            strained: jax.jit(
                partial(self.model.evaluate, parameters, strained=strained, fixed_charges=fixed_charges),
                compiler_options=jax_setup.plain_loops(),
            )
            for strained in (False, True)
        }
        self._with_stress, self.seconds = False, 0.0
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
    def elements(self) -> tuple[str, ...]:
        """The elements that the model knows."""
        return self.model.elements

    @property
    def electric_field(self) -> np.ndarray | None:
        """The constant field [V/Å]; setting it discards earlier results."""
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
        """Discard results, the neighbour list and the path that the dipole was integrated along."""
        super().reset()
        self._own_atoms: Atoms | None = None
        self.neighbours = NeighbourList(self.model, self.dtype)
        self.reset_path()

    def reset_path(self) -> None:
        """Take the dipole of the next structure as M₀."""
        self._last: tuple[Atoms, Float[np.ndarray, "atoms 3 3"]] | None = None  # structure and its Z
        self.dipole_change = np.zeros(3)

    def renew_neighbours(self) -> None:
        """Discard the neighbour list, and the results that were evaluated with it."""
        self.neighbours.renew()
        self.results = {}

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Changes since the last evaluation; ASE's own comparison takes as long as a small model."""
        return _changes(self.atoms, atoms)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate the model; the class lists the properties.

        Raises BornflowError for unknown elements, impossible positions or cells, the stress in a field, and
        results that are not finite.
        """
        structure = self._copy_structure(atoms, system_changes)
        if "stress" in properties and self.electric_field is not None:
            raise BornflowError(
                "the stress in an electric field is not implemented; set electric_field to None"
            )
        self._with_stress |= "stress" in properties  # one request is usually followed by others
        graph = self.neighbours.graph(structure)
        begun = time.perf_counter()
        prediction = jax.device_get(self._evaluate[self._with_stress](graph))
        self.seconds += time.perf_counter() - begun
        _check_finite(prediction, structure)
        self.results = self._results(prediction, structure)

    def _copy_structure(self, atoms: Atoms | None, changes: Sequence[str]) -> Atoms:
        """This calculator's own copy of the structure; if only positions changed, only these are copied."""
        if self._own_atoms is None or atoms is None or set(changes) - {"positions"}:
            super().calculate(atoms)
            copy: Any = self.atoms  # ASE has copied it
            self._own_atoms = None  # until its elements are checked
            self._offset = float(composition(copy, self.model.elements) @ self.baseline)
            self._own_atoms = copy
            return copy
        self._own_atoms.positions[:] = atoms.positions
        self.atoms = self._own_atoms
        return self._own_atoms

    def _results(self, prediction: Prediction, structure: Atoms) -> dict[str, Any]:
        """ASE's properties from the arrays of a prediction, with the electric field added."""

        def unpadded(values: Any) -> np.ndarray:
            return np.asarray(values[: len(structure)], float)

        energy = float(prediction.energy) + self._offset
        forces, bec = unpadded(prediction.forces), unpadded(prediction.bec)
        if self.electric_field is not None:
            self._integrate_dipole(structure, bec)
            energy -= float(self.electric_field @ self.dipole_change)
            forces = forces + np.einsum("iab,a->ib", bec, self.electric_field)
        results: dict[str, Any] = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "charges": unpadded(prediction.charges),
            "born_effective_charges": bec,
        }
        for name in ("screening", "effective_charges"):
            if (values := getattr(prediction, name)) is not None:
                results[name] = unpadded(values)
        if self._with_stress and structure.pbc.all() and self.electric_field is None:
            stress = np.asarray(prediction.virial, float) / structure.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        return results

    def _integrate_dipole(self, atoms: Atoms, bec: Float[np.ndarray, "atoms 3 3"]) -> None:
        """Add ½ (Z + Z_before) · Δr of the last step to M − M₀.

        Steps are taken to the nearest periodic image. Other atoms, another cell or a step of more than JUMP
        start a new path.
        """
        if self._last is not None:
            before, bec_before = self._last
            is_other = bool(set(_changes(before, atoms)) - {"positions"})
            if not is_other:
                steps, lengths = find_mic(atoms.positions - before.positions, atoms.cell, atoms.pbc)
            if is_other or lengths.max() > JUMP:
                reason = "another structure or cell" if is_other else f"a step of {lengths.max():.1f} Å"
                warnings.warn(f"M₀ is the dipole after {reason}: H starts anew there", stacklevel=2)
                self.reset_path()
            else:
                mean_bec = (bec + bec_before) / 2
                self.dipole_change = self.dipole_change + np.einsum("iab,ib->a", mean_bec, steps)
        self._last = (atoms.copy(), bec)


def _check_finite(prediction: Prediction, atoms: Atoms) -> None:
    """Raise BornflowError where a prediction is not finite."""
    n = len(atoms)
    for what, padded in (("forces", prediction.forces), ("Born effective charges", prediction.bec)):
        is_finite = np.isfinite(np.asarray(padded)[:n]).reshape(n, -1).all(axis=1)
        if not is_finite.all():
            atom = int(np.argmin(is_finite))
            raise BornflowError(
                f"{what} of atom {atom} ({atoms.symbols[atom]}) are not finite: the structure is outside the "
                "range of the model; check the surroundings of this atom, or start from another structure"
            )
    if not np.isfinite(prediction.energy):
        atom = int(np.argmax(np.linalg.norm(np.asarray(prediction.forces)[:n], axis=1)))
        raise BornflowError(
            "the energy is not finite: the structure is outside the range of the model; atom "
            f"{atom} ({atoms.symbols[atom]}) has the largest force"
        )


def _changes(known: Atoms | None, atoms: Atoms) -> list[str]:
    """Names of the properties, as ASE calls them, in which two structures differ."""
    if known is None or len(known) != len(atoms) or (known.numbers != atoms.numbers).any():
        return list(all_changes)
    pairs = {
        "positions": (known.positions, atoms.positions),
        "cell": (known.cell.array, atoms.cell.array),
        "pbc": (known.pbc, atoms.pbc),
    }
    changes = [name for name, (before, now) in pairs.items() if (before != now).any()]
    return changes + (["initial_charges"] if total_charge(known) != total_charge(atoms) else [])
