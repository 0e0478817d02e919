"""Velocities and thermostats: the degrees of freedom and their energy."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import Calculator
from examples import water

from bornflow import thermostats
from bornflow.errors import BornflowError

KINDS = {  # degrees of freedom of a structure, and with its rotations kept
    "molecule": (lambda: water(1), 3, 6),
    "pair": (lambda: Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), 1, 3),
    "box": (lambda: water(8, 0.9), 69, 69),
}


class FreeParticles(Calculator):
    """No forces."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep_rotations", [False, True])
def test_velocities_have_the_temperature_and_no_overall_motion(kind, keep_rotations):
    make, *freedom = KINDS[kind]
    atoms = make()
    removed = thermostats.rotations_to_remove(atoms, keep_rotations)
    thermostats.thermalise(atoms, 300, np.random.default_rng(3), removed)
    assert thermostats.degrees_of_freedom(atoms, removed) == freedom[keep_rotations]
    assert atoms.get_kinetic_energy() == pytest.approx(freedom[keep_rotations] * units.kB * 150)
    assert thermostats.temperature(atoms, removed_rotations=removed) == pytest.approx(300)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-10)
    if not atoms.pbc.any():
        angular_momentum = np.linalg.norm(atoms.get_angular_momentum())
        assert angular_momentum > 0.01 if keep_rotations else angular_momentum < 1e-6


THERMOSTATS = {"bussi": (thermostats.bussi, 1.0), "langevin": (thermostats.Langevin, 5.0)}


@pytest.mark.parametrize("thermostat", THERMOSTATS)
@pytest.mark.parametrize("keep_rotations", [False, True])
def test_a_thermostat_samples_the_canonical_distribution(keep_rotations, thermostat):
    atoms, rng = water(1), np.random.default_rng(0)
    atoms.calc = FreeParticles()
    removed = thermostats.rotations_to_remove(atoms, keep_rotations)
    thermostats.thermalise(atoms, 300, rng, removed)
    make, time = THERMOSTATS[thermostat]
    dynamics = make(atoms, 0.5, 300, time, rng, removed)
    energies, first = [], atoms.get_kinetic_energy()
    for _ in range(6000):
        dynamics.run(1)
        energies.append(atoms.get_kinetic_energy())
    # The canonical distribution: mean n kT/2, variance n (kT)²/2.
    n, kt = (6 if keep_rotations else 3), units.kB * 300
    assert np.mean(energies) == pytest.approx(n * kt / 2, rel=0.08)
    assert np.std(energies) == pytest.approx(np.sqrt(n / 2) * kt, rel=0.12)
    assert dynamics.transferred_energy == pytest.approx(energies[-1] - first)


class Springs(Calculator):
    """Pairs of neighbouring atoms connected by springs of 3700 cm⁻¹."""

    implemented_properties = ("energy", "forces")
    stiffness = 48.0  # eV/Å²

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        bonds = atoms.positions[1::2] - atoms.positions[::2]
        lengths = np.linalg.norm(bonds, axis=1)[:, None]
        pull = self.stiffness * (lengths - 1) * bonds / lengths
        forces = np.stack([pull, -pull], axis=1).reshape(-1, 3)
        self.results = {"energy": 0.5 * self.stiffness * ((lengths - 1) ** 2).sum(), "forces": forces}


