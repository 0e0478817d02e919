"""A run that leaves physics is stopped, with the step, the atom and the last frames."""

import itertools

import ase.io
import jax
import numpy as np
import pytest
from examples import water

from bornflow.dynamics.md import simulate
from bornflow.dynamics.series import read_run
from bornflow.dynamics.watch import LAST_FRAMES, Watch
from bornflow.errors import BornflowError
from bornflow.inference.calculator import BornflowCalculator

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
    atoms.calc = Forces(np.eye(len(atoms), 3))
    for step in range(4):
        watch.look(atoms, step, step * per_step, 300.0)
    resumed = Watch(atoms, LIMITS, watch.failed, watch.state)
    message = r"step 4: .* 0.12 eV per atom since the run began, above 0.1 eV .* atom 0 \(O\) has the largest"
    with pytest.raises(BornflowError, match=message):
        resumed.look(atoms, 4, 4 * per_step, 300.0)


@pytest.mark.parametrize(
    ("what", "named"),
    [("forces", r"forces of atom 2 \(H\)"), ("bec", r"charges of atom 2 \(H\)"), ("energy", "energy is")],
)
def test_what_the_model_cannot_answer_is_reported_with_the_step(
    gentle, options, tmp_path, monkeypatch, what, named
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
        simulate(water(2), calculator, options(), 0, tmp_path / "r.h5")
    assert ase.io.read(tmp_path / "r.failed.extxyz", "-1").info["step"] == 7
    assert not (tmp_path / "r.h5").exists()


def test_a_run_that_goes_on_watches_what_it_watched_before(gentle, options, tmp_path, monkeypatch):
    """A bond that is stretched in the last part is one all the same, and the next jump is seen."""
    begun = []

    class Witness(Watch):
        def __init__(self, atoms, options, failed, state=None):
            begun.append((atoms.positions.copy(), state))
            super().__init__(atoms, options, failed, state)

        def look(self, atoms, step, *rest):
            super().look(atoms, step, *rest)
            if step == 60 and len(begun) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr("bornflow.dynamics.md.Watch", Witness)
    calculator = BornflowCalculator(gentle, dtype="float64")
    with pytest.raises(KeyboardInterrupt):
        simulate(water(2), calculator, options(steps=100), 0, tmp_path / "r.h5", "same")
    simulate(water(2), calculator, options(steps=100), 0, tmp_path / "r.h5", "same")
    (first, _), (second, state) = begun
    np.testing.assert_array_equal(first, second)
    _, series = read_run(tmp_path / "r.h5", "conserved_energy")
    assert state["last"] == series["conserved_energy"][49]
