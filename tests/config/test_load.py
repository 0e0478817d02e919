"""Configurations: the shipped ones are complete, wrong ones are rejected with the key and a remedy."""

import pytest
import yaml
from examples import ROOT

from bornflow import config
from bornflow.config import sections
from bornflow.config.schema import schema
from bornflow.errors import BornflowError

CONFIGS = sorted((ROOT / "config").rglob("*.yaml"))


WATER = {"contains": {"water": 2}}
SYSTEM = {"structure": "s.extxyz", "temperature": 300, "steps": 20000}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_accepted(path):
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    given = yaml.safe_load(path.read_text())
    for section, values in given.items():
        if isinstance(values, dict):
            default[section] = _merge(default.get(section, {}), values)
    config.complete(default)


def _merge(base, change):
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"trainig": {}}, ["trainig", "did you mean 'training'"]),
        ({"training": {"epoch": 3}}, ["training", "'epoch'", "did you mean 'epochs'"]),
        ({"training": {"epochs": "many"}}, ["training.epochs", "many", "integer"]),
        ({"training": {"epochs": 0}}, ["training.epochs", "from 1 to"]),
        (
            {
                "models": {"m": {"published": "folder"}},
                "training": {"seeds": [0, 1], "learning_curve": {"sizes": [9]}},
            },
            ["learning_curve.models: m is a published model", "training.seeds: a published model"],
        ),
        ({"models": {"m": {"charge_degree": 2}}}, ["models.m.charge_degree: 2 found", "only backbone lorem"]),
        ({"models": {"m": {"charges": "global", "neutral": True}}}, ["models.m.neutral", "charges: local"]),
        ({"labels": {"engine": "vasp"}}, ["labels.engine", "vasp", "cp2k"]),
        ({"labels": {"cp2k": {"cutoff": -1}}}, ["labels.cp2k.cutoff", "-1"]),
        ({"models": {"m": {"backbone": "schnet"}}}, ["models.m.backbone", "schnet", "physical"]),
        ({"models": {}}, ["models"]),
        (
            {
                "dynamics": {
                    "systems": {"a": {"structure": "s", "temperature": 1, "steps": 99999}},
                    "velocity_interval": 20,
                }
            },
            ["velocity_interval", "1668", "spectra.highest"],
        ),
        ({"dynamics": {"systems": {"a": {"steps": 100}}}}, ["dynamics.systems.a", "structure"]),
        ({"dynamics": {"systems": {"a": SYSTEM | {"bands": {"x": [9, 3]}}}}}, ["a.bands.x: 9 to 3"]),
        ({"structures": {"pools": {"a": {"select": 1}}}}, ["structures.pools.a", "no source", "files"]),
        (
            {"structures": {"pools": {"a": {"contains": {"salt": 1}}}}},
            ["pools.a.contains: salt", "molecules"],
        ),
        ({"structures": {"pools": {"a": {"contains": {"water": 1}, "sampler": "gfn3"}}}}, ["gfn2, gfn1"]),
        ({"structures": {"pools": {"a": {"contains": {"water": 1}, "sampler": {}}}}}, ["one of model, ase"]),
        ({"structures": {"pools": {"a": {"files": ["none.extxyz"]}}}}, ["none.extxyz", "does not exist"]),
        ({"structures": {"pools": {"a": {"contains": {"water": 1}, "select": "some"}}}}, ["or all"]),
        ({"molecules": {"m": {"smiles": "C", "ase": "CH4"}}}, ["molecules.m: smiles and ase given"]),
        ({"structures": {"pools": {"a": WATER | {"temperatures": [300, 300.00001]}}}}, ["300K found"]),
        (
            {"structures": {"pools": {"a": WATER | {"steps": 10, "keep_relaxed": False}}}},
            ["a: no structures"],
        ),
        (
            {"structures": {"pools": {"a": WATER}, "selection": {"start_from": ["results/labels.extxyz"]}}},
            ["selection.start_from: results/labels.extxyz is in the results"],
        ),
        ({"molecules": {"m": {"charge": 1}}}, ["molecules.m: no source given"]),
        ({"structures": {"pools": {"a": {"source": "none-such"}}}}, ["a.source: none-such", "water27"]),
        ({"structures": {"pools": {"a": {"source": "water27", "select": 16}}}}, ["16 found", "at most 15"]),
        ({"structures": {"pools": {"a": {"source": "water27", "starts": 3}}}}, ["a.starts", "extend: true"]),
        ({"structures": {"pools": {"a": {"pools": ["b"]}}}}, ["a.pools: b is not one"]),
        ({"structures": {"pools": {"a": {"pools": ["b"], "extend": True}, "b": WATER}}}, ["a.extend"]),
        (
            {"structures": {"pools": {"a": {"pools": ["b"]}, "b": {"pools": ["c"]}, "c": WATER}}},
            ["a.pools: b consists of pools itself"],
        ),
        (
            {"structures": {"pools": {"a": {"pools": ["b"]}, "b": WATER | {"relax": True}}}},
            ["structures.pools.b.relax: it is a part of structures.pools.a"],
        ),
        (
            {"structures": {"pools": {"a": {"pools": ["b"], "steps": 7}, "b": WATER}}},
            ["pools.a.steps: the structures of this pool are not extended by dynamics; set it for these"],
        ),
        (
            {"structures": {"pools": {"a": {"pools": ["b"], "select": 99}, "b": WATER}}},
            ["a.select: 99 found", "at most 42"],
        ),
        (
            {
                "structures": {
                    "pools": {"a": {"pools": ["b"]}, "c": {"pools": ["b"]}, "b": WATER | {"select": 3}}
                }
            },
            ["pools.b.select: it is a part", "pools.c.pools: b is a part of structures.pools.a too"],
        ),
        (
            {
                "structures": {
                    "pools": {
                        "a": WATER,
                        "a-round-1": WATER,
                        "f": {"files": ["resources/labels/water.extxyz"]},
                    }
                },
                "grow": {"rounds": 1, "model": "physical-local", "pools": ["a", "f"]},
                "training": {"seeds": [0, 1]},
            },
            ["pools.a-round-1: structures of round 1 of a", "grow.pools: f has no dynamics"],
        ),
        ({"grow": {"rounds": 1, "pools": ["a"]}}, ["grow.model: not given", "seeds: one", "pools: a is not"]),
        ({"grow": {"rounds": 1, "model": "none-such"}}, ["grow.model: none-such", "grow.pools: none given"]),
        (
            {
                "structures": {
                    "pools": {"a": {"contains": {"water": 1}, "starts": 1, "steps": 9, "select": 2}}
                }
            },
            ["structures.pools.a.select: 2", "at most 1 structures"],
        ),
        (
            {"labels": {"studies": {"s": {"cases": [{"structures": ["a"], "variants": [{"cutof": 3}]}]}}}},
            ["labels.studies.s", "cutof", "did you mean 'cutoff'"],
        ),
        (
            {"training": {"recipes": {"a": {"batch_atom": 3}}}},
            ["training.recipes.a", "did you mean 'batch_atoms'"],
        ),
        (
            {"training": {"recipes": {"a": {"seeds": [3]}}}},
            ["recipes.a", "seeds is the same for all recipes"],
        ),
        (
            {"training": {"recipes": {"a": {"learning_rate": 1e-6}}}},
            ["recipes.a.final_learning_rate", "1e-05", "1e-06"],
        ),
        (
            {"structures": {"pools": {"bad name": {"contains": {"water": 1}, "select": 1}}}},
            ["structures.pools"],
        ),
    ],
)
def test_wrong_configurations_are_rejected(given, words):
    with pytest.raises(BornflowError) as error:
        config.complete(given)
    for word in words:
        assert word in str(error.value)


