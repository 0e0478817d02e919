"""The table of recipes gives the changed settings, the training time and the errors."""

import json

import pandas as pd
import yaml

from bornflow.training.recipes import recipes_table
from bornflow.training.tables import QUANTITIES


def folder(path, training, epochs, error):
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump({"name": "one", "seed": 0, "training": training}))
    (path / "metrics.json").write_text(json.dumps({"valid": {"all": dict.fromkeys(QUANTITIES, error)}}))
    followed = pd.DataFrame(
        {"epoch": [1, epochs], "seconds": [30, 90]} if epochs else {"epoch": [], "seconds": []}
    )
    followed.to_csv(path / "validation.csv", index=False)
    return path / "metrics.json"


def test_recipes_are_described_by_their_changed_settings(tmp_path):
    usual = {"epochs": 20, "loss": {"energy": 100.0, "bec": 2.0}}
    paths = [
        folder(tmp_path / "usual", usual, 20, 4.0),
        folder(tmp_path / "paper", usual | {"epochs": 9, "loss": {"energy": 1.0, "bec": 2.0}}, 9, 5.0),
        folder(tmp_path / "unfollowed", usual, 0, 4.0),
    ]
    table = recipes_table(["as configured", "paper", "same"], paths)
    assert list(table["changes"]) == ["", "epochs=9 loss.energy=1.0", ""]
    assert list(table["minutes"])[:2] == [1.5, 1.5] and list(table["epochs"])[:2] == [20, 9]
    assert table["minutes"].isna().tolist() == [False, False, True]
    assert list(table[QUANTITIES[1]]) == [4.0, 5.0, 4.0]
