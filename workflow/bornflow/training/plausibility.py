"""Checks of a labelled set before training: units, signs, damaged structures, missing labels.

Each check returns findings: a problem, its possible cause, and the structures that have it. Labels are not
corrected here; `labelled_sets` reports or rejects the findings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from .. import spacing
from ..electrons import multiplicity, total_charge
from ..io import frames
from ..spacing import nearest
from .copies import Pair
from .force_work import disagreement

ENERGY_GAP = 10.0  # eV/atom from the fitted baseline; chemical differences are smaller, those of units larger
ALIKE_GAP = 4.0  # eV/atom between structures of one composition and kind
COPY, COPY_SEVERE = 0.005, 1.0  # eV/atom between copies of one structure: reported, and rejected
LARGEST_FORCE = 100.0  # eV/Å
LEAST_LARGE, OUT_OF_SCALE = 50.0, 30.0  # eV/Å, and times the median of the structures' largest forces
REPULSIVE = 0.8  # distance of nearest neighbours over radii; large forces are expected below
SUM_SEVERE = 2.0  # e, too large for noise
SUM_RULE, SUM_RULE_ATOM = 0.3, 0.002  # e, and e per atom: |Σ Z − Q| due to finite grids and fields
ISOTROPIC = 0.4  # largest relative deviation of a sum from a multiple of the unit matrix
NAMED = 3  # number of structures that a finding names


@dataclass(frozen=True)
class Finding:
    """A problem, its possible cause and the structures that have it."""

    problem: str
    structures: Sequence[Atoms]
    is_severe: bool = True  # False: the labels may be intended and are used

    def __str__(self) -> str:
        shown = ", ".join(map(frames.name_and_origin, self.structures[:NAMED]))
        more = f" and {len(self.structures) - NAMED} more" if len(self.structures) > NAMED else ""
        return f"{self.problem}: {shown}{more}"


def findings(structures: Sequence[Atoms], copies: Sequence[Pair]) -> list[Finding]:
    """The findings of all checks; `copies` are the pairs that `find_copies` returns for the structures."""
    return [
        *check_distances(structures),
        *check_energies(structures),
        *check_forces(structures),
        *check_work(structures),
        *check_charges(structures),
        *check_copies(structures, copies),
        *check_zeros(structures),
    ]


def check_distances(structures: Sequence[Atoms]) -> list[Finding]:
    """Overlapping atoms, and structures without any bond, for example positions in bohr or nm."""
    found: dict[str, list[Atoms]] = {spacing.TOO_CLOSE: [], spacing.TOO_FAR: []}
    for atoms in structures:
        if problem := spacing.problem(atoms):
            found[problem].append(atoms)
    return [Finding(problem, members) for problem, members in found.items() if members]


def check_energies(structures: Sequence[Atoms]) -> list[Finding]:
    """Energies [eV/atom] far from those of similar structures, due to other units or another method.

    Structures of one composition, charge, spin and kind are compared directly. All structures are compared
    after the subtraction of fitted energies per element and for each charge and spin. Single atoms and
    structures with close, repulsive atoms are left out.
    """
    members = [a for a in structures if len(a) > 1 and frames.label(a, "energy") is not None]
    members = [atoms for atoms in members if nearest(atoms).min() > REPULSIVE]
    if len(members) < 2:
        return []
    counts = np.array([np.bincount(atoms.numbers, minlength=len(covalent_radii)) for atoms in members], float)
    sizes = counts.sum(axis=1)
    values = np.array([frames.label(atoms, "energy") for atoms in members]) / sizes
    counts /= sizes[:, None]
    states = [(total_charge(atoms), multiplicity(atoms)) for atoms in members]
    charged = [[state == other for other in sorted(set(states) - {(0, 1)})] for state in states]
    columns = np.column_stack([counts, np.array(charged, float) / sizes[:, None]])
    alike: dict[tuple, list[int]] = {}
    for index, atoms in enumerate(members):
        alike.setdefault((frames.kind(atoms), states[index], *counts[index].round(6)), []).append(index)
    groups = [(ALIKE_GAP, values[places], places) for places in alike.values()]
    residuals = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    groups.append((ENERGY_GAP, residuals, list(range(len(members)))))
    for limit, energies, places in groups:
        order = np.argsort(energies)
        gaps = np.diff(energies[order])
        if len(gaps) and gaps.max() > limit:
            cut = int(gaps.argmax()) + 1
            fewer = order[:cut] if cut <= len(order) / 2 else order[cut:]
            problem = (
                f"energies are {gaps.max():.3g} eV/atom from those of similar frames (other units or method?)"
            )
            return [Finding(problem, [members[places[place]] for place in fewer])]
    return []


def check_forces(structures: Sequence[Atoms]) -> list[Finding]:
    """Forces far above those of other structures without close atoms, or zero on constrained atoms."""
    members = [(atoms, forces) for atoms in structures if (forces := _array(atoms, "forces")) is not None]
    if not members:
        return []
    largest = np.array([np.linalg.norm(forces, axis=1).max() for _, forces in members])
    limit = min(LARGEST_FORCE, max(LEAST_LARGE, OUT_OF_SCALE * float(np.median(largest))))
    large = [
        atoms
        for (atoms, _), force in zip(members, largest, strict=True)
        if force > limit and nearest(atoms).min() > REPULSIVE
    ]
    constrained = [
        atoms
        for atoms, forces in members
        for constraint in atoms.constraints
        if not forces[np.unique(constraint.get_indices())].any()
    ]
    found = []
    if large:
        found.append(Finding(f"forces of up to {largest.max():.3g} eV/Å, above {limit:.3g}", large))
    if constrained:
        found.append(Finding("forces on atoms fixed by move_mask were set to zero", constrained))
    return found


def check_work(structures: Sequence[Atoms]) -> list[Finding]:
    """Energies and forces that contradict each other (`force_work`)."""
    found = disagreement(structures)
    if found is None:
        return []
    problem = (
        f"energies change by {found.ratio:.3g} times the work of the forces over {found.pairs} pairs of "
        f"similar frames ({', or '.join(found.causes) or 'units or signs differ'}?)"
    )
    return [Finding(problem, found.structures)]


def check_charges(structures: Sequence[Atoms]) -> list[Finding]:
    """Born effective charges whose sum is far from the total charge (acoustic sum rule).

    The finding is severe if it concerns few structures of a set, or if sums are multiples of the unit matrix:
    an atom is missing, or the charge is wrong. If the sums of all structures scatter, the labels are noisy,
    and no model can be more accurate.
    """
    labelled = [(atoms, bec) for atoms in structures if (bec := _array(atoms, "bec")) is not None]
    members, residuals = [], []
    for atoms, bec in labelled:
        residual = bec.sum(axis=0) - atoms.info.get("charge", 0) * np.eye(3)
        if np.abs(residual).max() > SUM_RULE + SUM_RULE_ATOM * len(atoms):
            members.append(atoms)
            residuals.append(residual)
    if not members:
        return []
    means = np.trace(residuals, axis1=1, axis2=2) / 3
    scatter = np.abs(residuals - means[:, None, None] * np.eye(3)).max(axis=(1, 2))
    isotropic = bool(np.mean(scatter < ISOTROPIC * np.abs(means)) > 0.5)
    largest = float(np.abs(residuals).max())
    problem = (
        f"the sum of Born effective charges differs from the charge (`charge`, or 0) by up to {largest:.2f} e"
    )
    is_severe = isotropic or largest > SUM_SEVERE or len(members) < len(labelled) / 2
    return [Finding(problem, members, is_severe)]


def check_copies(structures: Sequence[Atoms], copies: Sequence[Pair]) -> list[Finding]:
    """Copies of one structure with different energies, for example if two methods were mixed."""
    found, largest = [], 0.0
    for one, other in copies:
        pair = [structures[one], structures[other]]
        first, second = (frames.label(atoms, "energy") for atoms in pair)
        # Energies that were shifted to one baseline differ between methods.
        if first is None or second is None or any("energy_shift" in atoms.info for atoms in pair):
            continue
        gap = float(abs(first - second)) / len(pair[0])
        if gap > COPY:
            found += pair
            largest = max(largest, gap)
    problem = f"one structure has two energies, up to {largest:.2g} eV/atom apart (two methods?)"
    return [Finding(problem, found, largest > COPY_SEVERE)] if found else []


def check_zeros(structures: Sequence[Atoms]) -> list[Finding]:
    """Labels that are exactly zero, which some programs write in place of missing ones."""
    empty: dict[str, list[Atoms]] = {}
    for atoms in structures:
        if len(atoms) < 2:
            continue
        # By symmetry forces vanish in perfect crystals, and charges in elements.
        irregular = not atoms.pbc.any() or np.ptp(nearest(atoms)) > 1e-3
        may_vanish = {"energy": False, "forces": not irregular, "bec": len(set(atoms.numbers)) < 2}
        for key, may in may_vanish.items():
            value = frames.label(atoms, key)
            if value is not None and not may and not np.any(value):
                empty.setdefault(key, []).append(atoms)
    if len(empty.get("energy", [])) < 2:
        empty.pop("energy", None)  # relative energies begin at zero
    return [
        Finding(f"{key} exactly zero (a missing label is nan, has a weight of 0 or no key)", members)
        for key, members in empty.items()
    ]


def _array(atoms: Atoms, key: str) -> np.ndarray | None:
    """The label `key` of each atom as an array; None where it is missing."""
    value = frames.label(atoms, key)
    return None if value is None else np.asarray(value)
