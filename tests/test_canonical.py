"""Velocities and thermostat: which motions there are, and how much energy they hold."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from examples import water

from bornflow import canonical
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
    out = canonical.rotations(atoms, turns)
    canonical.thermalise(atoms, 300, np.random.default_rng(3), out)
    assert canonical.degrees_of_freedom(atoms, out) == freedom[turns]
    assert atoms.get_kinetic_energy() == pytest.approx(freedom[turns] * units.kB * 150)
    assert canonical.temperature(atoms, rotations_out=out) == pytest.approx(300)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-10)
    if not atoms.pbc.any():
        turning = np.linalg.norm(atoms.get_angular_momentum())
        assert turning > 0.01 if turns else turning < 1e-6


THERMOSTATS = {"bussi": (canonical.bussi, 1.0), "langevin": (canonical.Langevin, 5.0)}


@pytest.mark.parametrize("thermostat", THERMOSTATS)
@pytest.mark.parametrize("turns", [False, True])
def test_the_thermostat_holds_the_energy_of_these_motions(turns, thermostat):
    atoms, rng = water(1), np.random.default_rng(0)
    atoms.calc = Nothing()
    out = canonical.rotations(atoms, turns)
    canonical.thermalise(atoms, 300, rng, out)
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
                motion.append(canonical.bond_temperature(atoms, *ends))
        held[name] = np.mean(stretches) / units.kB  # ⟨k x²⟩ = k_B T
        assert np.mean(motion) == pytest.approx(held[name], rel=0.1, abs=5)
    assert held["langevin"] == pytest.approx(300, rel=0.15)
    assert held["bussi"] < 30


def test_one_isolated_atom_has_no_motion_of_its_own():
    with pytest.raises(BornflowError, match="O is one atom"):
        canonical.thermalise(Atoms("O"), 300, np.random.default_rng(0))
