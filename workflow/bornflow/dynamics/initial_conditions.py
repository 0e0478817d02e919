"""Initial conditions of a run: a frame of a file, repeated and relaxed, with random velocities."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixCom
from ase.optimize import FIRE

from .. import constraints, thermostats
from ..connectivity import count_connected, count_molecules
from ..electrons import multiplicity, total_charge
from ..errors import BornflowError
from ..io import frames
from .settings import SystemSettings

logger = logging.getLogger(__name__)

LARGEST_FORCE = 0.01  # eV/Å, in a relaxed structure
RELAXATION_STEPS = 1000


def read_structure(path: str | Path, frame: int, repeat: Sequence[int]) -> Atoms:
    """A frame of a file, repeated along its cell vectors, with its number of molecules in `info`.

    Frames are counted from 0. Raises BornflowError for a frame that does not exist, constraints, an isolated
    structure to be repeated, invalid positions or cells, and an impossible number of molecules.
    """
    structures = frames.read(path)
    if not 0 <= frame < len(structures):
        raise BornflowError(
            f"{path} contains {len(structures)} frames, counted from 0: there is no frame {frame}, choose "
            f"one from 0 to {len(structures) - 1}"
        )
    atoms = structures[frame]
    label = f"{path}, frame {frame} ({frames.name(atoms)})"
    constraints.reject(atoms, label, "a run")
    try:
        count, connected = count_molecules(atoms), count_connected(atoms)
    except BornflowError as error:
        raise BornflowError(f"{path}, frame {frame}: {error}") from error
    if count != connected:
        logger.warning(
            "%s: n_molecules is %d, but the covalent bonds connect its atoms to %d molecules; spectra per "
            "molecule use %d. Correct n_molecules if that is wrong",
            label,
            count,
            connected,
            count,
        )
    if "momenta" in atoms.arrays or "velocities" in atoms.arrays:
        logger.warning("%s: its velocities are not used; a run starts with random velocities", label)
    if list(repeat) != [1, 1, 1]:
        if not atoms.pbc.all():
            raise BornflowError(f"{path}, frame {frame} is isolated and cannot be repeated; remove `repeat`")
        atoms, count = _repeated(atoms, repeat, count)
    atoms.info["n_molecules"] = count
    return atoms


def _repeated(atoms: Atoms, repeat: Sequence[int], count: int) -> tuple[Atoms, int]:
    """The supercell and its number of molecules.

    A given `n_molecules` is multiplied. Otherwise molecules are counted again, since a covalent crystal of
    any size is one molecule.
    """
    supercell = atoms.repeat(repeat)
    supercell.info = atoms.info
    copies = int(np.prod(repeat))
    if total_charge(atoms):
        supercell.info["charge"] = copies * total_charge(atoms)
    if multiplicity(atoms) > 1:  # parallel spins
        supercell.info["multiplicity"] = 1 + copies * (multiplicity(atoms) - 1)
    if atoms.info.get("n_molecules") is not None:
        return supercell, count * copies
    return supercell, count_connected(supercell)


def fix_centre_of_mass(atoms: Atoms) -> None:
    """Fix the centre of mass: in a field, charges that do not sum to zero would accelerate it."""
    atoms.set_constraint(FixCom())


def prepare(
    atoms: Atoms, settings: SystemSettings, rng: np.random.Generator, removed_rotations: int | None = None
) -> None:
    """Relax the structure if `settings.relax`, and set random velocities at the temperature.

    `removed_rotations` as for `thermostats.thermalise`.
    """
    if settings.relax:
        converged = FIRE(atoms, logfile=None).run(fmax=LARGEST_FORCE, steps=RELAXATION_STEPS)
        if not converged:
            logger.warning(
                "%s: not relaxed, forces are above %s eV/Å after %d steps; the run starts from there",
                frames.name(atoms),
                LARGEST_FORCE,
                RELAXATION_STEPS,
            )
    thermostats.thermalise(atoms, settings.temperature, rng, removed_rotations)
