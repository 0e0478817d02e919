"""Reading and checking the files that training writes: metrics, tables of metrics, models' folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import BornflowError
from ..io import documents, tables

MODEL = "train the model again, or copy its folder again"
METRICS = "make it again with training.evaluate"
QUANTITIES = ("energy_mae [meV/atom]", "forces_mae [meV/Å]", "bec_mae [1e-3 e]")


def read_metrics_table(
    path: str | Path, remedy: str = "make it again with training.metrics_table"
) -> pd.DataFrame:
    """A table of metrics like that of `training.metrics_table`: a row for each model, seed and kind.

    All columns but the model and the kind of structures are numbers, which may be missing. Raises
    BornflowError, ending with the `remedy`.
    """
    return tables.read(path, remedy, sparse=QUANTITIES, texts=("model", "structures_of"), others="numbers")


def read_published(path: str | Path) -> pd.DataFrame:
    """A table of published metrics; users may add rows and columns. Raises BornflowError."""
    texts = ("model", "structures_of", "source")
    return tables.read(path, "see resources/published/errors.csv", sparse=QUANTITIES, texts=texts)


def read_validation(path: str | Path) -> pd.DataFrame:
    """A validation.csv: errors on the held-out structures over epochs, possibly without rows.

    Raises BornflowError.
    """
    return tables.read(
        path, MODEL, numbers=("epoch", "seconds"), sparse=QUANTITIES, others="numbers", allow_empty=True
    )


def read_metrics(path: str | Path) -> dict[str, dict[str, float]]:
    """A JSON file of `training.evaluate`: the metrics of each kind of structures. Raises BornflowError."""
    metrics = documents.read_json(path, {}, METRICS)
    if not metrics:
        raise BornflowError(f"{path} contains no errors; {METRICS}")
    _check_metrics(str(path), metrics, METRICS)
    return metrics


def read_report(path: str | Path, *subsets: str) -> dict[str, dict[str, dict[str, float]]]:
    """A model's metrics.json: for the `subsets` (train, valid) the metrics of each kind of structures.

    Raises BornflowError.
    """
    report = documents.read_json(path, dict.fromkeys(subsets, dict), MODEL)
    for subset in subsets:
        _check_metrics(f"{path}: '{subset}'", report[subset], MODEL)
    return report


def read_screening(path: str | Path) -> dict[str, float]:
    """The fitted γ and its interval from a model's metrics.json, if there is one. Raises BornflowError."""
    screening = documents.read_json(path, {}, MODEL).get("screening", {})
    _check_metrics(f"{path}", {"screening": screening}, MODEL)
    return screening


def read_description(folder: Path, *sections: str) -> dict[str, Any]:
    """The config.yaml of a model: name, seed, and `sections` that are mappings. Raises BornflowError."""
    needed = {"name": str, "seed": int} | dict.fromkeys(sections, dict)
    return documents.read_yaml(folder / "config.yaml", needed, MODEL)


def _check_metrics(place: str, metrics: Mapping[str, Any], remedy: str) -> None:
    """Raise BornflowError unless `metrics` is a mapping of mappings of numbers."""
    documents.check_keys(place, metrics, dict.fromkeys(metrics, dict), remedy)
    for kind, row in metrics.items():
        documents.check_keys(f"{place}: '{kind}'", row, dict.fromkeys(row, float), remedy)
