"""The table beside the published errors."""

import pandas as pd
import pytest
from examples import ROOT

from bornflow.training.compare import compare


def test_each_model_is_followed_by_the_published_one():
    errors = pd.DataFrame(
        {
            "model": ["mine", "mine", "physical-local", "physical-local"],
            "structures_of": ["all", "all", "all", "bulk"],
            "structures": [15, 15, 15, 1],
            "bec_mae [1e-3 e]": [10.0, 14.0, 30.0, 99.0],
            "screening_H": [None, None, 1.5, 9.0],
        }
    )
    published = pd.read_csv(ROOT / "resources/published/errors.csv")
    table = compare(errors, published, "valid.extxyz")
    assert list(table["model"]) == ["mine", "physical-local", "physical-local"]
    assert list(table["bec_mae [1e-3 e]"]) == [12, 30, 41.2]
    assert table["bec_spread [1e-3 e]"][0] == pytest.approx(8**0.5)
    assert table["source"][0] == "valid.extxyz, 15 structures"
    assert "arXiv" in table["source"][2]
    assert table["screening_H"][1] == 1.5