def test_cold_bonds_are_warmed_by_the_langevin_thermostat():
    """If all velocities are rescaled by one factor, cold bonds stay cold: they exchange no energy."""
    means = {}
    for name, (make, _) in THERMOSTATS.items():
        rng = np.random.default_rng(1)
        places = np.repeat(20.0 * np.arange(40), 2)[:, None] * [1, 0, 0]
        atoms = Atoms("OH" * 40, places + np.tile([[0, 0, 0], [0, 0, 1]], (40, 1)), cell=[900] * 3, pbc=True)
        atoms.calc = Springs()
        atoms.set_velocities(np.repeat(rng.normal(size=(40, 3)), 2, axis=0) * 0.03)
        dynamics, stretches, motion = make(atoms, 0.5, 300, 50.0, rng), [], []
        ends = np.arange(0, 80, 2), np.arange(1, 80, 2), np.zeros((40, 3))
        for step in range(2000):
            dynamics.step()
            if step >= 1000:
                bonds = atoms.positions[1::2] - atoms.positions[::2]
                stretches.append(Springs.stiffness * (np.linalg.norm(bonds, axis=1) - 1) ** 2)
                motion.append(thermostats.bond_temperature(atoms, *ends))
        means[name] = np.mean(stretches) / units.kB  # ⟨k x²⟩ = k_B T
        assert np.mean(motion) == pytest.approx(means[name], rel=0.1, abs=5)
    assert means["langevin"] == pytest.approx(300, rel=0.15)
    assert means["bussi"] < 30


def test_one_isolated_atom_is_rejected():
    with pytest.raises(BornflowError, match="O is one atom"):
        thermostats.thermalise(Atoms("O"), 300, np.random.default_rng(0))


LINEAR = ("CO2", "HCN", "C2H2", "CS2", "OCS")
BENT = ("H2O", "SO2", "O3", "CH4", "H2CO")


@pytest.mark.parametrize("name", [*LINEAR, *BENT])
def test_a_linear_molecule_has_one_more_degree_of_freedom(name):
    atoms = molecule(name)
    atoms.rotate(50, [1, 2, 3])
    removed = thermostats.rotations_to_remove(atoms)
    assert removed == (2 if name in LINEAR else 3)
    assert thermostats.degrees_of_freedom(atoms) == 3 * len(atoms) - 3 - removed
    assert (
        thermostats.degrees_of_freedom(atoms, thermostats.rotations_to_remove(atoms, keep_rotations=True))
        == 3 * len(atoms) - 3
    )
    thermostats.thermalise(atoms, 300, np.random.default_rng(2))
    assert thermostats.temperature(atoms) == pytest.approx(300)
    assert np.linalg.norm(atoms.get_angular_momentum()) < 1e-10


def test_a_bent_frame_of_a_linear_molecule_bends_in_both_directions():
    """At 300 K the oxygens of CO2 are 0.1 Å off the axis; angular momentum about it is due to bending."""
    atoms = molecule("CO2")
    atoms.positions[0, 0] += 0.1
    thermostats.thermalise(atoms, 300, np.random.default_rng(4))
    assert thermostats.degrees_of_freedom(atoms) == 4
    assert thermostats.temperature(atoms) == pytest.approx(300)
    about = np.abs(atoms.get_angular_momentum())
    assert about[2] > 1e-3
    assert np.linalg.norm(about[:2]) < 0.1 * about[2]


def test_every_vibration_of_a_linear_molecule_has_its_share_of_energy():
    """The mean kinetic energy of free atoms is that of 3N - 5 degrees of freedom: two bonds and two bends."""
    atoms, rng = molecule("CO2"), np.random.default_rng(0)
    atoms.calc = FreeParticles()
    energies = []
    for _ in range(4000):
        copy = atoms.copy()
        dynamics = thermostats.Langevin(copy, 0.5, 300, 1e-3, rng)  # draws all momenta anew
        copy.calc = FreeParticles()
        dynamics.step()
        energies.append(copy.get_kinetic_energy())
        if len(energies) == 1:
            assert dynamics.removed_rotations == 2
    assert np.mean(energies) == pytest.approx(4 * units.kB * 150, rel=0.05)


def test_isotopes_have_their_own_masses():
    light, heavy = molecule("H2O"), molecule("H2O")
    heavy.set_masses([15.999, 2.014, 2.014])
    for atoms in (light, heavy):
        thermostats.thermalise(atoms, 300, np.random.default_rng(1))
        assert thermostats.temperature(atoms) == pytest.approx(300)
        np.testing.assert_allclose(atoms.get_masses() @ atoms.get_velocities(), 0, atol=1e-12)
