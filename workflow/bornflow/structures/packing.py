"""Random packing of rigid molecules, isolated or in a periodic box, without overlaps."""

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.geometry import get_distances
from scipy.spatial.transform import Rotation

from ..errors import BornflowError
from ..units import WATER_MOLAR_MASS

CLOSEST = 1.6  # Å, between atoms of different molecules (a strong hydrogen bond has H···O of 1.6 Å)
CENTRES = 2.5  # Å, between the molecules' heavy atoms
GRAMS_PER_CM3 = 1.66053906660  # 1 g/mol per Å³ in g/cm³
ATTEMPTS = 200_000


def box_edge(n_molecules: int, density: float) -> float:
    """Edge [Å] of a cube with `n_molecules` waters at `density` [g/cm³]."""
    return (n_molecules * WATER_MOLAR_MASS * GRAMS_PER_CM3 / density) ** (1 / 3)


def pack_water(n_molecules: int, rng: np.random.Generator, density: float | None = None) -> Atoms:
    """Water molecules at random positions and orientations.

    With a `density` [g/cm³] they fill a periodic cube. Without one they fill a sphere with ample volume for a
    cluster. Raises BornflowError if there is no room for all.
    """
    water = molecule("H2O")
    water.positions -= water.positions[0]
    periodic = density is not None
    edge = 1.2 * box_edge(n_molecules, 0.6) if density is None else box_edge(n_molecules, density)
    packed = Atoms(cell=[edge] * 3 if periodic else None, pbc=periodic)
    for _ in range(ATTEMPTS):
        if len(packed) == 3 * n_molecules:
            return packed
        place = rng.uniform(0, edge, 3)
        if not periodic and np.linalg.norm(place - edge / 2) > max(edge / 2, 0.1):
            continue
        rotation = Rotation.random(random_state=rng)
        # Most positions are occupied, and a test of the heavy atoms alone takes a fraction of the time.
        away = packed.positions[::3] - place
        away -= edge * np.round(away / edge) if periodic else 0
        if np.any(np.sum(away**2, axis=1) <= CENTRES**2):
            continue
        trial = water.copy()
        trial.positions = rotation.apply(trial.positions) + place
        if _fits(trial, packed):
            packed += trial
    raise BornflowError(
        f"{n_molecules} waters do not fit at {density} g/cm³ after {ATTEMPTS} attempts; lower the density"
    )


def _fits(trial: Atoms, packed: Atoms) -> bool:
    if not len(packed):
        return True
    cell = packed.cell if packed.pbc.any() else None
    pbc = packed.pbc if packed.pbc.any() else None
    _, distances = get_distances(trial.positions, packed.positions, cell=cell, pbc=pbc)
    return bool(distances.min() > CLOSEST)
