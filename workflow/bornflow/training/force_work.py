"""Consistency of energies and forces of similar structures, which reveals wrong units and signs.

Between two structures a and b that differ little, ΔE = E_b − E_a equals the work W = −½ (F_a + F_b)·Δr up to
third order in the displacements Δr. Both are divided by C = Σ_i |(F_a − F_b)_i·Δr_i|, since the error grows
with C. The slope of ΔE/C over W/C, over all such pairs, is 1 if units and signs are right.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from ..io import frames

MOST = 40  # structures of one composition whose pairs are compared
NEAR = 0.15  # Å, root mean square displacement of pairs that are compared
FEW, CORRELATED = 5, 0.85  # smallest number of pairs and smallest rank correlation for a conclusion
SMALL = 1e-6  # eV
RATIO = (0.4, 1.65)  # of energy differences to the work of the forces, where they agree
CAUSES = {  # of a ratio
    -1.0: "forces are the gradient, with the wrong sign",
    1 / 27.2114: "energies are in hartree, not in eV",
    51.4221: "forces are in hartree/bohr, not in eV/Å",
    1 / 23.0605: "forces are in kcal/mol/Å, not in eV/Å",
    23.0605: "energies are in kcal/mol, not in eV",
    1 / 96.4853: "forces are in kJ/mol/Å, not in eV/Å",
    96.4853: "energies are in kJ/mol, not in eV",
    1.88973: "forces are in eV/bohr, or energies in hartree and forces in hartree/bohr",
}


@dataclass(frozen=True)
class Disagreement:
    """Energy differences that are `ratio` times the work of the forces."""

    ratio: float
    pairs: int  # of similar structures
    structures: Sequence[Atoms]  # in those pairs

    @property
    def causes(self) -> list[str]:
        """Possible causes, from units and signs."""
        return [cause for value, cause in CAUSES.items() if RATIO[0] < self.ratio / value < RATIO[1]]


def disagreement(structures: Sequence[Atoms]) -> Disagreement | None:
    """How energies and forces disagree.

    None if they agree, or if there are too few pairs or too much noise for a conclusion.
    """
    differences, near = _differences(structures)
    if len(differences) < FEW:
        return None
    work, energy = np.array(differences).T
    if np.ptp(work) == 0 or np.ptp(energy) == 0 or abs(spearmanr(work, energy)[0]) < CORRELATED:
        return None  # only noise
    ratio = float(np.sum(work * energy) / np.sum(work**2))
    return None if RATIO[0] < ratio < RATIO[1] else Disagreement(ratio, len(work), near)


@dataclass(frozen=True)
class _Labelled:
    """A structure with its energy [eV] and forces [eV/Å]."""

    atoms: Atoms
    energy: float
    forces: Float[np.ndarray, "atoms 3"]


def _differences(structures: Sequence[Atoms]) -> tuple[list[tuple[float, float]], list[Atoms]]:
    """W/C and ΔE/C of all pairs of similar structures, and the structures in these pairs."""
    differences: list[tuple[float, float]] = []
    near: dict[int, Atoms] = {}
    for members in _alike(structures):
        for a, b in combinations(members[:MOST], 2):
            step, force = _displacements(a, b)
            if not 0 < np.sqrt(np.mean(np.sum(step**2, axis=1))) < NEAR:
                continue
            first, last = (np.sum(forces * step, axis=1) for forces in (a.forces, force))
            curvature = float(np.abs(first - last).sum()) + SMALL
            work = -0.5 * float((first + last).sum())
            differences.append((work / curvature, (b.energy - a.energy) / curvature))
            near |= {id(a.atoms): a.atoms, id(b.atoms): b.atoms}
    return differences, list(near.values())


def _alike(structures: Sequence[Atoms]) -> list[list[_Labelled]]:
    """Structures with energy and forces, grouped by elements (in the same order) and cell."""
    alike: dict[tuple, list[_Labelled]] = {}
    for atoms in structures:
        energy, forces = (frames.label(atoms, key) for key in ("energy", "forces"))
        if len(atoms) > 1 and energy is not None and forces is not None:
            cell = tuple(atoms.cell.array.ravel().round(4)) if atoms.pbc.any() else None
            labelled = _Labelled(atoms, float(energy), np.asarray(forces))
            alike.setdefault((tuple(atoms.numbers), cell), []).append(labelled)
    return list(alike.values())


def _displacements(
    a: _Labelled, b: _Labelled
) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "atoms 3"]]:
    """Displacements [Å] from a to b, aligned to a, and the forces on b in the same orientation."""
    if a.atoms.pbc.any():
        step = find_mic(b.atoms.positions - a.atoms.positions, a.atoms.cell, a.atoms.pbc)[0]
        return step - step.mean(axis=0), b.forces
    before, after = (each.atoms.positions - each.atoms.positions.mean(axis=0) for each in (a, b))
    with warnings.catch_warnings():  # the rotation of a linear molecule about its axis is arbitrary
        warnings.simplefilter("ignore")
        rotation = Rotation.align_vectors(before, after)[0]
    return rotation.apply(after) - before, rotation.apply(b.forces)
