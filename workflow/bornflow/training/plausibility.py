"""A labelled set looked over as a whole before anything is trained on it: units, signs, damaged frames.

Each check gives findings: what is wrong with which frames, and what may be the cause. Nothing is repaired.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import find_mic
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr
from vesin import NeighborList

from ..io import frames
from .relatives import copies

# Nearest neighbours over the sum of covalent radii; positions in bohr are 1.9 times as far apart.
CLOSE, FAR = 0.5, 1.6
NOBLE = (2, 10, 18, 36, 54, 86)
ENERGY_GAP = 10.0  # eV/atom between frames that one baseline fits; chemistry stays below, other units do not
ALIKE_GAP = 4.0  # eV/atom between frames of one composition and kind
COPY, COPY_SEVERE = 0.005, 1.0  # eV/atom between copies of one structure: to be said, and to be rejected
LARGEST_FORCE = 100.0  # eV/Å
LEAST_LARGE, OUT_OF_SCALE = 50.0, 30.0  # eV/Å, and times the median of the frames' largest forces
REPULSIVE = 0.8  # nearest neighbours over covalent radii, below which large forces are to be expected
SUM_SEVERE = 2.0  # e, which no noise explains
SUM_RULE, SUM_RULE_ATOM = 0.3, 0.002  # e, and e an atom: |Σ Z − Q| that finite grids and fields explain
NAMED = 3  # frames of a finding that are named
ISOTROPIC = 0.4  # largest deviation of a sum from a multiple of the unit matrix, over that
NEAR = 0.15  # Å, root mean square displacement of frames that forces connect
FEW, CORRELATED = 5, 0.85  # pairs of near frames, and their rank correlation, that tell
SMALL = 1e-6  # eV
RATIO = (0.4, 1.65)  # of energy differences to the work of the forces
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
class Finding:
    """What is wrong, with which frames, and what may be the cause."""

    what: str
    frames: Sequence[Atoms]
    is_severe: bool = True  # labels cannot be trained on; otherwise they may be meant

    def __str__(self) -> str:
        shown = ", ".join(map(frames.name_and_origin, self.frames[:NAMED]))
        more = f" and {len(self.frames) - NAMED} more" if len(self.frames) > NAMED else ""
        return f"{self.what}: {shown}{more}"


def findings(structures: Sequence[Atoms]) -> list[Finding]:
    """What all checks find."""
    checks = (distances, energies, forces, work, charges, repeated, placeholders)
    return [found for check in checks for found in check(structures)]


def nearest(atoms: Atoms) -> np.ndarray:
    """For each atom the distance to its nearest neighbour over the sum of their covalent radii [N].

    Infinite where none is within 2 FAR of the largest radius.
    """
    radii = covalent_radii[atoms.numbers]
    cell = atoms.cell.array if atoms.pbc.any() else np.zeros((3, 3))
    first, second, found = NeighborList(cutoff=2 * FAR * float(radii.max()), full_list=True).compute(
        atoms.positions, cell, bool(atoms.pbc.any()), "ijd"
    )
    ratios = np.full(len(atoms), np.inf)
    np.minimum.at(ratios, first, found / (radii[first] + radii[second]))
    return ratios


def distances(structures: Sequence[Atoms]) -> list[Finding]:
    """Atoms on top of each other, and frames without any bond: in bohr, say, or in nm."""
    close, far = [], []
    for atoms in structures:
        if len(atoms) < 2:
            continue
        ratios = nearest(atoms)
        if ratios.min() < CLOSE:
            close.append(atoms)
        bonded = ratios[~np.isin(atoms.numbers, NOBLE)]
        if len(bonded) > 2 and bonded.min() > FAR:
            far.append(atoms)
    found = []
    if close:
        found.append(
            Finding("atoms are closer than half a bond (nm in place of Å, or a damaged frame?)", close)
        )
    if far:
        found.append(Finding("no two atoms are as close as a bond (bohr in place of Å?)", far))
    return found


def energies(structures: Sequence[Atoms]) -> list[Finding]:
    """Energies [eV/atom] far from those of like frames: other units or another method.

    Frames of one composition and kind are compared as they are; all together after a fit of energies per
    element. Lone atoms, and atoms that repel each other, are no measure.
    """
    members = [a for a in structures if len(a) > 1 and frames.label(a, "energy") is not None]
    members = [atoms for atoms in members if nearest(atoms).min() > REPULSIVE]
    if len(members) < 2:
        return []
    counts = np.array([np.bincount(atoms.numbers, minlength=len(covalent_radii)) for atoms in members], float)
    sizes = counts.sum(axis=1)
    values = np.array([frames.label(atoms, "energy") for atoms in members]) / sizes
    counts /= sizes[:, None]
    alike: dict[tuple, list[int]] = {}
    for index, atoms in enumerate(members):
        alike.setdefault((frames.kind(atoms), *counts[index].round(6)), []).append(index)
    groups = [(ALIKE_GAP, values[places], places) for places in alike.values()]
    rest = values - counts @ np.linalg.lstsq(counts, values, rcond=None)[0]
    groups.append((ENERGY_GAP, rest, list(range(len(members)))))
    for limit, energies, places in groups:
        order = np.argsort(energies)
        gaps = np.diff(energies[order])
        if len(gaps) and gaps.max() > limit:
            cut = int(gaps.argmax()) + 1
            fewer = order[:cut] if cut <= len(order) / 2 else order[cut:]
            what = f"energies are {gaps.max():.3g} eV/atom from those of like frames (other units or method?)"
            return [Finding(what, [members[places[place]] for place in fewer])]
    return []


def forces(structures: Sequence[Atoms]) -> list[Finding]:
    """Forces far above those of other frames where no atoms are close, or zero where atoms were held."""
    members = [atoms for atoms in structures if frames.label(atoms, "forces") is not None]
    if not members:
        return []
    largest = np.array([np.linalg.norm(frames.label(atoms, "forces"), axis=1).max() for atoms in members])
    limit = min(LARGEST_FORCE, max(LEAST_LARGE, OUT_OF_SCALE * float(np.median(largest))))
    wild = [
        atoms
        for atoms, force in zip(members, largest, strict=True)
        if force > limit and nearest(atoms).min() > REPULSIVE
    ]
    held = [
        atoms
        for atoms in members
        for each in atoms.constraints
        if not frames.label(atoms, "forces")[np.unique(each.get_indices())].any()
    ]
    found = [Finding(f"forces of up to {largest.max():.3g} eV/Å, above {limit:.3g}", wild)] if wild else []
    if held:
        found.append(Finding("forces on atoms held by move_mask were set to zero", held))
    return found


def repeated(structures: Sequence[Atoms]) -> list[Finding]:
    """One structure with two energies, as where two methods were put together."""
    found, largest = [], 0.0
    for one, other in copies(structures):
        pair = [structures[one], structures[other]]
        energies = [frames.label(atoms, "energy") for atoms in pair]
        # Of methods that were brought together, differences are left.
        if None in energies or any("energy_shift" in atoms.info for atoms in pair):
            continue
        gap = abs(energies[0] - energies[1]) / len(pair[0])
        if gap > COPY:
            found += pair
            largest = max(largest, gap)
    what = f"one structure is there with two energies, up to {largest:.2g} eV/atom apart (two methods?)"
    return [Finding(what, found, largest > COPY_SEVERE)] if found else []


def placeholders(structures: Sequence[Atoms]) -> list[Finding]:
    """Labels that are exactly zero, as programs write where there are none."""
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


def charges(structures: Sequence[Atoms]) -> list[Finding]:
    """Born effective charges whose sum is far from the total charge (acoustic sum rule).

    A few structures of a set, or sums that are multiples of the unit matrix, are mistakes: an atom is
    missing, the charge is wrong. Where all sums scatter, the labels are noisy, and models cannot be better.
    """
    labelled = [atoms for atoms in structures if frames.label(atoms, "bec") is not None]
    members, rests = [], []
    for atoms in labelled:
        rest = frames.label(atoms, "bec").sum(axis=0) - atoms.info.get("charge", 0) * np.eye(3)
        if np.abs(rest).max() > SUM_RULE + SUM_RULE_ATOM * len(atoms):
            members.append(atoms)
            rests.append(rest)
    if not members:
        return []
    means = np.trace(rests, axis1=1, axis2=2) / 3
    scatter = np.abs(rests - means[:, None, None] * np.eye(3)).max(axis=(1, 2))
    isotropic = bool(np.mean(scatter < ISOTROPIC * np.abs(means)) > 0.5)
    largest = float(np.abs(rests).max())
    what = f"the sum of Born effective charges is up to {largest:.2f} e off the total charge (`charge`, or 0)"
    is_severe = isotropic or largest > SUM_SEVERE or len(members) < len(labelled) / 2
    return [Finding(what, members, is_severe)]


def work(structures: Sequence[Atoms]) -> list[Finding]:
    """Energies and forces that contradict each other.

    Between frames that differ little, ΔE = E_b − E_a = W up to third order, where W = −½ (F_a + F_b)·Δr. Both
    are divided by C = Σ_i |(F_a − F_b)_i·Δr_i|, which the error grows with. The slope of ΔE/C over W/C, of
    all such pairs, tells wrong signs and units of either; without enough pairs nothing is said.
    """
    differences, near = _near(structures)
    if len(differences) < FEW:
        return []
    done, energy = np.array(differences).T
    if np.ptp(done) == 0 or np.ptp(energy) == 0 or abs(spearmanr(done, energy)[0]) < CORRELATED:
        return []  # no more than noise
    ratio = float(np.sum(done * energy) / np.sum(done**2))
    if RATIO[0] < ratio < RATIO[1]:
        return []
    causes = [cause for value, cause in CAUSES.items() if RATIO[0] < ratio / value < RATIO[1]]
    what = (
        f"energies change by {ratio:.3g} times the work of the forces over {len(done)} pairs of similar "
        f"frames ({', or '.join(causes) or 'units or signs differ'}?)"
    )
    return [Finding(what, near)]


def _near(structures: Sequence[Atoms]) -> tuple[list[tuple[float, float]], list[Atoms]]:
    """W/C and ΔE/C of pairs of similar frames (see `work`), and the frames."""
    alike: dict[tuple, list[Atoms]] = {}
    for atoms in structures:
        if len(atoms) > 1 and all(frames.label(atoms, key) is not None for key in ("energy", "forces")):
            cell = tuple(atoms.cell.array.ravel().round(4)) if atoms.pbc.any() else None
            alike.setdefault((tuple(atoms.numbers), cell), []).append(atoms)
    found, near = [], {}
    for members in alike.values():
        for a, b in combinations(members[:40], 2):
            step, force = _moved(a, b)
            if not 0 < np.sqrt(np.mean(np.sum(step**2, axis=1))) < NEAR:
                continue
            begun, ended = (np.sum(each * step, axis=1) for each in (frames.label(a, "forces"), force))
            curvature = float(np.abs(begun - ended).sum()) + SMALL
            gain = frames.label(b, "energy") - frames.label(a, "energy")
            found.append((-0.5 * float((begun + ended).sum()) / curvature, gain / curvature))
            near |= {id(a): a, id(b): b}
    return found, list(near.values())


def _moved(a: Atoms, b: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Displacements [N, 3] from a to b in Å, without those of the whole, and the forces on b turned alike."""
    force = frames.label(b, "forces")
    if a.pbc.any():
        step = find_mic(b.positions - a.positions, a.cell, a.pbc)[0]
        return step - step.mean(axis=0), force
    before, after = (atoms.positions - atoms.positions.mean(axis=0) for atoms in (a, b))
    with warnings.catch_warnings():  # a linear molecule may be turned about its axis in any way
        warnings.simplefilter("ignore")
        turn = Rotation.align_vectors(before, after)[0]
    return turn.apply(after) - before, turn.apply(force)
