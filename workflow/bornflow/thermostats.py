"""Velocities and thermostats for structures whose motion as a whole is taken out.

Translation of everything, and `rotations` of an isolated structure, are conserved and stay zero, so they are
no degrees of freedom: the temperature is 2 E_kin / (k_B × degrees_of_freedom). An isolated structure in a
field turns: none of its rotations are taken out.

A linear molecule has two rotations. The third component of its angular momentum is that of its bending
vibrations. A linear molecule bends while it vibrates, so that a run decides once, from its start structure,
how many rotations it takes out: functions take that number as `rotations_out`; its default is `rotations` of
the structure as it is.
"""

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from jaxtyping import Float

from . import identity
from .errors import BornflowError

STRAIGHT = 0.2  # Å, the largest distance of an atom of a linear molecule from its axis; H of water has 0.5


def rotations(atoms: Atoms, turns: bool = False) -> int:
    """The rotations that are taken out: 3 of an isolated structure, 2 of a linear one, else 0.

    An isolated structure that `turns`, as in a field, keeps its rotations.
    """
    if turns or atoms.pbc.any() or len(atoms) == 1:
        return 0
    places, _, axes = _principal(atoms)
    across = places - np.outer(places @ axes[:, 0], axes[:, 0])
    return 2 if np.linalg.norm(across, axis=1).max() < STRAIGHT else 3


def _principal(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions [N, 3] from the centre of mass, moments of inertia [3] in ascending order, axes [3, 3]."""
    masses = atoms.get_masses()
    places = atoms.positions - masses @ atoms.positions / masses.sum()
    second = np.einsum("i,ia,ib->ab", masses, places, places)
    moments, axes = np.linalg.eigh(np.trace(second) * np.eye(3) - second)
    return places, moments, axes


def degrees_of_freedom(atoms: Atoms, rotations_out: int | None = None) -> int:
    """3N minus the conserved motions of the whole: 3 translations and the `rotations`."""
    return 3 * len(atoms) - 3 - _number(atoms, rotations_out)


def _number(atoms: Atoms, rotations_out: int | None) -> int:
    return rotations(atoms) if rotations_out is None else rotations_out


def thermalise(
    atoms: Atoms, temperature: float, rng: np.random.Generator, rotations_out: int | None = None
) -> None:
    """Random velocities at `temperature` [K], without motion of the whole.

    Raises BornflowError for one atom, which has no other motion.
    """
    out = _number(atoms, rotations_out)
    if not degrees_of_freedom(atoms, out):
        raise BornflowError(f"{identity.name(atoms)} is one atom, which has no motion but that of the whole")
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    _hold(atoms, out)
    target = 0.5 * units.kB * temperature * degrees_of_freedom(atoms, out)
    atoms.set_momenta(atoms.get_momenta() * np.sqrt(target / atoms.get_kinetic_energy()))


def _hold(atoms: Atoms, rotations_out: int) -> None:
    """Take the motion of the whole out: translations, and rotations about the axes of the largest moments."""
    Stationary(atoms, preserve_temperature=False)
    if rotations_out:
        places, moments, axes = _principal(atoms)
        moments, axes = moments[3 - rotations_out :], axes[:, 3 - rotations_out :]
        angular = np.cross(places, atoms.get_momenta()).sum(axis=0)
        spin = axes @ (axes.T @ angular / moments)
        turning = np.cross(spin, places) * atoms.get_masses()[:, None]
        atoms.set_momenta(atoms.get_momenta() - turning)


def temperature(atoms: Atoms, kinetic: float | None = None, rotations_out: int | None = None) -> float:
    """The instantaneous temperature [K]; `kinetic` [eV] is the kinetic energy, if known."""
    kinetic = atoms.get_kinetic_energy() if kinetic is None else kinetic
    return 2 * kinetic / (units.kB * degrees_of_freedom(atoms, rotations_out))


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
    rotations_out: int | None = None,
) -> Bussi:
    """ASE's Bussi thermostat (canonical); `timestep` and relaxation `time` in fs, `temperature` in K."""
    dynamics = Bussi(atoms, timestep * units.fs, temperature_K=temperature, taut=time * units.fs, rng=rng)
    dynamics.ndof = degrees_of_freedom(atoms, rotations_out)
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
        rotations_out: int | None = None,
    ):
        super().__init__(atoms, timestep * units.fs)
        self.keep = np.exp(-timestep / time)
        self.width = np.sqrt((1 - self.keep**2) * units.kB * temperature * atoms.get_masses())[:, None]
        self.rng, self.transferred_energy = rng, 0.0
        self.rotations_out = _number(atoms, rotations_out)

    def step(self, forces=None):
        """One step of all momenta and one of velocity Verlet."""
        atoms, before = self.atoms, self.atoms.get_kinetic_energy()
        noise = self.width * self.rng.standard_normal((len(atoms), 3))
        atoms.set_momenta(self.keep * atoms.get_momenta() + noise)
        _hold(atoms, self.rotations_out)
        self.transferred_energy += atoms.get_kinetic_energy() - before
        return super().step(forces)
