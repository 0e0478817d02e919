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
    canonical.thermalise(atoms, 300, np.random.default_rng(3), turns)
    assert canonical.degrees_of_freedom(atoms, turns) == freedom[turns]
    assert atoms.get_kinetic_energy() == pytest.approx(freedom[turns] * units.kB * 150)
    assert canonical.temperature(atoms, turns=turns) == pytest.approx(300)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-10)
    if not atoms.pbc.any():
        turning = np.linalg.norm(atoms.get_angular_momentum())
        assert turning > 0.01 if turns else turning < 1e-6


@pytest.mark.parametrize("turns", [False, True])
def test_the_thermostat_holds_the_energy_of_these_motions(turns):
    atoms, rng = water(1), np.random.default_rng(0)
    atoms.calc = Nothing()
    canonical.thermalise(atoms, 300, rng, turns)
    dynamics = canonical.bussi(atoms, 0.5, 300, 1.0, rng, turns)
    energies = []
    for _ in range(6000):
        dynamics.run(1)
        energies.append(atoms.get_kinetic_energy())
    # The canonical distribution: mean n kT/2, variance n (kT)²/2.
    n, kt = (6 if turns else 3), units.kB * 300
    assert np.mean(energies) == pytest.approx(n * kt / 2, rel=0.08)
    assert np.std(energies) == pytest.approx(np.sqrt(n / 2) * kt, rel=0.12)


def test_one_isolated_atom_has_no_motion_of_its_own():
    with pytest.raises(BornflowError, match="O is one atom"):
        canonical.thermalise(Atoms("O"), 300, np.random.default_rng(0))
