"""Velocities and thermostat: which motions there are, and how much energy they hold."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import Calculator
from examples import water

from bornflow import thermostats
from bornflow.errors import BornflowError

KINDS = {  # degrees of freedom of a structure, and when it turns
    "molecule": (lambda: water(1), 3, 6),
    "pair": (lambda: Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), 1, 3),
    "box": (lambda: water(8, 0.9), 69, 69),
}


class Nothing(Calculator):
    """No forces: free particles."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turns", [False, True])
def test_velocities_hold_the_temperature_and_no_motion_of_the_whole(kind, turns):
    make, *freedom = KINDS[kind]
    atoms = make()
    out = thermostats.rotations(atoms, turns)
    thermostats.thermalise(atoms, 300, np.random.default_rng(3), out)
    assert thermostats.degrees_of_freedom(atoms, out) == freedom[turns]
    assert atoms.get_kinetic_energy() == pytest.approx(freedom[turns] * units.kB * 150)
    assert thermostats.temperature(atoms, rotations_out=out) == pytest.approx(300)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-10)
    if not atoms.pbc.any():
        turning = np.linalg.norm(atoms.get_angular_momentum())
        assert turning > 0.01 if turns else turning < 1e-6


THERMOSTATS = {"bussi": (thermostats.bussi, 1.0), "langevin": (thermostats.Langevin, 5.0)}


@pytest.mark.parametrize("thermostat", THERMOSTATS)
@pytest.mark.parametrize("turns", [False, True])
def test_the_thermostat_holds_the_energy_of_these_motions(turns, thermostat):
    atoms, rng = water(1), np.random.default_rng(0)
    atoms.calc = Nothing()
    out = thermostats.rotations(atoms, turns)
    thermostats.thermalise(atoms, 300, rng, out)
    make, time = THERMOSTATS[thermostat]
    dynamics = make(atoms, 0.5, 300, time, rng, out)
    energies, first = [], atoms.get_kinetic_energy()
    for _ in range(6000):
        dynamics.run(1)
        energies.append(atoms.get_kinetic_energy())
    # The canonical distribution: mean n kT/2, variance n (kT)²/2.
    n, kt = (6 if turns else 3), units.kB * 300
    assert np.mean(energies) == pytest.approx(n * kt / 2, rel=0.08)
    assert np.std(energies) == pytest.approx(np.sqrt(n / 2) * kt, rel=0.12)
    assert dynamics.transferred_energy == pytest.approx(energies[-1] - first)


class Springs(Calculator):
    """Pairs of neighbouring atoms held by springs of 3700 cm⁻¹."""

    implemented_properties = ("energy", "forces")
    stiffness = 48.0  # eV/Å²

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        bonds = atoms.positions[1::2] - atoms.positions[::2]
        lengths = np.linalg.norm(bonds, axis=1)[:, None]
        pull = self.stiffness * (lengths - 1) * bonds / lengths
        forces = np.stack([pull, -pull], axis=1).reshape(-1, 3)
        self.results = {"energy": 0.5 * self.stiffness * ((lengths - 1) ** 2).sum(), "forces": forces}


def test_cold_bonds_are_warmed_by_the_thermostat_that_equilibrates():
    """Rescaling all velocities alike would leave them cold: nothing else exchanges energy with them."""
    held = {}
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
        held[name] = np.mean(stretches) / units.kB  # ⟨k x²⟩ = k_B T
        assert np.mean(motion) == pytest.approx(held[name], rel=0.1, abs=5)
    assert held["langevin"] == pytest.approx(300, rel=0.15)
    assert held["bussi"] < 30


def test_one_isolated_atom_has_no_motion_of_its_own():
    with pytest.raises(BornflowError, match="O is one atom"):
        thermostats.thermalise(Atoms("O"), 300, np.random.default_rng(0))


LINEAR = ("CO2", "HCN", "C2H2", "CS2", "OCS")
BENT = ("H2O", "SO2", "O3", "CH4", "H2CO")


@pytest.mark.parametrize("name", [*LINEAR, *BENT])
def test_a_linear_molecule_keeps_one_more_motion(name):
    atoms = molecule(name)
    atoms.rotate(50, [1, 2, 3])
    out = thermostats.rotations(atoms)
    assert out == (2 if name in LINEAR else 3)
    assert thermostats.degrees_of_freedom(atoms) == 3 * len(atoms) - 3 - out
    assert (
        thermostats.degrees_of_freedom(atoms, thermostats.rotations(atoms, turns=True)) == 3 * len(atoms) - 3
    )
    thermostats.thermalise(atoms, 300, np.random.default_rng(2))
    assert thermostats.temperature(atoms) == pytest.approx(300)
    assert np.linalg.norm(atoms.get_angular_momentum()) < 1e-10


def test_a_bent_frame_of_a_linear_molecule_bends_in_both_directions():
    """At 300 K oxygens of CO2 are some 0.1 Å off its axis; angular momentum about it is that of bending."""
    atoms = molecule("CO2")
    atoms.positions[0, 0] += 0.1
    thermostats.thermalise(atoms, 300, np.random.default_rng(4))
    assert thermostats.degrees_of_freedom(atoms) == 4
    assert thermostats.temperature(atoms) == pytest.approx(300)
    about = np.abs(atoms.get_angular_momentum())
    assert about[2] > 1e-3
    assert np.linalg.norm(about[:2]) < 0.1 * about[2]


def test_every_motion_of_a_linear_molecule_has_its_share():
    """Bonds, two bends and nothing else: the mean kinetic energy of free atoms is that of 3N - 5 motions."""
    atoms, rng = molecule("CO2"), np.random.default_rng(0)
    atoms.calc = Nothing()
    held = []
    for _ in range(4000):
        copy = atoms.copy()
        dynamics = thermostats.Langevin(copy, 0.5, 300, 1e-3, rng)  # forgets all momenta at once
        copy.calc = Nothing()
        dynamics.step()
        held.append(copy.get_kinetic_energy())
        if len(held) == 1:
            assert dynamics.rotations_out == 2
    assert np.mean(held) == pytest.approx(4 * units.kB * 150, rel=0.05)


def test_isotopes_count_by_their_masses():
    light, heavy = molecule("H2O"), molecule("H2O")
    heavy.set_masses([15.999, 2.014, 2.014])
    for atoms in (light, heavy):
        thermostats.thermalise(atoms, 300, np.random.default_rng(1))
        assert thermostats.temperature(atoms) == pytest.approx(300)
        np.testing.assert_allclose(atoms.get_masses() @ atoms.get_velocities(), 0, atol=1e-12)
