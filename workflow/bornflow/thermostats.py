"""Velocities and thermostats for structures without centre-of-mass motion and overall rotation.

The centre-of-mass motion, and the rotation of an isolated structure, are conserved. They are removed from the
momenta and are not degrees of freedom, so the temperature is 2 E_kin / (k_B × degrees_of_freedom). An
electric field rotates an isolated structure, so its rotations are then kept.

A linear molecule has two rotations. The third component of its angular momentum belongs to its bending
vibrations. Since a linear molecule bends while it vibrates, a run decides once, from its start structure, how
many rotations are removed. Functions take that number as `removed_rotations`; by default it is
`rotations_to_remove` of the structure as it is.
"""

from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from jaxtyping import Float, Int

from . import identity
from .errors import BornflowError

# Å, the largest distance of an atom of a linear molecule from its axis; H of water has 0.5
LINEARITY_TOLERANCE = 0.2


def rotations_to_remove(atoms: Atoms, keep_rotations: bool = False) -> int:
    """Number of rotations to remove: isolated structure 3, linear structure 2, single atom or bulk 0.

    With `keep_rotations`, as in an electric field, none are removed.
    """
    if keep_rotations or atoms.pbc.any() or len(atoms) == 1:
        return 0
    positions, _, axes = _principal_axes(atoms)
    from_axis = positions - np.outer(positions @ axes[:, 0], axes[:, 0])
    return 2 if np.linalg.norm(from_axis, axis=1).max() < LINEARITY_TOLERANCE else 3


def _principal_axes(
    atoms: Atoms,
) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3"], Float[np.ndarray, "3 3"]]:
    """Positions relative to the centre of mass, moments of inertia in ascending order, axes as columns."""
    masses = atoms.get_masses()
    positions = atoms.positions - masses @ atoms.positions / masses.sum()
    second_moments = np.einsum("i,ia,ib->ab", masses, positions, positions)
    moments, axes = np.linalg.eigh(np.trace(second_moments) * np.eye(3) - second_moments)
    return positions, moments, axes


def degrees_of_freedom(atoms: Atoms, removed_rotations: int | None = None) -> int:
    """3N minus 3 for the centre-of-mass motion and minus the removed rotations."""
    return 3 * len(atoms) - 3 - _or_default(removed_rotations, atoms)


def _or_default(removed_rotations: int | None, atoms: Atoms) -> int:
    return rotations_to_remove(atoms) if removed_rotations is None else removed_rotations


def thermalise(
    atoms: Atoms, temperature: float, rng: np.random.Generator, removed_rotations: int | None = None
) -> None:
    """Set random velocities of exactly `temperature` [K], without overall motion.

    Raises BornflowError for a single atom, which has no other motion.
    """
    rotations = _or_default(removed_rotations, atoms)
    if not degrees_of_freedom(atoms, rotations):
        raise BornflowError(
            f"{identity.name(atoms)} is one atom, whose only motion is that of the centre of mass; give a "
            "structure of at least two atoms"
        )
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    remove_overall_motion(atoms, rotations)
    target = 0.5 * units.kB * temperature * degrees_of_freedom(atoms, rotations)
    atoms.set_momenta(atoms.get_momenta() * np.sqrt(target / atoms.get_kinetic_energy()))


def remove_overall_motion(atoms: Atoms, removed_rotations: int) -> None:
    """Remove the centre-of-mass motion, and rotations about the axes of the largest moments of inertia."""
    Stationary(atoms, preserve_temperature=False)
    if removed_rotations:
        positions, moments, axes = _principal_axes(atoms)
        moments, axes = moments[3 - removed_rotations :], axes[:, 3 - removed_rotations :]
        angular_momentum = np.cross(positions, atoms.get_momenta()).sum(axis=0)
        angular_velocity = axes @ (axes.T @ angular_momentum / moments)
        rotation = np.cross(angular_velocity, positions) * atoms.get_masses()[:, None]
        atoms.set_momenta(atoms.get_momenta() - rotation)


