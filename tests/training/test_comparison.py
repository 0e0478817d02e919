"""The table of trained and published models."""

import pandas as pd
import pytest
from ase import Atoms
from examples import ROOT

from bornflow.io import frames
from bornflow.training.comparison import compare_with_published, describe_labels, is_water


def test_each_model_is_followed_by_the_published_one():
    errors = pd.DataFrame(
        {
            "model": ["mine", "mine", "physical-local", "physical-local"],
            "structures_of": ["all", "all", "all", "bulk"],
            "structures": [15, 15, 15, 1],
            "bec_mae [1e-3 e]": [10.0, 14.0, 30.0, 99.0],
            "bec_r2": [0.7, 0.9, None, None],
            "screening_H": [None, None, 1.5, 9.0],
        }
    )
    published = pd.read_csv(ROOT / "resources/published/errors.csv")
    table = compare_with_published(errors, published, "valid.extxyz, mine")
    assert list(table["model"]) == ["mine", *["physical-local"] * 3]
    assert list(table["structures_of"]) == ["all", "all", "bulk", "all"]
    assert list(table["bec_mae [1e-3 e]"]) == [12, 30, 99, 41.2]
    assert table["bec_mae_spread [1e-3 e]"][0] == pytest.approx(8**0.5)
    assert table["bec_r2"][0] == pytest.approx(0.8) and table["bec_r2_spread"][0] == pytest.approx(0.02**0.5)
    assert table["source"][0] == "valid.extxyz, mine"
    assert table["structures"][2] == 1
    assert "arXiv" in table["source"][3]
    assert table["screening_H"][1] == 1.5


def test_published_errors_are_set_beside_water_only():
    assert is_water(Atoms("H4O2")) and is_water(Atoms("OH2"))
    assert not any(is_water(Atoms(formula)) for formula in ("CH3OH", "NaOH2", "H3O", "H2", "O"))


def test_the_origin_of_labels_is_named():
    """Labels of a cheap method must be distinguishable from those of the published reference."""
    shipped = frames.read(ROOT / "resources/labels/water.extxyz")[:3]
    cheap = frames.read(ROOT / "resources/labels/water-xtb.extxyz")[:1]
    unnamed = frames.with_labels(cheap[0], {"energy": 1.0})
    del unnamed.info["label_program"]
    words = describe_labels("valid.extxyz", [*shipped, *cheap, unnamed])
    assert words.startswith("valid.extxyz: 5 structures labelled by cp2k-2023.1, programs not named, ")
    assert words.endswith("(energy of 5, forces of 4, bec of 4)")
