"""A run that leaves physics is stopped, with the step, the atom and the last frames."""

import ase.io
import numpy as np
import pytest
from examples import water

from bornflow.dynamics.watch import LAST_FRAMES, Watch
from bornflow.errors import BornflowError

LIMITS = {"temperature_limit": 3000, "bond_limit": 2, "energy_limit": 0.05, "drift_limit": 0.1}


@pytest.fixture(params=[None, 0.9], ids=["cluster", "box"])
def atoms(request):
    return water(3 if request.param is None else 8, request.param)


@pytest.fixture
def watch(atoms, tmp_path):
    return Watch(atoms, LIMITS, tmp_path / "run.failed.extxyz")


class Forces:
    """Stands for a calculator whose forces were evaluated already."""

    def __init__(self, forces):
        self.forces = forces

    def get_forces(self, atoms):
        return self.forces


def test_a_quiet_run_passes(atoms, watch):
    for step in range(3 * LAST_FRAMES):
        watch.look(atoms, step, -10.0 + 1e-3 * step, 300.0)
    assert not watch.failed.exists()


def test_each_water_has_two_bonds_wherever_its_cell_ends(atoms, tmp_path):
    moved = atoms.copy()
    if atoms.pbc.any():
        moved.positions += [1.0, 2.0, 3.0]
        moved.wrap()
    assert len(Watch(moved, LIMITS, tmp_path / "f.extxyz")._longest) == 2 * len(atoms) / 3


def test_a_broken_bond_is_named(atoms, watch):
    watch.look(atoms, 1, 0.0, 300.0)
    atoms.positions[4] += [3.0, 0, 0]
    with pytest.raises(BornflowError, match=r"step 2: the bond of .*atom 4 \(H\).* Å long, above 1.94 Å"):
        watch.look(atoms, 2, 0.0, 300.0)
    written = ase.io.read(watch.failed, ":")
    assert [frame.info["step"] for frame in written] == [1, 2]
    np.testing.assert_allclose(written[-1].positions, atoms.positions, atol=1e-7)


@pytest.mark.parametrize("temperature", [3001.0, np.nan])
def test_heat_is_reported_with_the_fastest_atom(atoms, watch, temperature):
    momenta = np.zeros_like(atoms.positions)
    momenta[5] = 10.0
    atoms.set_momenta(momenta)
    with pytest.raises(BornflowError, match=r"step 7: temperature .* above 3000 K .* atom 5 \(H\)"):
        watch.look(atoms, 7, 0.0, temperature)


@pytest.mark.parametrize("energy", [1.0 * 24, np.nan])
def test_a_jump_of_the_conserved_energy_is_reported_with_the_largest_force(atoms, watch, energy):
    forces = np.zeros_like(atoms.positions)
    forces[3] = 50.0
    atoms.calc = Forces(forces)
    watch.look(atoms, 1, 0.0, 300.0)
    with pytest.raises(BornflowError, match=r"step 2: the conserved energy .* atom 3 \(O\) has the largest"):
        watch.look(atoms, 2, energy, 300.0)


def test_a_slow_drift_is_reported_also_by_a_run_that_goes_on(atoms, watch):
    per_step = 0.03 * len(atoms)
    for step in range(4):
        watch.look(atoms, step, step * per_step, 300.0)
    resumed = Watch(atoms, LIMITS, watch.failed, watch.start)
    with pytest.raises(BornflowError, match=r"step 4: .* 0.12 eV per atom since the run began, above 0.1 eV"):
        resumed.look(atoms, 4, 4 * per_step, 300.0)
