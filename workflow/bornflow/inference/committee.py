"""A committee of models as an ASE calculator: mean predictions and their uncertainties.

    committee = CommitteeCalculator.from_checkpoints(
        ["results/models/physical-local/0", "results/models/physical-local/1"],
        calibration="results/training/committee/physical-local.json",
    )

Models of one variant that were trained with different seeds agree where the labels determine the prediction.
With the predictions x_m of M models, the uncertainty of their mean is estimated as

    σ = c √(Σ_m (x_m − x̄)² / (M − 1))

(deep ensembles, arXiv:1612.01474). The factor c of each quantity is fitted to held-out labels by
`bornflow.training.committee`; without a calibration it is 1, and σ is then usually too small.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from ..errors import BornflowError
from ..io.calibration import read_scales
from . import checkpoint
from .calculator import BornflowCalculator
from .checkpoint import Checkpoint

# Properties with an uncertainty, by the name of the quantity in a calibration.
UNCERTAIN = {"energy": "energy", "forces": "forces", "bec": "born_effective_charges"}
MEANS = ("energy", "free_energy", "forces", "stress", "charges", "born_effective_charges")


class CommitteeCalculator(Calculator):
    """ASE calculator of the mean of several models, and of its uncertainty.

    Mean properties are energy, forces, stress, charges and born_effective_charges [N, 3, 3]; forces and
    stress are exact derivatives of the mean energy. Uncertainties (standard deviations) are `energy_std`
    [eV], `forces_std` [N, 3] [eV/Å] and `born_effective_charges_std` [N, 3, 3] [e], each multiplied by its
    factor of `scales` {energy, forces, bec}, if given.

    The members may be different variants. Raises BornflowError for fewer than two members, for members that
    know different elements, and for unknown `scales`.
    """

    implemented_properties = [  # noqa: RUF012 (as ASE declares it)
        *MEANS,
        *(f"{name}_std" for name in UNCERTAIN.values()),
    ]

    def __init__(
        self, members: Sequence[BornflowCalculator], scales: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        if len(members) < 2:
            raise BornflowError(f"{len(members)} model given; a committee has at least two")
        known = {frozenset(member.model.elements) for member in members}
        if len(known) > 1:
            raise BornflowError(
                "the models of a committee know different elements: "
                + "; ".join(" ".join(sorted(elements)) for elements in known)
            )
        if unknown := set(scales or {}) - set(UNCERTAIN):
            raise BornflowError(f"scales of {', '.join(unknown)} given; {', '.join(UNCERTAIN)} are possible")
        self.members = list(members)
        self.scales = {name: 1.0 for name in UNCERTAIN} | dict(scales or {})

    @classmethod
    def from_checkpoints(
        cls,
        directories: Sequence[str | Path],
        calibration: str | Path | None = None,
        dtype: str = "float32",
    ) -> "CommitteeCalculator":
        """The committee of folders written by `bornflow.training.train`.

        `calibration` is a file written by `bornflow.training.committee` for these models. Raises
        BornflowError for a folder that cannot be read, and for a model given twice.
        """
        loaded = {str(directory): checkpoint.load(directory) for directory in directories}
        for one, other in combinations(loaded, 2):
            if _have_equal_weights(loaded[one], loaded[other]):
                raise BornflowError(
                    f"{one} and {other} contain the same model; a committee has models of different seeds"
                )
        members = [BornflowCalculator(member, dtype=dtype) for member in loaded.values()]
        return cls(members, None if calibration is None else read_scales(calibration))

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that the members know."""
        return self.members[0].model.elements

    def reset(self) -> None:
        """Discard results, and those of the members with their neighbour lists."""
        super().reset()
        for member in getattr(self, "members", []):
            member.reset()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate all members; the class lists the properties. Raises BornflowError as they do."""
        super().calculate(atoms, properties, system_changes)
        wanted = [name for name in properties if name in MEANS]
        results: list[dict[str, Any]] = []
        for member in self.members:
            for name in wanted or ["energy"]:
                member.get_property(name, self.atoms)
            results.append(member.results)
        known = set.intersection(*map(set, results))
        self.results = {
            name: np.mean([result[name] for result in results], axis=0) for name in MEANS if name in known
        }
        for quantity, name in UNCERTAIN.items():
            spread = np.std([result[name] for result in results], axis=0, ddof=1)
            self.results[f"{name}_std"] = self.scales[quantity] * spread
        for name in ("energy", "free_energy", "energy_std"):
            self.results[name] = float(self.results[name])


def calculator(directories: Sequence[str | Path]) -> BornflowCalculator | CommitteeCalculator:
    """The calculator of one folder, or the committee of several. Raises BornflowError as these do."""
    if len(directories) == 1:
        return BornflowCalculator.from_checkpoint(directories[0])
    return CommitteeCalculator.from_checkpoints(directories)


def _have_equal_weights(one: Checkpoint, other: Checkpoint) -> bool:
    if one.model.variant != other.model.variant:
        return False
    pairs = zip(jax.tree.leaves(one.parameters), jax.tree.leaves(other.parameters), strict=True)
    return all(np.array_equal(*pair) for pair in pairs)
