"""A committee of models: means, uncertainties, their calibration, and the structures that it chooses."""

import json

import jax
import numpy as np
import pytest
from ase import Atoms
from examples import jiggle, noisy_parameters, variant, water

from bornflow.errors import BornflowError
from bornflow.figures import committee as committee_figure
from bornflow.inference import BornflowCalculator, CommitteeCalculator, checkpoint
from bornflow.inference.checkpoint import Checkpoint
from bornflow.io import frames
from bornflow.io.calibration import read_scales
from bornflow.models.model import Model
from bornflow.structures.uncertain import UNCERTAINTIES, most_uncertain
from bornflow.training.committee import calibrate

STD = ("energy_std", "forces_std", "born_effective_charges_std")


@pytest.fixture(scope="module")
def members():
    """Three models with different weights, the last one a variant with other charges."""
    models = [Model(variant(charges=charges), ("H", "O")) for charges in ("uncoupled", "uncoupled", "local")]
    checkpoints = []
    for number, model in enumerate(models):
        parameters = jax.tree.map(lambda leaf, f=1 + 0.1 * number: f * leaf, noisy_parameters(model))
        checkpoints.append(Checkpoint(model, parameters, np.array([-1.0, -2.0])))
    return [BornflowCalculator(checkpoint, dtype="float64") for checkpoint in checkpoints]


def test_results_are_means_and_standard_deviations_of_the_members(members):
    atoms = water(2)
    results = [
        {
            name: member.get_property(name, atoms)
            for name in ("energy", "forces", "charges", "born_effective_charges")
        }
        for member in members
    ]
    members[0].get_property("stress", water(8, 0.9))  # earlier requests have no effect
    committee = CommitteeCalculator(members, {"forces": 2.0})
    for name in results[0]:
        values = [result[name] for result in results]
        np.testing.assert_allclose(committee.get_property(name, atoms), np.mean(values, axis=0), rtol=1e-12)
        if f"{name}_std" in STD:
            factor = 2 if name == "forces" else 1
            expected = factor * np.std(values, axis=0, ddof=1)
            np.testing.assert_allclose(committee.get_property(f"{name}_std", atoms), expected, rtol=1e-12)


def test_forces_and_stress_are_derivatives_of_the_mean_energy(members):
    atoms = water(8, 0.9)
    atoms.calc = CommitteeCalculator(members)
    forces, stress = atoms.get_forces(), atoms.get_stress()
    step = 1e-4
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[3, 1] += sign * step
        moved.calc = atoms.calc
        energies.append(moved.get_potential_energy())
    np.testing.assert_allclose(forces[3, 1], -(energies[0] - energies[1]) / (2 * step), rtol=1e-5)
    members_stress = [member.get_property("stress", atoms) for member in members]
    np.testing.assert_allclose(stress, np.mean(members_stress, axis=0), rtol=1e-10)


def test_one_model_is_no_committee(members, tmp_path):
    with pytest.raises(BornflowError, match="1 model given; a committee has at least two"):
        CommitteeCalculator(members[:1])
    with pytest.raises(BornflowError, match="scales of force given; energy, forces, bec are possible"):
        CommitteeCalculator(members, {"force": 2.0})
    model = Model(variant(), ("H", "O"))
    for name, factor in (("a", 1), ("b", 1), ("c", 2)):
        parameters = jax.tree.map(lambda leaf, f=factor: f * leaf, noisy_parameters(model))
        checkpoint.save(tmp_path / name, Checkpoint(model, parameters, np.zeros(2)), "m", {}, 0)
    with pytest.raises(BornflowError, match=r"a and .*b contain the same model"):
        CommitteeCalculator.from_checkpoints([tmp_path / "a", tmp_path / "b"])
    assert len(CommitteeCalculator.from_checkpoints([tmp_path / "a", tmp_path / "c"]).members) == 2
    other = Model(variant(), ("H",))
    alone = Checkpoint(
        other, other.initialise(other.graph(np.array([1]), np.zeros((1, 3)), None), 0), np.zeros(1)
    )
    with pytest.raises(BornflowError, match="know different elements"):
        CommitteeCalculator([members[0], BornflowCalculator(alone)])


