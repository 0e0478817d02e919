"""Velocities and a thermostat for structures whose motion as a whole is taken out.

Translation of everything, and rotation of a cluster, are conserved and stay zero, so they are no
degrees of freedom: the temperature is 2 E_kin / (k_B × degrees_of_freedom). A cluster in a field `turns`.
"""

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, ZeroRotation, thermalize_momenta

from . import frames
from .errors import BornflowError


def degrees_of_freedom(atoms: Atoms, turns: bool = False) -> int:
    """3N minus the conserved motions of the whole: 3, and for isolated structures 2 or 3 rotations."""
    rotations = 0 if turns or atoms.pbc.any() else {1: 0, 2: 2}.get(len(atoms), 3)
    return 3 * len(atoms) - 3 - rotations


def thermalise(atoms: Atoms, temperature: float, rng: np.random.Generator, turns: bool = False) -> None:
    """Random velocities at `temperature` [K], without motion of the whole.

    Raises BornflowError for one isolated atom, which has no other motion.
    """
    if not degrees_of_freedom(atoms, turns):
        raise BornflowError(f"{frames.name(atoms)} is one atom, which has no motion but that of the whole")
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    Stationary(atoms)
    if not (turns or atoms.pbc.any()):
        ZeroRotation(atoms)
    target = 0.5 * units.kB * temperature * degrees_of_freedom(atoms, turns)
    atoms.set_momenta(atoms.get_momenta() * np.sqrt(target / atoms.get_kinetic_energy()))


def temperature(atoms: Atoms, kinetic: float | None = None, turns: bool = False) -> float:
    """The instantaneous temperature [K]; who has the `kinetic` energy [eV] at hand saves its calculation."""
    kinetic = atoms.get_kinetic_energy() if kinetic is None else kinetic
    return 2 * kinetic / (units.kB * degrees_of_freedom(atoms, turns))


def bussi(
    atoms: Atoms,
    timestep: float,
    temperature: float,
    time: float,
    rng: np.random.Generator,
    turns: bool = False,
) -> Bussi:
    """ASE's Bussi thermostat (canonical); `timestep` and relaxation `time` in fs, `temperature` in K."""
    dynamics = Bussi(atoms, timestep * units.fs, temperature_K=temperature, taut=time * units.fs, rng=rng)
    dynamics.ndof = degrees_of_freedom(atoms, turns)
    dynamics.target_kinetic_energy = 0.5 * dynamics.temp * dynamics.ndof
    return dynamics
