"""Training: masked labels, the baseline, resumed runs, and rejected input."""

import itertools
import signal
import subprocess
import sys
import time
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest
import yaml
from examples import variant, water

from bornflow.config.load import complete
from bornflow.errors import BornflowError
from bornflow.inference import batches, checkpoint
from bornflow.inference.predict import predict_labels
from bornflow.io import frames
from bornflow.labels.engines import xtb
from bornflow.labels.finite_field import central_difference
from bornflow.models.model import Model
from bornflow.training import data
from bornflow.training.baseline import energy_baseline, mean_charges
from bornflow.training.divergence import Diverged
from bornflow.training.loop import train
from bornflow.training.loss import mean_terms, terms_by_structure
from bornflow.training.metrics import error_metrics
from bornflow.training.records import write_validation
from bornflow.training.settings import TrainingSettings
from bornflow.training.tables import QUANTITIES
from bornflow.units import FORCE_AU, HARTREE

SECTION = complete({"training": {"epochs": 6, "batch_atoms": 12, "checkpoint_minutes": 0}})["training"]
SETTINGS = TrainingSettings.from_section(SECTION)
SMALL = variant(radial=6, max_degree=2, features=8, channels=2)


def labelled(atoms):
    free, in_fields, _ = xtb.calculate(atoms, 5e-4)
    forces = {direction: result.forces for direction, result in in_fields.items()}
    response = central_difference(forces, free.forces, 5e-4)
    values = {"energy": free.energy * HARTREE, "forces": free.forces * FORCE_AU, "bec": response.bec}
    return frames.with_labels(atoms, values)


@pytest.fixture(scope="module")
def structures():
    return [labelled(water(2, seed=seed)) for seed in range(8)]  # one size: one shape to compile


@pytest.fixture(scope="module")
def trained(structures):
    return train(structures, SMALL, replace(SETTINGS, epochs=250, average=0.5), seed=0)


def without(atoms, *keys):
    return frames.with_labels(atoms, {k: frames.label(atoms, k) for k in frames.LABELS if k not in keys})


