"""A run with unphysical motion is stopped, with the step, the atom and the last frames."""

import itertools

import ase.io
import jax
import numpy as np
import pytest
from examples import water

from bornflow.dynamics.md import simulate
from bornflow.dynamics.series import read_run
from bornflow.dynamics.stability import LAST_FRAMES, StabilityMonitor
from bornflow.errors import BornflowError
from bornflow.inference.calculator import BornflowCalculator


@pytest.fixture
def limits(settings):
    return settings(temperature_limit=3000, bond_limit=2, energy_limit=0.05, drift_limit=0.1)


@pytest.fixture(params=[None, 0.9], ids=["cluster", "box"])
def atoms(request):
    return water(3 if request.param is None else 8, request.param)


@pytest.fixture
def monitor(atoms, limits, tmp_path):
    return StabilityMonitor(atoms, limits, tmp_path / "run.failed.extxyz")


class Forces:
    """Replaces a calculator whose forces are already evaluated."""

    def __init__(self, forces):
        self.forces = forces

    def get_forces(self, atoms):
        return self.forces


def test_a_stable_run_passes(atoms, monitor):
    for step in range(3 * LAST_FRAMES):
        monitor.check(atoms, step, -10.0 + 1e-3 * step, 300.0)
    assert not monitor.failed.exists()


def test_each_water_has_two_bonds_across_cell_boundaries(atoms, limits, tmp_path):
    moved = atoms.copy()
    if atoms.pbc.any():
        moved.positions += [1.0, 2.0, 3.0]
        moved.wrap()
    assert len(StabilityMonitor(moved, limits, tmp_path / "f.extxyz")._longest) == 2 * len(atoms) / 3


def test_a_broken_bond_is_named(atoms, monitor):
    monitor.check(atoms, 1, 0.0, 300.0)
    atoms.positions[4] += [3.0, 0, 0]
    with pytest.raises(BornflowError, match=r"step 2: the bond of .*atom 4 \(H\).* Å long, above 1.94 Å"):
        monitor.check(atoms, 2, 0.0, 300.0)
    written = ase.io.read(monitor.failed, ":")
    assert [frame.info["step"] for frame in written] == [1, 2]
    np.testing.assert_allclose(written[-1].positions, atoms.positions, atol=1e-7)


@pytest.mark.parametrize("temperature", [3001.0, np.nan])
def test_a_high_temperature_is_reported_with_the_fastest_atom(atoms, monitor, temperature):
    momenta = np.zeros_like(atoms.positions)
    momenta[5] = 10.0
    atoms.set_momenta(momenta)
    with pytest.raises(BornflowError, match=r"step 7: temperature .* above 3000 K .* atom 5 \(H\)"):
        monitor.check(atoms, 7, 0.0, temperature)


@pytest.mark.parametrize("energy", [1.0 * 24, np.nan])
def test_a_jump_of_the_conserved_energy_is_reported_with_the_largest_force(atoms, monitor, energy):
    forces = np.zeros_like(atoms.positions)
    forces[3] = 50.0
    atoms.calc = Forces(forces)
    monitor.check(atoms, 1, 0.0, 300.0)
    with pytest.raises(BornflowError, match=r"step 2: the conserved energy .* atom 3 \(O\) has the largest"):
        monitor.check(atoms, 2, energy, 300.0)


def test_a_slow_drift_is_also_reported_by_a_resumed_run(atoms, limits, monitor):
    per_step = 0.03 * len(atoms)
    atoms.calc = Forces(np.eye(len(atoms), 3))
    for step in range(4):
        monitor.check(atoms, step, step * per_step, 300.0)
    resumed = StabilityMonitor(atoms, limits, monitor.failed, monitor.state)
    message = r"step 4: .* 0.12 eV per atom since the run began, above 0.1 eV .* atom 0 \(O\) has the largest"
    with pytest.raises(BornflowError, match=message):
        resumed.check(atoms, 4, 4 * per_step, 300.0)


@pytest.mark.parametrize(
    ("what", "named"),
    [("forces", r"forces of atom 2 \(H\)"), ("bec", r"charges of atom 2 \(H\)"), ("energy", "energy is")],
)
def test_a_failure_of_the_model_is_reported_with_the_step(
    gentle, settings, tmp_path, monkeypatch, what, named
):
    calculator = BornflowCalculator(gentle, dtype="float64")
    evaluate, count = calculator._evaluate[False], itertools.count()

    def failing(graph):
        out = jax.device_get(evaluate(graph))
        if next(count) == 48:  # step 7, after the start, 40 of equilibration, and a new neighbour list
            values = np.array(getattr(out, what))
            values[(2, 0) if what != "energy" else ()] = np.nan
            out = out._replace(**{what: values})
        return out

    monkeypatch.setitem(calculator._evaluate, False, failing)
    with pytest.raises(BornflowError, match=rf"step 7: .*{named}.* not finite"):
        simulate(water(2), calculator, settings(), 0, tmp_path / "r.h5")
    assert ase.io.read(tmp_path / "r.failed.extxyz", "-1").info["step"] == 7
    assert not (tmp_path / "r.h5").exists()


def test_a_resumed_run_monitors_the_same_bonds_and_energy(gentle, settings, tmp_path, monkeypatch):
    """Bonds are those of the start structure, and the next jump is relative to the last energy."""
    begun = []

    class Witness(StabilityMonitor):
        def __init__(self, atoms, settings, failed, state=None):
            begun.append((atoms.positions.copy(), state))
            super().__init__(atoms, settings, failed, state)

        def check(self, atoms, step, *rest):
            super().check(atoms, step, *rest)
            if step == 60 and len(begun) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr("bornflow.dynamics.run.StabilityMonitor", Witness)
    calculator = BornflowCalculator(gentle, dtype="float64")
    with pytest.raises(KeyboardInterrupt):
        simulate(water(2), calculator, settings(steps=100), 0, tmp_path / "r.h5", "same")
    simulate(water(2), calculator, settings(steps=100), 0, tmp_path / "r.h5", "same")
    (first, _), (second, state) = begun
    np.testing.assert_array_equal(first, second)
    _, series = read_run(tmp_path / "r.h5", "conserved_energy")
    assert state["last"] == series["conserved_energy"][49]