def temperature(atoms: Atoms, kinetic: float | None = None, removed_rotations: int | None = None) -> float:
    """The instantaneous temperature [K]; `kinetic` [eV] is the kinetic energy, if known."""
    kinetic = atoms.get_kinetic_energy() if kinetic is None else kinetic
    return 2 * kinetic / (units.kB * degrees_of_freedom(atoms, removed_rotations))


def bond_vectors(
    atoms: Atoms,
    first: Int[np.ndarray, " bonds"],
    second: Int[np.ndarray, " bonds"],
    shifts: Float[np.ndarray, "bonds 3"],
) -> Float[np.ndarray, "bonds 3"]:
    """Vectors [Å] from atoms `first` to the images of atoms `second` that are moved by `shifts` [Å]."""
    return atoms.positions[second] + shifts - atoms.positions[first]


def bond_temperature(
    atoms: Atoms,
    first: Int[np.ndarray, " bonds"],
    second: Int[np.ndarray, " bonds"],
    shifts: Float[np.ndarray, "bonds 3"],
) -> float:
    """The instantaneous temperature [K] of the motion along bonds, ⟨μ (Δv·u)²⟩ / k_B.

    Bonds are those of `bond_vectors`. u is the direction of a bond, Δv the velocity of one end relative to
    the other and μ their reduced mass.
    """
    vectors = bond_vectors(atoms, first, second, shifts)
    velocities = atoms.get_velocities()
    along = np.einsum("bx,bx->b", velocities[second] - velocities[first], vectors)
    masses = atoms.get_masses()
    reduced = masses[first] * masses[second] / (masses[first] + masses[second])
    return float(np.mean(reduced * along**2 / np.einsum("bx,bx->b", vectors, vectors)) / units.kB)


def bussi(
    atoms: Atoms,
    timestep: float,
    temperature: float,
    time: float,
    rng: np.random.Generator,
    removed_rotations: int | None = None,
) -> Bussi:
    """ASE's Bussi thermostat: velocity Verlet with stochastic velocity rescaling, which samples NVT.

    `timestep` and the relaxation `time` in fs, `temperature` in K. All velocities are scaled by one factor,
    which hardly disturbs the dynamics. Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101 (2007).
    """
    dynamics = Bussi(atoms, timestep * units.fs, temperature_K=temperature, taut=time * units.fs, rng=rng)
    dynamics.ndof = degrees_of_freedom(atoms, removed_rotations)
    dynamics.target_kinetic_energy = 0.5 * dynamics.temp * dynamics.ndof
    return dynamics


class Langevin(VelocityVerlet):
    """Velocity Verlet; each step is preceded by an Ornstein–Uhlenbeck update of the momenta

        p ← c p + √((1 − c²) m k_B T) ξ,    c = exp(−Δt / τ)

    and the removal of the overall motion. The update acts on every atom, so that each vibration thermalises
    within the relaxation `time` τ. (Stochastic velocity rescaling would leave a cold bond cold.)
    `transferred_energy` [eV] is the heat taken up. Bussi and Parrinello, Phys. Rev. E 75, 056707 (2007).
    """

    def __init__(
        self,
        atoms: Atoms,
        timestep: float,
        temperature: float,
        time: float,
        rng: np.random.Generator,
        removed_rotations: int | None = None,
    ):
        super().__init__(atoms, timestep * units.fs)
        self.damping = np.exp(-timestep / time)  # c
        self.noise_width = np.sqrt((1 - self.damping**2) * units.kB * temperature * atoms.get_masses())[
            :, None
        ]
        self.rng, self.transferred_energy = rng, 0.0
        self.removed_rotations = _or_default(removed_rotations, atoms)

    def step(self, forces: Float[np.ndarray, "atoms 3"] | None = None) -> Any:
        """One update of the momenta and one step of velocity Verlet."""
        atoms, before = self.atoms, self.atoms.get_kinetic_energy()
        noise = self.noise_width * self.rng.standard_normal((len(atoms), 3))
        atoms.set_momenta(self.damping * atoms.get_momenta() + noise)
        remove_overall_motion(atoms, self.removed_rotations)
        self.transferred_energy += atoms.get_kinetic_energy() - before
        return super().step(forces)