def test_baseline_has_the_minimum_norm(structures):
    energies = energy_baseline(structures, ("H", "O"))
    mean = np.mean([frames.label(a, "energy") / (len(a) // 3) for a in structures])
    assert 2 * energies[0] + energies[1] == pytest.approx(mean, abs=0.5)
    # For water any multiple of (1, −2) can be added; the minimum norm is orthogonal to it.
    assert energies @ [1, -2] == pytest.approx(0, abs=1e-6)
    lacking = [without(atoms, "energy") for atoms in structures]
    assert list(energy_baseline(lacking, ("H", "O"))) == [0, 0]
    assert list(energy_baseline(lacking, ("H", "O"), energies)) == list(energies), "of the first stage"


@pytest.mark.parametrize("seed", range(20))
def test_structures_are_padded_to_few_sizes_with_the_least_waste(seed):
    rng = np.random.default_rng(seed)
    sizes, most = rng.integers(1, 12, size=rng.integers(1, 20)), int(rng.integers(1, 5))
    found = batches.padded_sizes(sizes.tolist(), most)
    assert (found >= sizes).all() and len(set(found)) <= most
    choices = (c for n in range(1, most + 1) for c in itertools.combinations(np.unique(sizes), n))
    wasted = [
        sum(min(c for c in choice if c >= x) for x in sizes) for choice in choices if choice[-1] >= max(sizes)
    ]
    assert found.sum() == min(wasted)


def test_padding_is_the_fraction_of_entries_without_an_atom(structures):
    model = Model(SMALL, ("H", "O"))
    buckets = data.make_buckets([*structures[:4], water(1)], model, np.zeros(2), batch_atoms=18)
    # Four structures of six atoms in batches of three, one of three atoms in a batch of six.
    assert data.padding_fraction(buckets) == pytest.approx(1 - (4 * 6 + 3) / (2 * 3 * 6 + 6 * 3))


def test_charges_start_with_the_sign_and_size_of_born_effective_charges(structures):
    charges = mean_charges([*structures, without(structures[0], "bec")], ("H", "O"))
    traces = np.concatenate([np.trace(frames.label(a, "bec"), axis1=1, axis2=2) / 3 for a in structures])
    oxygens = np.concatenate([a.numbers == 8 for a in structures])
    np.testing.assert_allclose(charges, [traces[~oxygens].mean(), traces[oxygens].mean()])
    untrained, _ = train(structures, SMALL | {"charges": "local"}, replace(SETTINGS, epochs=0), seed=0)
    predicted = predict_labels(untrained, structures[:1])[0]
    expected = np.where(predicted.numbers == 8, charges[1], charges[0])
    np.testing.assert_allclose(predicted.arrays["charges"], expected, atol=0.1)
    np.testing.assert_allclose(predicted.arrays["screening"], 1, atol=0.3)
    assert not mean_charges([without(structures[0], "bec")], ("H", "O")).any()


def test_training_ends_on_a_plateau_or_at_its_time_limit(structures, caplog):
    caplog.set_level("INFO")
    _, end = train(structures[:2], SMALL, replace(SETTINGS, patience=2, improvement=1.0), seed=0)
    assert len(end.history) == 4
    assert "training ends after 4 of 6 epochs" in caplog.text
    settings = replace(SETTINGS, hours=1e-9, validate_epochs=3)
    _, end = train(structures[:2], SMALL, settings, seed=0, held_out=structures[2:4])
    assert len(end.history) == 1
    assert list(end.validation[:, 0]) == [1], "errors where it ended"
    assert "(training.hours)" in caplog.text


def test_errors_of_held_out_structures_are_recorded(structures):
    train_on, held_out = structures[:3], structures[3:5]
    settings = replace(SETTINGS, validate_epochs=2)
    trained, end = train(train_on, SMALL, settings, seed=0, held_out=held_out)
    np.testing.assert_array_equal(end.validation[:, 0], [2, 4, 6])
    assert np.all(np.diff(end.validation[:, 1]) > 0), "seconds"
    last = error_metrics(held_out, predict_labels(trained, held_out))["all"]
    np.testing.assert_allclose(end.validation[-1, 2:], [last[name] for name in QUANTITIES], rtol=1e-5)


def test_a_subset_keeps_the_shares(structures):
    boxes = [water(8, 0.9, seed=seed) for seed in range(4)]
    chosen = data.spread_evenly([*structures, *boxes], 6)
    assert [frames.kind(atoms) for atoms in chosen].count("bulk") == 2 and len(chosen) == 6
    with pytest.raises(BornflowError, match="there are only"):
        data.spread_evenly(structures, len(structures) + 1)


def test_a_divergence_names_step_structure_and_loss_term(structures):
    forces = frames.label(structures[5], "forces").copy()
    forces[2, 1] = 1e25  # its square is no single-precision number
    spoilt = frames.with_labels(structures[5], {"forces": forces})
    spoilt.info["structure"] = "the spoilt one"
    data = [*structures[:5], spoilt, *structures[6:]]
    with pytest.raises(
        BornflowError, match=r"epoch 0: forces of structure the spoilt one in step \d+ is not"
    ):
        train(data, SMALL, replace(SETTINGS, epochs=2), seed=0)


def test_no_step_is_made_with_a_gradient_that_is_not_finite(structures, tmp_path, monkeypatch):
    """The loss is finite, its derivative is not; the previous state is kept."""
    state, spoilt = tmp_path / "state.msgpack", []

    def wrong(terms, batch):
        found = mean_terms(terms, batch)
        slope = found["energy"] * 0.0
        return found | {"energy": found["energy"] + (jax.numpy.sqrt(slope) if spoilt else slope)}

    monkeypatch.setattr("bornflow.training.step.mean_terms", wrong)
    trained, _ = train(structures[:3], SMALL, replace(SETTINGS, hours=1e-9), seed=0, state_path=state)
    good = state.read_bytes()
    spoilt.append(True)
    with pytest.raises(Diverged, match=r"epoch 1: the gradient over water-2-\d") as caught:
        train(structures[:3], SMALL, SETTINGS, seed=0, state_path=state)
    assert state.read_bytes() == good
    for mine, last in zip(
        *(jax.tree.leaves(c.parameters) for c in (trained, caught.value.last)), strict=True
    ):
        np.testing.assert_array_equal(mine, last)


def test_a_state_of_another_run_is_kept(structures, tmp_path, caplog):
    caplog.set_level("INFO")
    state = tmp_path / "state.msgpack"
    train(structures[:2], SMALL, replace(SETTINGS, hours=1e-9), seed=0, state_path=state)
    _, end = train(structures[:2], SMALL, replace(SETTINGS, validate_epochs=3), seed=0, state_path=state)
    assert len(end.history) == SETTINGS.epochs, "other hours: the run resumes"
    assert "other data" not in caplog.text
    _, end = train(structures[:3], SMALL, replace(SETTINGS, hours=1e-9), seed=0, state_path=state)
    assert len(end.history) == 1
    assert "it is kept as" in caplog.text and (tmp_path / "state.old.msgpack").exists()
    caplog.clear()
    first = replace(SETTINGS, hours=1e-9, epochs=SETTINGS.epochs, seeds=[0, 1])
    _, back = train(structures[:2], SMALL, first, seed=0, state_path=state)
    assert len(back.history) == SETTINGS.epochs, "back at the first settings: that run has ended"
    assert "it is kept as" in caplog.text
    _, end = train(structures[:3], SMALL, SETTINGS, seed=0, state_path=state)
    assert len(end.history) == SETTINGS.epochs
    assert end.seconds > 0


def test_an_epochs_means_are_over_the_structures_with_a_label(structures):
    some = [structures[0], *(without(atoms, "energy", "bec") for atoms in structures[1:4])]
    row = train(some, SMALL, replace(SETTINGS, epochs=1, learning_rate=0.0), seed=0)[1].history[0]
    alone = train(some[:1], SMALL, replace(SETTINGS, epochs=1, learning_rate=0.0), seed=0)[1].history[0]
    assert row[3] == pytest.approx(alone[3], rel=1e-4), "Born effective charges"
    none = train(some[1:], SMALL, replace(SETTINGS, epochs=1), seed=0)[1].history[0]
    assert np.isnan(none[1]) and np.isnan(none[3]) and none[2] > 0
    fitted = train(some[:1], SMALL | {"charges": "global"}, replace(SETTINGS, epochs=1), seed=0)[1].history[0]
    assert np.isnan(fitted[3]), "its γ is found after training"


@pytest.mark.parametrize(
    "held", [{"energy"}, {"forces"}, {"bec"}, {"energy", "bec"}], ids=lambda keys: "+".join(sorted(keys))
)
def test_any_set_of_labels_trains(structures, held):
    """One kind of labels, or energies of some structures and Born effective charges of others."""
    few = [without(atoms, *(set(frames.LABELS) - held)) for atoms in structures[:4]]
    if len(held) == 2:
        few = [without(atoms, list(held)[i % 2]) for i, atoms in enumerate(few)]
    trained, end = train(few, SMALL, replace(SETTINGS, epochs=60), seed=0)
    for column, key in enumerate(("energy", "forces", "bec"), start=1):
        if key in held:
            assert end.history[-10:, column].mean() < 0.7 * end.history[:10, column].mean(), key
        else:
            assert np.isnan(end.history[:, column]).all(), key
    found = error_metrics(few, predict_labels(trained, few))["all"]
    assert {key for key in frames.LABELS if f"{key}_structures" in found} == held


def test_missing_labels_do_not_count(structures):
    model = Model(SMALL, ("H", "O"))
    energies = energy_baseline(structures, model.elements)
    (full,) = data.make_buckets([structures[0]], model, energies, 1)
    (lacking,) = data.make_buckets([without(structures[0], "forces", "bec")], model, energies, 1)
    parameters = model.initialise(jax.tree.map(lambda leaf: leaf[0], full.data.graph), 0)
    rows = np.array([0])
    terms = []
    for bucket in (full, lacking):
        batch = jax.tree.map(jax.numpy.asarray, data.make_batch(bucket, rows))
        terms.append(mean_terms(terms_by_structure(model.batch(parameters, batch.graph), batch), batch))
    assert terms[1]["energy"] == pytest.approx(float(terms[0]["energy"]))
    assert terms[0]["forces"] > 0
    assert terms[1]["forces"] == terms[1]["bec"] == 0


def test_padding_rows_do_not_count(structures):
    model = Model(SMALL, ("H", "O"))
    energies = energy_baseline(structures, model.elements)
    (bucket,) = data.make_buckets(structures[:2], model, energies, 18)
    parameters = model.initialise(jax.tree.map(lambda leaf: leaf[0], bucket.data.graph), 0)
    values = {}
    for rows in ((0,), (1,), (0, 1)):
        batch = jax.tree.map(jax.numpy.asarray, data.make_batch(bucket, np.array(rows)))
        values[rows] = mean_terms(terms_by_structure(model.batch(parameters, batch.graph), batch), batch)
    for key, both in values[0, 1].items():
        one, two = values[(0,)][key], values[(1,)][key]
        assert both == pytest.approx(float(one + two) / 2, rel=1e-5), key
        assert one != two


def test_training_lowers_the_errors(structures, trained):
    model, end = trained
    history = end.history
    assert history.shape == (250, 5)
    assert history[-1, 2] < 0.5 * history[0, 2], "forces"
    assert history[-1, 3] < 0.5 * history[0, 3], "Born effective charges"
    table = error_metrics(structures, predict_labels(model, structures))
    assert table["cluster"]["structures"] == 8
    untrained = predict_labels(train(structures, SMALL, replace(SETTINGS, epochs=0), seed=0)[0], structures)
    for quantity in QUANTITIES:
        assert table["all"][quantity] < 0.5 * error_metrics(structures, untrained)["all"][quantity], quantity


def test_same_seed_same_numbers(structures):
    runs = [train(structures, SMALL, SETTINGS, seed)[0] for seed in (1, 1)]
    leaves = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(run.parameters)]) for run in runs]
    np.testing.assert_array_equal(leaves[0], leaves[1])


