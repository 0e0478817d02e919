"""A comparison of training recipes: changed settings, training time, errors on the held-out structures.

    python -m bornflow.training.recipes --names "as configured" paper \\
        --metrics DIR/metrics.json DIR/metrics.json --out recipes.csv
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .. import cli
from ..io.files import atomic_write
from .tables import QUANTITIES, read_description, read_report, read_validation


def recipes_table(names: Sequence[str], paths: Sequence[Path]) -> pd.DataFrame:
    """A row for each model, seed and kind of structures; each `metrics.json` is in a model's folder.

    `names` are the recipes of the models. `changes` are the settings that differ from those of the same model
    in the recipe named first. `minutes` is the time of training until the last epoch with recorded errors
    (`validate_epochs`), with compilation and a first stage.
    """
    descriptions = [read_description(path.parent, "training") for path in paths]
    pairs = zip(names, descriptions, strict=True)
    first = {text["name"]: text["training"] for name, text in pairs if name == names[0]}
    rows = []
    for name, text, path in zip(names, descriptions, paths, strict=True):
        validation = read_validation(path.parent / "validation.csv")
        row = {
            "recipe": name,
            "changes": changed_settings(text["training"], first.get(text["name"], text["training"])),
            "model": text["name"],
            "seed": text["seed"],
            "epochs": validation["epoch"].iloc[-1] if len(validation) else None,
            "minutes": validation["seconds"].iloc[-1] / 60 if len(validation) else None,
        }
        for kind, metrics in read_report(path, "valid")["valid"].items():
            known = {quantity: metrics[quantity] for quantity in QUANTITIES if quantity in metrics}
            rows.append(row | {"structures_of": kind} | known)
    return pd.DataFrame(rows)


def changed_settings(section: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """Settings that differ from those of `reference`, as `key=value` separated by spaces."""
    new, old = _flat(section), _flat(reference)
    return " ".join(f"{key}={value}" for key, value in new.items() if value != old.get(key))


def _flat(section: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat |= _flat(value, f"{place}{key}.") if isinstance(value, Mapping) else {place + key: value}
    return flat


@cli.command
def main() -> None:
    """Write the table of recipes."""
    args = cli.parse(
        main,
        "out",
        names=cli.options("the recipe of each model"),
        metrics=cli.options("metrics.json of each model", type=Path),
    )
    table = recipes_table(args.names, args.metrics)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
