"""The examples of config/examples, complete, from molecules to spectra; a molecule of five elements."""

import numpy as np
import pandas as pd
import pytest
import yaml
from examples import copy_repository, snakemake

from bornflow.io import frames

pytestmark = pytest.mark.slow

CYSTEINE = {
    "results": "results/cysteine",
    "molecules": {"cysteine": {"smiles": "N[C@@H](CS)C(=O)O"}},
    "structures": {
        "pools": {
            "one": {
                "contains": {"cysteine": 1},
                "starts": 2,
                "temperatures": [400],
                "steps": 200,
                "select": 8,
            }
        }
    },
    "labels": {"engine": "xtb"},
    "training": {"data": ["computed"], "epochs": 20, "initial_charges": False},
    "models": {"physical-global": None, "physical-local": None},
    "dynamics": {"systems": {"bulk": None, "book": None, "cage": None}},
}


@pytest.fixture
def clone(tmp_path):
    return copy_repository(tmp_path / "bornflow")


def run(folder, config):
    result = snakemake(folder, "--configfile", config)
    logs = "\n".join(p.read_text() for p in (folder / "results").rglob("*.log") if p.stat().st_size < 5000)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:] + logs[-6000:]


@pytest.mark.parametrize(
    ("example", "system", "band"),
    [("methanol", "trimer", (3000, 3900)), ("salt-water", "pair", (2800, 3900))],
)
def test_an_example_ends_with_a_spectrum_that_has_its_strongest_bands(clone, example, system, band):
    run(clone, f"config/examples/{example}.yaml")
    results = clone / f"results/{example}"
    sampled = pd.read_csv(results / "structures/sampled.csv")
    assert (sampled["selected"] > 0).all()
    errors = pd.read_csv(results / "training/errors.csv")
    assert errors["bec_r2"].min() > 0.9
    (spectrum,) = (results / f"spectra/{system}").glob("physical-*-0.csv")
    table = pd.read_csv(spectrum)
    intensity = next(name for name in table if "km" in name)
    within = table["wavenumber [1/cm]"].between(*band)
    stretch = table[intensity][within].max()
    assert stretch > 5 * np.median(table[intensity]), "the O–H stretch is a strong band"
    comparison = pd.read_csv(results / "training/comparison.csv")
    assert not comparison["source"].str.contains("arXiv").any()


def test_labels_of_another_program(clone):
    """The shipped labels of xtb, under other keys and with the indices of the charges exchanged."""
    lines, mapped = [], {"energy": "E_tot", "forces": "F", "bec": "apt"}
    labelled = frames.read(clone / "resources/labels/water-xtb.extxyz")[:60]
    for atoms in labelled:
        labels = {key: frames.label(atoms, key) for key in mapped}
        lines.append(str(len(atoms)))
        properties = "species:S:1:pos:R:3:F:R:3:apt:R:9"
        lines.append(f'Properties={properties} E_tot={labels["energy"]} structure="{frames.name(atoms)}"')
        transposed = labels["bec"].transpose(0, 2, 1).reshape(-1, 9)
        rows = np.concatenate([atoms.positions, labels["forces"], transposed], axis=1)
        lines += [
            f"{symbol} {' '.join(map(str, row))}" for symbol, row in zip(atoms.symbols, rows, strict=True)
        ]
    (clone / "mine.extxyz").write_text("\n".join(lines) + "\n")
    frames.write(clone / "start.extxyz", [max(labelled, key=len)])
    config = yaml.safe_load((clone / "config/examples/own-labels.yaml").read_text())
    run(clone, "config/examples/own-labels.yaml")
    results = clone / "results/own-labels"
    kept = {frames.name(atoms): atoms for atoms in frames.read(results / "training/train.extxyz")}
    for atoms in labelled:
        if (found := kept.get(frames.name(atoms))) is not None:
            for key in mapped:
                np.testing.assert_allclose(frames.label(found, key), frames.label(atoms, key), atol=1e-6)
    assert len(list((results / "spectra/mine").glob("*.csv")))
    config["training"]["bec_order"] = "field-force"
    (clone / "wrong.yaml").write_text(yaml.safe_dump(config | {"results": "results/wrong"}))
    result = snakemake(clone, "--configfile", "wrong.yaml", "--", "results/wrong/training/train.extxyz")
    assert result.returncode != 0
    assert "bec_order" in (clone / "results/wrong/logs/training/split.log").read_text()


def test_a_molecule_of_five_elements(clone):
    (clone / "cysteine.yaml").write_text(yaml.safe_dump(CYSTEINE))
    run(clone, "cysteine.yaml")
    labelled = frames.read(clone / "results/cysteine/labels/labels.extxyz")
    assert len(labelled) == 8
    assert set(labelled[0].get_chemical_symbols()) == {"H", "C", "N", "O", "S"}
    assert max(atoms.info["sum_rule"] for atoms in labelled) < 0.01