def test_a_run_with_muon_resumes_to_the_same_parameters(structures, tmp_path):
    settings = replace(SETTINGS, optimiser="muon", learning_rate=6e-3, epochs=4)
    complete, state = train(structures, SMALL, settings, 0)
    assert state.history[-1, 0] < state.history[0, 0]
    path = tmp_path / "state.msgpack"
    train(structures, SMALL, replace(settings, hours=1e-9), 0, path)
    resumed, _ = train(structures, SMALL, settings, 0, path)
    for one, two in zip(*(jax.tree.leaves(run.parameters) for run in (complete, resumed)), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("stages", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_was_killed_or_out_of_time_ends_with_the_same_parameters(structures, tmp_path, stages):
    """Killed in each of its stages."""
    frames.write(tmp_path / "a.extxyz", structures)
    frames.write(tmp_path / "cheap.extxyz", [without(atoms, "bec") for atoms in structures[::-1]])
    training = {"epochs": 150, "pretraining_epochs": 100, "batch_atoms": 12, "checkpoint_minutes": 0}
    for name, hours in (("whole", 0), ("short", 1e-9)):
        config = {"training": training | {"hours": hours}, "models": {"small": SMALL}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))

    def command(out, config="whole"):
        paths = ["--train", "a.extxyz", "--valid", "a.extxyz", "--config", f"{config}.yaml", "--out", out]
        cheap = ["--pretrain", "cheap.extxyz"] if stages == 2 else []
        return [sys.executable, "-m", "bornflow.training.train", "--model", "small", *paths, *cheap]

    def run(*arguments):
        subprocess.run(command(*arguments), cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / arguments[0] / "parameters.msgpack").read_bytes()

    (tmp_path / "undisturbed/last-good").mkdir(parents=True)
    undisturbed = run("undisturbed")
    assert not (tmp_path / "undisturbed/last-good").exists(), "of a training that diverged before"
    described = yaml.safe_load((tmp_path / "undisturbed/config.yaml").read_text())["training"]
    assert described["epochs"] == 150 and "recipes" not in described
    assert described["pretraining"] == ["cheap.extxyz"][: stages - 1]
    states = [tmp_path / f"killed/{name}.msgpack" for name in ("pretraining", "state")][-stages:]
    for state in states:
        process = subprocess.Popen(command("killed"), cwd=tmp_path, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while process.poll() is None and not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert state.exists() and not (tmp_path / "killed/config.yaml").exists(), "the run ended before"
    assert run("killed") == undisturbed and not any(state.exists() for state in states)

    assert run("short", "short") != undisturbed
    assert (tmp_path / "short/state.msgpack").exists(), "no state to resume from"
    assert run("short") == undisturbed
    assert not (tmp_path / "short/state.msgpack").exists()


def test_the_time_of_a_first_stage_counts(tmp_path):
    write_validation(
        tmp_path / "v.csv", np.array([[10, 2.5, 1, 1, 1], [20, 4.5, 1, 1, 1]]), seconds_before=8.0
    )
    assert list(pd.read_csv(tmp_path / "v.csv")["seconds"]) == [10.5, 12.5]


def test_checkpoints_are_restored_and_damaged_ones_rejected(structures, trained, tmp_path):
    checkpoint.save(tmp_path, trained[0], "small", SECTION, 0)
    loaded = checkpoint.load(tmp_path)
    for a, b in zip(*(predict_labels(c, structures) for c in (trained[0], loaded)), strict=True):
        np.testing.assert_array_equal(frames.label(a, "forces"), frames.label(b, "forces"))
    weights = tmp_path / "parameters.msgpack"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(BornflowError, match="damaged"):
        checkpoint.load(tmp_path)
    checkpoint.save(tmp_path, trained[0], "small", SECTION, 0)
    config = tmp_path / "config.yaml"
    whole = config.read_text()
    for part in range(1, 10):
        config.write_text(whole[: len(whole) * part // 10])
        with pytest.raises(BornflowError, match=r"config.yaml is cut|config.yaml is damaged|has format"):
            checkpoint.load(tmp_path)
    config.write_text(whole)
    config.write_text(config.read_text().replace(f"format: {checkpoint.FORMAT}", "format: 0"))
    with pytest.raises(BornflowError, match="format 0, this version reads 6, 7, 8"):
        checkpoint.load(tmp_path)


def test_an_unknown_element_is_rejected(trained):
    stranger = water(1)
    stranger.symbols[0] = "S"
    with pytest.raises(BornflowError, match="contains S; the model knows H, O only"):
        predict_labels(trained[0], [stranger])


def test_errors_of_components_of_the_charges(structures):
    bec = frames.label(structures[0], "bec")
    turn = np.array([[0, 0.1, 0], [-0.1, 0, 0], [0, 0, 0]])
    truth, guess = (
        frames.with_labels(structures[0], {"bec": z}) for z in (bec, bec + 0.2 * np.eye(3) + turn)
    )
    guess.arrays["screening"] = np.where(guess.numbers == 8, 1.5, [0, 1, 2] * 2)
    row = error_metrics([truth], [guess])["all"]
    assert row["screening_O"] == 1.5
    assert row["screening_H"] == pytest.approx(guess.arrays["screening"][guess.numbers == 1].mean())
    expected = {"isotropic": 200, "antisymmetric": 100 / 3, "anisotropic": 0, "diagonal": 200}
    for name, value in expected.items():
        assert row[f"bec_{name}_mae [1e-3 e]"] == pytest.approx(value, abs=1e-3)
    assert row["bec_sum_rule [e]"] == pytest.approx(np.abs((bec + 0.2 * np.eye(3) + turn).sum(axis=0)).max())
    assert row["bec_off_diagonal_mae [1e-3 e]"] == pytest.approx(200 / 6, abs=1e-3)
    assert row["bec_off_diagonal_rmse [1e-3 e]"] == pytest.approx(100 / 3**0.5, abs=1e-3)
    traces = 1e3 * np.trace(bec, axis1=1, axis2=2) / 3
    assert row["bec_isotropic_r2"] == pytest.approx(1 - 200**2 / traces.var(), rel=1e-4)
    assert row["bec_anisotropic_r2"] == pytest.approx(1)


def split(folder, *paths, keys):
    (folder / "cfg.yaml").write_text(yaml.safe_dump({"training": {"keys": keys}}))
    command = ["--labels", *paths, "--config", "cfg.yaml", "--train", "t.extxyz", "--valid", "v.extxyz"]
    module = [sys.executable, "-m", "bornflow.training.split"]
    return subprocess.run([*module, *command], cwd=folder, capture_output=True, text=True)


def test_a_key_that_no_file_has_is_rejected(structures, tmp_path):
    frames.write(tmp_path / "a.extxyz", structures)
    text = (tmp_path / "a.extxyz").read_text()
    (tmp_path / "own.extxyz").write_text(text.replace(":bec:", ":apt:"))
    good = split(tmp_path, "own.extxyz", keys={"bec": "apt"})
    assert good.returncode == 0 and "8 of 8 structures have bec" in good.stderr
    assert frames.label(frames.read(tmp_path / "t.extxyz")[0], "bec") is not None
    wrong = split(tmp_path, "own.extxyz", keys={"bec": "ATP"})
    assert wrong.returncode == 1
    assert "own.extxyz: no frame has 'ATP' (training.keys.bec), but 'apt' is there" in wrong.stderr
    other = text.replace(":bec:", ":Zeff:").replace(":forces:", ":f:").replace(" energy=", " E_own=")
    (tmp_path / "other.extxyz").write_text(other)
    wrong = split(tmp_path, "other.extxyz", keys={})
    assert wrong.returncode == 1 and "training.keys: found are E_own, Zeff, f" in wrong.stderr
    wrong = split(tmp_path, "other.extxyz", keys={"bec": "Z", "energy": "E_own"})
    assert wrong.returncode == 1 and "training.keys.bec: no structure in other.extxyz has 'Z'" in wrong.stderr
    (tmp_path / "text.extxyz").write_text(text.replace(" energy=", " dft=low energy=", 1))
    wrong = split(tmp_path, "text.extxyz", keys={"energy": "dft"})
    assert "'dft' is 'low', not a number" in wrong.stderr


def test_elements_only_in_held_out_structures_are_rejected_first(structures, tmp_path):
    stranger = water(1)
    stranger.symbols[0] = "S"
    frames.write(tmp_path / "t.extxyz", structures)
    frames.write(tmp_path / "v.extxyz", [stranger])
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump({"models": {"small": SMALL}}))
    arguments = ["--train", "t.extxyz", "--valid", "v.extxyz", "--config", "cfg.yaml", "--out", "m"]
    command = [sys.executable, "-m", "bornflow.training.train", "--model", "small", *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1 and "contains S; the model knows H, O only" in result.stderr
    assert not (tmp_path / "m").exists()


def test_the_model_before_a_divergence_is_written(structures, tmp_path):
    frames.write(tmp_path / "a.extxyz", structures[:3])
    section = {"epochs": 50, "batch_atoms": 18, "learning_rate": 10, "warmup": 0.5, "clip": 1e9}
    (tmp_path / "cfg.yaml").write_text(yaml.safe_dump({"training": section, "models": {"small": SMALL}}))
    arguments = ["--train", "a.extxyz", "--valid", "a.extxyz", "--config", "cfg.yaml", "--out", "m"]
    command = [sys.executable, "-m", "bornflow.training.train", "--model", "small", *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1 and "training diverged in epoch" in result.stderr
    assert "model before that epoch is in m/last-good" in result.stderr
    last = checkpoint.load(tmp_path / "m/last-good")
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(last.parameters))
    assert not (tmp_path / "m/config.yaml").exists()
