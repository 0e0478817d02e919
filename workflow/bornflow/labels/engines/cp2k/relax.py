"""Relaxation of a structure by CP2K's own optimiser, with the forces that its label would have."""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ....errors import Rejected
from ....units import BOHR, FORCE_AU
from ...settings import CP2KSettings
from . import input_file
from .cache import Cache, once
from .program import Program

STEPS_FILE = f"{input_file.PROJECT}-pos-1.xyz"
STATE_FILE = f"{input_file.PROJECT}-1.restart"
LARGEST_STEP = 0.05  # Å, displacement of an atom in the last step: soft modes move far at small forces
TRUST_RADIUS = 0.1  # Å


def build_input(atoms: Atoms, settings: CP2KSettings) -> str:
    """The text of a CP2K input that relaxes the atoms in a fixed cell.

    `settings` is the section `labels.cp2k`. BFGS runs until no component of a force is above
    `relaxed_force` [eV/Å], with the cutoff that labels use for forces.
    """
    cutoff = max(settings.cutoff, settings.force_cutoff)
    tree = input_file.tree(atoms, replace(settings, cutoff=cutoff))
    tree["global"]["run_type"] = "GEO_OPT"
    force, step = settings.relaxed_force / FORCE_AU, LARGEST_STEP / BOHR
    limits = {"max_force": force, "rms_force": force, "max_dr": step, "rms_dr": step}
    bfgs = {"trust_radius": TRUST_RADIUS}  # CP2K's default is too wide for soft hydrogen bonds
    tree["motion"] = {"geo_opt": {"optimizer": "BFGS", "max_iter": 500, "bfgs": bfgs} | limits}
    return input_file.write(tree)


def relax(
    program: Program, cache: Cache, workdir: Path, atoms: Atoms, settings: CP2KSettings
) -> Float[np.ndarray, "atoms 3"]:
    """Positions [Å] of the relaxed structure, shifted to the centre of the given structure.

    A relaxation that was killed resumes from its last step in its folder under `workdir`; a finished one
    is taken from the cache. Raises Rejected if it does not converge.
    """
    text = build_input(atoms, settings)
    optimise = partial(_optimise, program, text, atoms)
    stored = once(program, cache, workdir, text, optimise, {"positions": (len(atoms), 3)})
    return np.array(stored["positions"])


def _optimise(program: Program, text: str, atoms: Atoms, directory: Path) -> tuple[dict[str, Any], float]:
    if (directory / STATE_FILE).exists():
        resumed = text + f"&EXT_RESTART\n   RESTART_FILE_NAME {STATE_FILE}\n&END EXT_RESTART\n"
        with contextlib.suppress(Rejected):  # its state may be truncated by a kill: then start again
            return _run(program, resumed, atoms, directory)
        (directory / STATE_FILE).unlink()
        (directory / STEPS_FILE).unlink(missing_ok=True)
    return _run(program, text, atoms, directory)


def _run(program: Program, text: str, atoms: Atoms, directory: Path) -> tuple[dict[str, Any], float]:
    printed, wall = program.run(text, directory, "relax")
    for mark in ("OPTIMIZATION STEP", "GEOMETRY OPTIMIZATION COMPLETED", "PROGRAM ENDED AT"):
        if mark not in printed:
            raise Rejected(f"relaxation: CP2K did not print '{mark}'")
    if "SCF run NOT converged" in printed[printed.rindex("OPTIMIZATION STEP") :]:
        raise Rejected("relaxation: the SCF of the last step did not converge")
    relaxed = _last_step(directory / STEPS_FILE, len(atoms))
    positions = relaxed - relaxed.mean(axis=0) + atoms.positions.mean(axis=0)
    return {"positions": positions.tolist()}, wall


def _last_step(path: Path, atoms: int) -> Float[np.ndarray, "atoms 3"]:
    """Positions [Å] of the last frame; earlier frames may be truncated by a kill."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-atoms - 2 :]
    rows = [line.split()[1:] for line in lines[2:]]
    if len(rows) != atoms or lines[0].split() != [str(atoms)] or any(len(row) != 3 for row in rows):
        raise Rejected(f"relaxation: {path.name} does not end with a frame of {atoms} atoms")
    return np.array(rows, dtype=float)
