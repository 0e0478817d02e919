"""Velocities and thermostats for structures whose motion as a whole is taken out.

Translation of everything, and rotation of a cluster, are conserved and stay zero, so they are no
degrees of freedom: the temperature is 2 E_kin / (k_B × degrees_of_freedom). A cluster in a field `turns`.
"""

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, ZeroRotation, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from jaxtyping import Float

from .errors import BornflowError
from .io import frames


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
    _hold(atoms, turns)
    target = 0.5 * units.kB * temperature * degrees_of_freedom(atoms, turns)
    atoms.set_momenta(atoms.get_momenta() * np.sqrt(target / atoms.get_kinetic_energy()))


def _hold(atoms: Atoms, turns: bool) -> None:
    """Take the motion of the whole out."""
    Stationary(atoms, preserve_temperature=False)
    if not (turns or atoms.pbc.any()):
        ZeroRotation(atoms, preserve_temperature=False)


def temperature(atoms: Atoms, kinetic: float | None = None, turns: bool = False) -> float:
    """The instantaneous temperature [K]; who has the `kinetic` energy [eV] at hand saves its calculation."""
    kinetic = atoms.get_kinetic_energy() if kinetic is None else kinetic
    return 2 * kinetic / (units.kB * degrees_of_freedom(atoms, turns))


def bond_vectors(
    atoms: Atoms, first: np.ndarray, second: np.ndarray, shifts: np.ndarray
) -> Float[np.ndarray, "bonds 3"]:
    """From atoms `first` [n] to `second` [n], moved by `shifts` [n, 3] Å."""
    return atoms.positions[second] + shifts - atoms.positions[first]


def bond_temperature(atoms: Atoms, first: np.ndarray, second: np.ndarray, shifts: np.ndarray) -> float:
    """The instantaneous temperature [K] of the motion along bonds, ⟨μ (Δv·u)²⟩ / k_B.

    Bonds are those of `bond_vectors`; u is the direction of one, Δv the velocity of one end relative to the
    other and μ their reduced mass.
    """
    directions = bond_vectors(atoms, first, second, shifts)
    velocities = atoms.get_velocities()
    along = np.einsum("bx,bx->b", velocities[second] - velocities[first], directions)
    masses = atoms.get_masses()
    reduced = masses[first] * masses[second] / (masses[first] + masses[second])
    return float(np.mean(reduced * along**2 / np.einsum("bx,bx->b", directions, directions)) / units.kB)


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


class Langevin(VelocityVerlet):
    """Velocity Verlet, before each step of which all momenta forget a part of themselves.

        p ← c p + √((1 − c²) m k_B T) ξ,    c = exp(−Δt / τ)

    with the motion of the whole taken out. Every motion takes up its share of energy within `time` τ, however
    fast it is; a thermostat that rescales all velocities alike leaves a cold bond cold. `transferred_energy`
    [eV] is the heat taken up. Bussi and Parrinello, Phys. Rev. E 75, 056707 (2007).
    """

    def __init__(
        self,
        atoms: Atoms,
        timestep: float,
        temperature: float,
        time: float,
        rng: np.random.Generator,
        turns: bool = False,
    ):
        super().__init__(atoms, timestep * units.fs)
        self.keep = np.exp(-timestep / time)
        self.width = np.sqrt((1 - self.keep**2) * units.kB * temperature * atoms.get_masses())[:, None]
        self.rng, self.turns, self.transferred_energy = rng, turns, 0.0

    def step(self, forces=None):
        """One step of all momenta and one of velocity Verlet."""
        atoms, before = self.atoms, self.atoms.get_kinetic_energy()
        noise = self.width * self.rng.standard_normal((len(atoms), 3))
        atoms.set_momenta(self.keep * atoms.get_momenta() + noise)
        _hold(atoms, self.turns)
        self.transferred_energy += atoms.get_kinetic_energy() - before
        return super().step(forces)
