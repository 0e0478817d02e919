"""A model's folder: any damage gives one clear error, and never loads another model."""

import hashlib
import pickle

import jax
import numpy as np
import pytest
import yaml
from examples import noisy_parameters, variant
from flax import serialization

from bornflow.errors import BornflowError
from bornflow.inference import checkpoint
from bornflow.inference.checkpoint import Checkpoint
from bornflow.models.model import Model


@pytest.fixture(scope="module")
def trained():
    model = Model(variant(), ("H", "O"))
    return Checkpoint(model, noisy_parameters(model), np.array([-13.6, -430.25]))


@pytest.fixture
def folder(trained, tmp_path):
    options = {"learning_rate": 1e-7, "hours": 0, "pretraining": ["a b.extxyz"], "loss": {"bec": 2.0}}
    checkpoint.save(tmp_path, trained, "small", options, 3)
    return tmp_path


def edit(folder, change, old=False, fitting=False):
    """Change config.yaml; convert it to the previous format (`old`), or give it a valid hash."""
    path = folder / "config.yaml"
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(text)
    if old:
        text["format"] = checkpoint.WEIGHTS_FORMAT
        del text["hash"]
    if fitting:
        text["hash"] = checkpoint._hash(text)
    path.write_text(yaml.safe_dump(text, sort_keys=False), encoding="utf-8")


def test_a_model_is_loaded_as_it_was_saved(folder, trained, caplog):
    loaded = checkpoint.load(folder)
    assert loaded.model.elements == ("H", "O") and loaded.model.variant == trained.model.variant
    np.testing.assert_array_equal(loaded.baseline, trained.baseline)
    for one, two in zip(jax.tree.leaves(loaded.parameters), jax.tree.leaves(trained.parameters), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not caplog.records


@pytest.mark.parametrize("backbone", ["physical", "lorem"])
@pytest.mark.parametrize("charges", ["uncoupled", "global", "local"])
def test_every_variant_accepts_its_own_weights_only(backbone, charges, tmp_path, trained):
    model = Model(variant(backbone=backbone, charges=charges), ("H", "O"))
    own = model.initialise(model.graph(np.array([8, 1]), np.eye(3)[:2], None), 0)
    checkpoint.save(tmp_path, Checkpoint(model, own, np.zeros(2)), "m", {}, 0)
    checkpoint.load(tmp_path)
    if (backbone, charges) != ("physical", "uncoupled"):
        checkpoint.save(tmp_path, Checkpoint(model, trained.parameters, np.zeros(2)), "m", {}, 0)
        with pytest.raises(BornflowError, match=r"not of the variant that config\.yaml describes|expected"):
            checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    ("version", "lacking"),
    [
        (7, {"tensor_degree": 2, "contraction": 0, "charge_degree": "scalar"}),
        (8, {"contraction": 0, "charge_degree": "scalar"}),
        (9, {"charge_degree": "scalar"}),
    ],
)
def test_earlier_formats_get_the_settings_that_their_models_had(version, lacking, tmp_path):
    model = Model(variant(**lacking), ("H", "O"))
    own = model.initialise(model.graph(np.array([8, 1]), np.eye(3)[:2], None), 0)
    checkpoint.save(tmp_path, Checkpoint(model, own, np.zeros(2)), "m", {}, 0)

    def earlier(text):
        text["format"] = version
        for key in lacking:
            del text["variant"][key]

    edit(tmp_path, earlier, fitting=True)
    loaded = checkpoint.load(tmp_path).model.variant
    assert {key: getattr(loaded, key) for key in lacking} == lacking
    edit(tmp_path, lambda text: text.update(format=checkpoint.FORMAT), fitting=True)
    with pytest.raises(BornflowError, match=f"variant lacks {min(lacking)}"):
        checkpoint.load(tmp_path)


def test_the_name_alone_may_be_changed(folder):
    edit(folder, lambda text: text.update(name="another"))
    checkpoint.load(folder)


