"""`snakemake grow`: a round in a copy of the repository, with labels by xtb."""

import pandas as pd
import pytest
import yaml
from examples import copy_repository, snakemake

from bornflow.io import frames

pytestmark = pytest.mark.slow

CONFIG = {
    "results": "results/grown",
    "structures": {
        "pools": {
            "monomer": {
                "contains": {"water": 1},
                "starts": 3,
                "temperatures": [500],
                "steps": 60,
                "interval": 10,
                "select": 9,
            }
        }
    },
    "labels": {"engine": "xtb", "batch_size": 20},
    "training": {"data": ["computed"], "seeds": [0, 1], "epochs": 40, "initial_charges": False},
    "models": {
        "physical-uncoupled": {"features": 16, "max_degree": 2, "radial": 8, "tensor_channels": 4},
        "physical-global": None,
        "physical-local": None,
    },
    "grow": {"rounds": 1, "model": "physical-uncoupled", "pools": ["monomer"]},
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = copy_repository(tmp_path_factory.mktemp("clone") / "bornflow")
    (folder / "grow.yaml").write_text(yaml.safe_dump(CONFIG))
    result = snakemake(folder, "--configfile", "grow.yaml", "--", "grow")
    logs = "\n".join(p.read_text() for p in (folder / "results").rglob("*.log") if p.stat().st_size < 5000)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:] + logs[-6000:]
    return folder


def test_a_round_adds_labels_of_new_structures_and_keeps_the_validation_set(grown):
    results = grown / "results/grown"
    first, second = (frames.read(results / path) for path in ("training/train.extxyz", "grow/1/train.extxyz"))
    names = [frames.name(atoms) for atoms in second]
    assert len(second) == len(first) + 9 == len(set(names))
    new = set(names) - {frames.name(atoms) for atoms in first}
    assert all(name.startswith("monomer-round-1-") for name in new)
    assert all(frames.label(atoms, "bec") is not None for atoms in second)
    valid = [frames.read(results / f"{place}/valid.extxyz") for place in ("training", "grow/1")]
    assert [frames.name(atoms) for atoms in valid[0]] == [frames.name(atoms) for atoms in valid[1]]
    errors = pd.read_csv(results / "grow/errors.csv")
    assert errors.groupby(["round", "structures_of"])["seed"].nunique().eq(2).all()
    assert errors.groupby("round")["structures"].first().to_dict() == {0: len(first), 1: len(second)}
    assert pd.read_csv(results / "grow/1/sampled.csv")["selected"].to_list() == [9]
    assert (results / "figures/growth.pdf").read_bytes().startswith(b"%PDF")


def test_another_round_keeps_the_first_one(grown):
    (grown / "more.yaml").write_text(yaml.safe_dump(CONFIG | {"grow": CONFIG["grow"] | {"rounds": 2}}))
    result = snakemake(grown, "-n", "-q", "rules", "--configfile", "more.yaml", "--", "grow")
    rows = [line.split() for line in result.stdout.splitlines()]
    planned = {row[0]: row[1] for row in rows if len(row) == 2}
    assert planned["train_in_round"] == "2"
    assert planned["sample_in_round"] == "3"
    assert "sample" not in planned
    assert "train" not in planned