def test_the_most_uncertain_structures_are_chosen(members):
    committee = CommitteeCalculator(members[:2])
    pool = [jiggle(water(2), seed, width) for seed, width in enumerate((0.0, 0.02, 0.3, 0.05, 0.4))]
    for index, atoms in enumerate(pool):
        atoms.info = {"structure": f"frame-{index}"}
    forces = np.array([committee.get_property("forces_std", atoms) for atoms in pool])
    charges = np.array([committee.get_property("born_effective_charges_std", atoms) for atoms in pool])
    rated = np.stack(
        [np.linalg.norm(forces, axis=2).max(axis=1), np.linalg.norm(charges, axis=(2, 3)).max(axis=1)], axis=1
    )
    order = np.argsort(-(rated / rated.mean(axis=0)).sum(axis=1))[:2]
    chosen = most_uncertain(pool, committee, 2)
    assert [frames.name(atoms) for atoms in chosen] == [f"frame-{i}" for i in order]
    given = [[atoms.info[key] for key in UNCERTAINTIES] for atoms in chosen]
    np.testing.assert_allclose(given, rated[order], atol=1e-4)
    assert len(most_uncertain(pool, committee, 9)) == 5
    with pytest.raises(BornflowError, match="sulphur"):
        most_uncertain([Atoms("S", info={"structure": "sulphur"})], committee, 1)


def labelled_and_guessed(factor: float) -> tuple[list[Atoms], list[list[Atoms]]]:
    """Labels, and guesses of four members that deviate `factor` times less than the mean's error."""
    rng = np.random.default_rng(0)
    labelled, guessed = [], [[] for _ in range(4)]
    for number in range(200):
        atoms = water(2, seed=number % 5)
        atoms.info["structure"] = f"s-{number}"
        shape = (6, 3)
        width = rng.uniform(0.01, 0.1, size=(6, 1))
        forces, error = np.zeros(shape), rng.normal(scale=width, size=shape)
        labelled.append(frames.with_labels(atoms, {"energy": 0.0, "forces": forces}))
        spread = rng.normal(scale=width / factor, size=(4, *shape))
        spread -= spread.mean(axis=0)
        for member, deviation in zip(guessed, spread, strict=True):
            labels = {"energy": rng.normal(), "forces": error + deviation, "bec": np.zeros((6, 3, 3))}
            member.append(frames.with_labels(atoms, labels))
    return labelled, guessed


def test_the_calibration_recovers_the_factor():
    labelled, guessed = labelled_and_guessed(2.5)
    report = calibrate(labelled, guessed)
    assert report["scales"]["forces"] == pytest.approx(2.5, rel=0.06)
    assert report["members"] == 4 and "bec" not in report["scales"], "no labels of bec"
    forces = report["forces"]
    assert 0.5 < forces["rank_correlation"] < 0.9
    assert forces["within_1"] == pytest.approx(0.65, abs=0.05)
    assert forces["rmse_member [meV/Å]"] > forces["rmse_mean [meV/Å]"]
    figure = committee_figure.draw(labelled, guessed, report["scales"], "m")
    assert len(figure.axes) == 2
    x, y = figure.axes[1].lines[1].get_data()
    np.testing.assert_allclose(y, x, rtol=0.3, err_msg="calibrated: binned errors lie on the line")


def test_the_calibration_needs_different_models_and_the_same_structures():
    labelled, guessed = labelled_and_guessed(1.0)
    with pytest.raises(BornflowError, match="predictions of 1 model given"):
        calibrate(labelled, guessed[:1])
    with pytest.raises(BornflowError, match="not of the labelled structures"):
        calibrate(labelled[::-1], guessed)
    with pytest.raises(BornflowError, match="bec of s-0 is not predicted"):
        calibrate(guessed[0][:2], [guessed[1][:2], [labelled[0], guessed[2][1]]])
    with pytest.raises(BornflowError, match="no quantity has labels of two or more structures"):
        calibrate(labelled[:1], [member[:1] for member in guessed])
    with pytest.raises(BornflowError, match="the same energy: they are copies"):
        calibrate(labelled, [guessed[0], guessed[0]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "has no 'scales'"),
        ('{"scales": {"forces": 0}}', "scales' has forces: 0; positive factors"),
        ('{"scales": {"dipole": 1.0}}', "scales' has dipole: 1.0"),
        ('{"scales": {"forces": "1"}}', "forces"),
    ],
)
def test_a_damaged_calibration_is_rejected(content, message, tmp_path):
    path = tmp_path / "committee.json"
    path.write_text(content)
    with pytest.raises(BornflowError, match=message):
        read_scales(path)
    path.write_text(json.dumps({"scales": {"forces": 1.5}}))
    assert read_scales(path) == {"forces": 1.5}
