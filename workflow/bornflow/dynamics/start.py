"""What a run starts from: a frame of a file, repeated, relaxed, and its velocities."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixCom
from ase.optimize import FIRE

from .. import canonical
from ..errors import BornflowError
from ..io import frames
from ..structures.bonds import molecules

RELAXED = 0.01  # eV/Å
RELAXATION_STEPS = 1000


def structure(path: str | Path, frame: int, repeat: Sequence[int]) -> Atoms:
    """A frame of a file, repeated along its cell vectors, with its number of molecules in `info`."""
    found = frames.read(path)
    if frame >= len(found):
        raise BornflowError(f"{path} holds {len(found)} frames, counted from 0: there is no frame {frame}")
    atoms = found[frame]
    if list(repeat) != [1, 1, 1]:
        if not atoms.pbc.all():
            raise BornflowError(f"{path}, frame {frame} is isolated and cannot be repeated; remove `repeat`")
        info = {key: value for key, value in atoms.info.items() if key != "n_molecules"}
        atoms = atoms.repeat(repeat)
        atoms.info = info
    atoms.info["n_molecules"] = molecules(atoms)
    return atoms


def hold_centre(atoms: Atoms) -> None:
    """Fix the centre of mass: in a field charges that do not add up to nothing would carry the whole away."""
    atoms.set_constraint(FixCom())


def prepare(atoms: Atoms, options: Mapping, rng: np.random.Generator, turns: bool = False) -> None:
    """Relax the structure where asked for, and give it velocities at its temperature.

    A cluster that `turns`, as in a field, gets angular momentum too.
    """
    if options["relax"]:
        converged = FIRE(atoms, logfile=None).run(fmax=RELAXED, steps=RELAXATION_STEPS)
        if not converged:
            name, left = frames.name(atoms), f"{RELAXED} eV/Å after {RELAXATION_STEPS} steps"
            print(f"{name}: not relaxed, forces are above {left}; the run starts from there", file=sys.stderr)
    canonical.thermalise(atoms, options["temperature"], rng, turns)
