"""What a run starts from: a frame of a file, repeated, relaxed, and its velocities."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixCom
from ase.optimize import FIRE

from .. import constraints, thermostats
from ..connectivity import connected, molecules
from ..errors import BornflowError
from ..io import frames

RELAXED = 0.01  # eV/Å
RELAXATION_STEPS = 1000


def structure(path: str | Path, frame: int, repeat: Sequence[int]) -> Atoms:
    """A frame of a file, repeated along its cell vectors, with its number of molecules in `info`.

    Frames are counted from 0. Raises BornflowError for a frame that is not there, constraints, an isolated
    structure to be repeated, positions or a cell that are none, and an impossible number of molecules.
    """
    found = frames.read(path)
    if not 0 <= frame < len(found):
        raise BornflowError(
            f"{path} holds {len(found)} frames, counted from 0: there is no frame {frame}, choose one from 0 "
            f"to {len(found) - 1}"
        )
    atoms = found[frame]
    called = f"{path}, frame {frame} ({frames.name(atoms)})"
    constraints.reject(atoms, called, "a run")
    try:
        count, bonded = molecules(atoms), connected(atoms)
    except BornflowError as error:
        raise BornflowError(f"{path}, frame {frame}: {error}") from error
    if count != bonded:
        print(
            f"{called}: n_molecules is {count}, but bonds make {bonded} molecules of its atoms; {count} is "
            "used for spectra per molecule. Correct n_molecules if that is wrong",
            file=sys.stderr,
        )
    if "momenta" in atoms.arrays or "velocities" in atoms.arrays:
        print(f"{called}: its velocities are not used, a run draws its own", file=sys.stderr)
    if list(repeat) != [1, 1, 1]:
        if not atoms.pbc.all():
            raise BornflowError(f"{path}, frame {frame} is isolated and cannot be repeated; remove `repeat`")
        info, is_said = atoms.info, atoms.info.get("n_molecules") is not None
        atoms = atoms.repeat(repeat)
        atoms.info = info
        # A crystal that bonds connect is one molecule, however large; molecules are as many times more.
        count = count * int(np.prod(repeat)) if is_said else connected(atoms)
    atoms.info["n_molecules"] = count
    return atoms


def hold_centre(atoms: Atoms) -> None:
    """Fix the centre of mass: in a field charges that do not sum to zero would accelerate the whole."""
    atoms.set_constraint(FixCom())


def prepare(
    atoms: Atoms, options: Mapping, rng: np.random.Generator, rotations_out: int | None = None
) -> None:
    """Relax the structure where asked for, and give it velocities at its temperature.

    `rotations_out` are those of `thermostats.thermalise`.
    """
    if options["relax"]:
        converged = FIRE(atoms, logfile=None).run(fmax=RELAXED, steps=RELAXATION_STEPS)
        if not converged:
            name, left = frames.name(atoms), f"{RELAXED} eV/Å after {RELAXATION_STEPS} steps"
            print(f"{name}: not relaxed, forces are above {left}; the run starts from there", file=sys.stderr)
    thermostats.thermalise(atoms, options["temperature"], rng, rotations_out)