MOLECULE = ("smiles", "ase", "file", "charge", "multiplicity")


def test_every_key_is_described_and_has_a_default():
    def walk(node, place):
        for key, child in node.get("properties", {}).items():
            assert child.get("description"), f"{place}.{key} has no description"
            has_default = "default" in child or "properties" in child
            sources = ("contains", "files", "source", "pools")
            pools = (*sources, "starts", "density", "committee", "model", "ase", "arguments", *MOLECULE)
            overrides = (
                "equilibration",
                "temperature_limit",
                "thermostat",
                "dtype",
            )  # of dynamics, for a system
            optional = key in (*pools, *overrides, "title", "published")
            assert has_default or key in node.get("required", []) or optional, f"{place}.{key}"
            walk(child, f"{place}.{key}")
        if isinstance(node.get("additionalProperties"), dict):
            walk(node["additionalProperties"], f"{place}.*")

    walk(schema(), "")


def test_defaults_are_filled_in_at_every_depth():
    full = config.complete({"models": {"a": {"channels": 3}}})
    assert full["models"]["a"]["channels"] == 3
    assert full["models"]["a"]["backbone"] == "physical"
    assert full["labels"]["gate"]["sum_rule"] > 0


def test_frames_need_the_velocities_of_their_step():
    with pytest.raises(
        BornflowError, match=r"frame_interval: 20 is not a multiple of .*velocity_interval = 3"
    ):
        config.complete({"dynamics": {"velocity_interval": 3}})


