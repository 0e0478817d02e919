"""Reading what training writes: errors, their tables, what was followed, what a model's folder says."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..errors import BornflowError
from ..io import documents, tables

MODEL = "train the model again, or copy its folder again"
METRICS = "make it again with training.evaluate"
QUANTITIES = ("energy_mae [meV/atom]", "forces_mae [meV/Å]", "bec_mae [1e-3 e]")


def errors(path: str | Path, remedy: str = "make it again with training.tabulate") -> pd.DataFrame:
    """A table of errors, of `training.tabulate` or as one: a row for each model, seed and kind of structure.

    All columns but the model and the kind are numbers, which may be unknown. Raises BornflowError.
    """
    return tables.read(path, remedy, sparse=QUANTITIES, texts=("model", "structures_of"), others="numbers")


def published(path: str | Path) -> pd.DataFrame:
    """A table of published errors, which users may add rows and columns to. Raises BornflowError."""
    texts = ("model", "structures_of", "source")
    return tables.read(path, "see resources/published/errors.csv", sparse=QUANTITIES, texts=texts)


def followed(path: str | Path) -> pd.DataFrame:
    """A validation.csv: errors of the structures held out over epochs; it may be without rows."""
    return tables.read(
        path, MODEL, numbers=("epoch", "seconds"), sparse=QUANTITIES, others="numbers", allow_empty=True
    )


def metrics(path: str | Path) -> dict[str, dict[str, float]]:
    """A JSON file of `training.evaluate`: for each kind of structure its errors. Raises BornflowError."""
    found = documents.read_json(path, {}, METRICS)
    if not found:
        raise BornflowError(f"{path} holds no errors; {METRICS}")
    _check_errors(str(path), found, METRICS)
    return found


def report(path: str | Path, *parts: str) -> dict[str, dict[str, dict[str, float]]]:
    """A model's metrics.json: for the `parts` (train, valid) errors by kind of structure."""
    found = documents.read_json(path, dict.fromkeys(parts, dict), MODEL)
    for part in parts:
        _check_errors(f"{path}: '{part}'", found[part], MODEL)
    return found


def screening(path: str | Path) -> dict[str, float]:
    """γ with its interval of a model's metrics.json, or nothing for models without one."""
    found = documents.read_json(path, {}, MODEL).get("screening", {})
    _check_errors(f"{path}", {"screening": found}, MODEL)
    return found


def described(folder: Path, *keys: str) -> dict:
    """What a model's config.yaml says: its name and seed, and further `keys` that hold mappings."""
    needed = {"name": str, "seed": int} | dict.fromkeys(keys, dict)
    return documents.read_yaml(folder / "config.yaml", needed, MODEL)


def _check_errors(place: str, found: Mapping, remedy: str) -> None:
    """Raise BornflowError unless `found` is a mapping of mappings of numbers."""
    documents.check_keys(place, found, dict.fromkeys(found, dict), remedy)
    for kind, row in found.items():
        documents.check_keys(f"{place}: '{kind}'", row, dict.fromkeys(row, float), remedy)
