"""Limits of distances, forces and energies for the labels of every engine.

A program can give finite numbers for overlapping atoms (GFN2-xTB: +53 keV for a hydrogen atom 0.0017 Å from
an oxygen atom), and its Born effective charges may still satisfy the sum rule. One such label spoils the
training of a model. The limits are constants, not settings: chemically meaningful structures are far within
them.
"""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import natural_cutoffs, neighbor_list
from jaxtyping import Float

from ..electrons import total_charge
from ..errors import Rejected
from ..io.frames import name

# Distance of two atoms divided by the sum of their covalent radii. The shortest bonds known are near 0.6 (the
# quintuple bond of Cr₂), a triple bond has 0.77, an O–H bond at 2000 K is rarely below 0.8.
CLOSEST = 0.5
# eV/Å. At 2000 K forces reach 20, an O–H bond of 0.6 Å (0.96 at rest) has 90.
LARGEST_FORCE = 100.0
# eV per atom between a structure and its free atoms. No solid or molecule is bound by more than 9 (tungsten);
# an energy as far above that of the free atoms is impossible too.
BINDING = 15.0
# eV per elementary charge. Only the innermost electrons of an atom are bound more strongly (He⁺ by 54 eV).
IONISATION = 60.0


def reject(atoms: Atoms, forces: Float[np.ndarray, "atoms 3"]) -> None:
    """Raise Rejected for overlapping atoms, or for forces [eV/Å] beyond the limit."""
    reject_overlaps(atoms)
    reject_forces(atoms, forces)


def reject_overlaps(atoms: Atoms) -> None:
    """Raise Rejected if two atoms, or an atom and a periodic image, are closer than CLOSEST."""
    first, second, distances = neighbor_list("ijd", atoms, natural_cutoffs(atoms, CLOSEST))
    if not len(distances):
        return
    pair = int(np.argmin(distances))
    i, j = int(first[pair]), int(second[pair])
    radii = covalent_radii[atoms.numbers[i]] + covalent_radii[atoms.numbers[j]]
    raise Rejected(
        f"{name(atoms)}: atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) are "
        f"{distances[pair]:.2g} Å apart, {CLOSEST * radii:.2f} Å or more expected ({CLOSEST:g} times the "
        "sum of their covalent radii): repair the structure or leave it out"
    )


def reject_forces(atoms: Atoms, forces: Float[np.ndarray, "atoms 3"]) -> None:
    """Raise Rejected if a force [eV/Å] is above LARGEST_FORCE or not finite."""
    sizes = np.linalg.norm(forces, axis=1)
    if not (sizes <= LARGEST_FORCE).all():
        atom = int(np.argmax(np.where(np.isfinite(sizes), sizes, np.inf)))
        raise Rejected(
            f"{name(atoms)}: the force on atom {atom} ({atoms.symbols[atom]}) is {sizes[atom]:.3g} eV/Å, "
            f"{LARGEST_FORCE:g} or less expected: repair the structure or leave it out"
        )


def reject_energy(atoms: Atoms, energy: float, free: Callable[[str], float]) -> None:
    """Raise Rejected if an energy [eV] differs by more than BINDING per atom from that of the free atoms.

    A charge of the structure adds IONISATION per elementary charge to the limit. `free` gives the energy [eV]
    of a free, neutral atom of an element.
    """
    binding = (energy - sum(free(symbol) for symbol in atoms.symbols)) / len(atoms)
    limit = BINDING + IONISATION * abs(total_charge(atoms)) / len(atoms)
    if not abs(binding) <= limit:
        raise Rejected(
            f"{name(atoms)}: the energy is {binding:+.3g} eV per atom from that of free atoms, at most "
            f"±{limit:.3g} expected: repair the structure or leave it out"
        )