def test_null_removes_a_model():
    full = config.complete({"models": {"a": {"channels": 3}, "b": None}})
    assert list(full["models"]) == ["a"]


def test_numbers_that_yaml_reads_as_text_are_numbers():
    given = yaml.safe_load("labels: {cp2k: {eps_scf: 1e-7}}")
    assert config.complete(given)["labels"]["cp2k"]["eps_scf"] == 1e-7


RECIPE = {"recipe-r.m", "recipe-r.n"}


@pytest.mark.parametrize(
    ("change", "reread"),
    [
        ({"spectra": {"resolution": 50.0}}, {"spectra"}),
        ({"training": {"train_fraction": 0.5}}, {"split"}),
        ({"training": {"seeds": [0, 1]}}, set()),
        ({"training": {"epochs": 3}}, {"model-m", "model-n"}),
        ({"training": {"loss": {"bec": 3}}}, {"model-m", "model-n", *RECIPE}),
        ({"training": {"recipes": {"r": {"epochs": 8}}}}, RECIPE),
        ({"models": {"m": {"cutoff": 4.0}}}, {"model-m", "recipe-r.m", "timing"}),
        ({"dynamics": {"systems": {"a": {"steps": 30000}}}}, {"system-a"}),
        ({"dynamics": {"systems": {"a": {"title": "another"}}}}, set()),
        ({"dynamics": {"timestep": 0.25}}, {"system-a", "system-b"}),
        ({"labels": {"max_rejected": 0.5}}, {"join_batches"}),
        ({"labels": {"cp2k": {"cutoff": 500}}}, {"labels"}),
        ({"structures": {"pools": {"p": {"select": 4}}}}, set()),
        ({"structures": {"pools": {"p": {"contains": {"water": 2}}}}}, {"pool-p"}),
        ({"structures": {"pools": {"p": {"sampler": "gfn1"}}}}, {"pool-p"}),
        ({"structures": {"pools": {"p": {"starts": 9, "relax": True}}}}, set()),
        ({"molecules": {"water": {"ase": "D2O"}}}, {"pool-p"}),
        ({"molecules": {"methanol": {"smiles": "CO"}}}, set()),
        ({"structures": {"seed": 3}}, {"pool-p"}),
    ],
)
def test_a_change_reruns_only_the_jobs_that_read_it(change, reread):
    system = {"structure": "s.extxyz", "temperature": 300, "steps": 20000}
    base = {
        "training": {"recipes": {"r": {"epochs": 7, "loss": {"energy": 5}}}},
        "models": {"m": {}, "n": {}},
        "dynamics": {"systems": {"a": system, "b": system}},
        "structures": {"pools": {"p": {"contains": {"water": 3}, "select": 2}}},
    }
    before, after = (config.complete(_merge(base, update)) for update in ({}, change))
    kinds = ("structures", "labels", "join_batches", "spectra", "split", "response", "timing")
    names = (*kinds, "pool-p", "model-m", "model-n", *RECIPE, "system-a", "system-b")
    assert {name for name in names if sections.select(before, name) != sections.select(after, name)} == reread


def test_a_recipe_changes_single_keys_of_weights():
    changed = {"loss": {"energy": 7}, "weight_decay": {"physical": 0.5}}
    given = {"weight_decay": {"lorem": 0}, "recipes": {"a": changed}}
    training = config.complete({"training": given})["training"]
    found = sections.apply_recipe(training, "a")
    assert found["weight_decay"] == {"lorem": 0, "physical": 0.5}
    assert found["loss"] == training["loss"] | {"energy": 7}
