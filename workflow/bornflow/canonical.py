"""Velocities and a thermostat for structures whose motion as a whole is taken out.

Translation of everything, and rotation of a cluster, are conserved and stay zero, so they are no
degrees of freedom: the temperature is 2 E_kin / (k_B × degrees_of_freedom).
"""

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, ZeroRotation, thermalize_momenta


def degrees_of_freedom(atoms: Atoms) -> int:
    """3N minus the conserved motions of the whole: 3, and for isolated structures 2 or 3 rotations."""
    rotations = 0 if atoms.pbc.any() else {1: 0, 2: 2}.get(len(atoms), 3)
    return 3 * len(atoms) - 3 - rotations


def thermalise(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Random velocities at `temperature` [K], without motion of the whole."""
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    Stationary(atoms)
    if not atoms.pbc.any() and len(atoms) > 1:
        ZeroRotation(atoms)
    kinetic = atoms.get_kinetic_energy()
    if kinetic > 0:
        target = 0.5 * units.kB * temperature * degrees_of_freedom(atoms)
        atoms.set_momenta(atoms.get_momenta() * np.sqrt(target / kinetic))


def temperature(atoms: Atoms, kinetic: float | None = None) -> float:
    """The instantaneous temperature [K]; who has the `kinetic` energy [eV] at hand saves its calculation."""
    kinetic = atoms.get_kinetic_energy() if kinetic is None else kinetic
    return 2 * kinetic / (units.kB * max(degrees_of_freedom(atoms), 1))


def bussi(atoms: Atoms, timestep: float, temperature: float, time: float, rng: np.random.Generator) -> Bussi:
    """ASE's Bussi thermostat (canonical); `timestep` and relaxation `time` in fs, `temperature` in K."""
    dynamics = Bussi(atoms, timestep * units.fs, temperature_K=temperature, taut=time * units.fs, rng=rng)
    dynamics.ndof = degrees_of_freedom(atoms)
    dynamics.target_kinetic_energy = 0.5 * dynamics.temp * dynamics.ndof
    return dynamics