EDITS = {
    "elements-swapped": lambda text: text.update(elements=["O", "H"]),
    "element-other": lambda text: text.update(elements=["H", "S"]),
    "variant-cutoff": lambda text: text["variant"].update(cutoff=4.5),
    "variant-backbone": lambda text: text["variant"].update(backbone="lorem"),
    "variant-neutral": lambda text: text["variant"].update(neutral=True),
    "baseline": lambda text: text["baseline"].__setitem__(1, -430.2500001),
    "seed": lambda text: text.update(seed=4),
    "training": lambda text: text["training"]["loss"].update(bec=1.0),
    "addition": lambda text: text.update(unit="hartree"),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edited_description_is_rejected(change, folder):
    edit(folder, change)
    with pytest.raises(BornflowError, match=r"config\.yaml is cut or was edited.*train again"):
        checkpoint.load(folder)


ODD = {
    "elements-number": (lambda text: text.update(elements=5), "'elements' is 5, but a list is expected"),
    "elements-unknown": (lambda text: text.update(elements=["H", "Xx"]), r"elements are \['H', 'Xx'\]"),
    "elements-X": (lambda text: text.update(elements=["X", "O"]), "symbols of elements expected"),
    "elements-twice": (lambda text: text.update(elements=["O", "O"]), "each once"),
    "elements-none": (lambda text: text.update(elements=[], baseline=[]), "symbols of elements"),
    "elements-list": (lambda text: text.update(elements=[["H"], "O"]), "symbols of elements"),
    "elements-more": (lambda t: t.update(elements=["H", "C", "O"], baseline=[0, 0, 0]), "expected"),
    "no-elements": (lambda text: text.pop("elements"), "has no 'elements'"),
    "baseline-short": (lambda text: text.update(baseline=[1.0]), "a finite energy .* for each of H, O"),
    "baseline-text": (lambda text: text.update(baseline=["a", 1.0]), "a finite energy"),
    "baseline-flag": (lambda text: text.update(baseline=[True, 1.0]), "a finite energy"),
    "no-variant": (lambda text: text.pop("variant"), "has no 'variant'"),
    "variant-text": (lambda text: text.update(variant="physical"), "a mapping is expected"),
    "variant-missing-key": (lambda text: text["variant"].pop("cutoff"), "variant lacks cutoff"),
    "variant-unknown-key": (lambda text: text["variant"].update(depth=2), "has the unknown depth"),
    "variant-type": (lambda text: text["variant"].update(cutoff="5"), "variant.cutoff: '5' is not of type"),
    "variant-range": (lambda text: text["variant"].update(max_degree=99), "variant.max_degree: 99"),
    "variant-choice": (lambda text: text["variant"].update(backbone="new"), "variant.backbone: 'new'"),
    "variant-features": (lambda text: text["variant"].update(features=32), "expected"),
    "variant-backbone": (lambda text: text["variant"].update(backbone="lorem"), "weights"),
}


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize(("change", "reason"), ODD.values(), ids=ODD)
def test_an_impossible_description_is_rejected_even_with_a_valid_hash(change, reason, old, folder):
    edit(folder, change, old=old, fitting=not old)
    with pytest.raises(BornflowError, match=reason) as caught:
        checkpoint.load(folder)
    assert "config.yaml" in str(caught.value) or "parameters.msgpack" in str(caught.value)
    assert "\n" not in str(caught.value) and "train again" in str(caught.value)


def test_a_folder_of_the_previous_format_is_read_with_a_warning(folder, trained, caplog):
    edit(folder, lambda text: None, old=True)
    np.testing.assert_array_equal(checkpoint.load(folder).baseline, trained.baseline)
    assert "whose hash covers the weights alone" in caplog.text


@pytest.mark.parametrize("found", [0, 5, 11, "7", None, [7], True, 7.5])
def test_another_format_is_rejected(found, folder):
    edit(folder, lambda text: text.update(format=found))
    with pytest.raises(BornflowError, match=r"has format .*, this version reads 6, 7, 8, 9, 10; train again"):
        checkpoint.load(folder)


def spoilt(change):
    def spoil(data):
        tree = serialization.msgpack_restore(data)
        change(tree["params"])
        return serialization.msgpack_serialize(tree)

    return spoil


def first_leaf(tree):
    name = sorted(tree)[0]
    return first_leaf(tree[name]) if isinstance(tree[name], dict) else (tree, name)


def set_leaf(value):
    def change(tree):
        owner, name = first_leaf(tree)
        owner[name] = value(owner[name])

    return change


WEIGHTS = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-50],
    "pickle": lambda data: pickle.dumps({"params": 1}),
    "text": lambda data: b"weights",
    "list": lambda data: serialization.msgpack_serialize([1, 2]),
    "number": lambda data: serialization.msgpack_serialize(7),
    "foreign": lambda data: serialization.msgpack_serialize({"identity": "a", "state": {"epoch": 1}}),
    "empty-mapping": lambda data: serialization.msgpack_serialize({}),
    "missing": spoilt(lambda tree: tree.pop(sorted(tree)[0])),
    "unknown": spoilt(lambda tree: tree.update(more=np.zeros(2))),
    "shape": spoilt(set_leaf(lambda leaf: leaf[..., :-1])),
    "type": spoilt(set_leaf(lambda leaf: leaf.astype(int))),
    "complex": spoilt(set_leaf(lambda leaf: leaf.astype(complex))),
    "list-leaf": spoilt(set_leaf(lambda leaf: leaf.tolist())),
    "nan": spoilt(set_leaf(lambda leaf: leaf * np.nan)),
}


@pytest.mark.parametrize("rehashed", [False, True], ids=["as-it-is", "rehashed"])
@pytest.mark.parametrize("damage", WEIGHTS.values(), ids=WEIGHTS)
def test_damaged_weights_are_rejected(damage, rehashed, folder):
    path = folder / "parameters.msgpack"
    path.write_bytes(damage(path.read_bytes()))
    if rehashed:
        digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        edit(folder, lambda text: text.update(parameters=digest), fitting=True)
    with pytest.raises(BornflowError, match=r"parameters\.msgpack.*train again") as caught:
        checkpoint.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"name: \xfc", b"- 1", b"{", b"format: 7\nformat: 7", b"\x00", b"format: 7"], ids=repr
)
def test_a_damaged_description_is_rejected(content, folder):
    (folder / "config.yaml").write_bytes(content)
    with pytest.raises(BornflowError, match=r"config\.yaml.*train again"):
        checkpoint.load(folder)
