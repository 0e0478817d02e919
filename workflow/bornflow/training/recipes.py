"""Recipes of training beside each other: what differs, how long they took, errors of the structures held out.

    python -m bornflow.training.recipes --names "as configured" paper \\
        --metrics DIR/metrics.json DIR/metrics.json --out recipes.csv
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..cli import command
from ..io.files import atomic_write
from . import tables
from .tables import QUANTITIES


def tabulate(names: Sequence[str], paths: Sequence[Path]) -> pd.DataFrame:
    """A row for each model, seed and kind of structure; each `metrics.json` is in the folder of a model.

    `changes` are the settings that the same model has otherwise in the recipe named first; `minutes` those of
    training until the last epoch that was followed (`validate_epochs`), with compilation and a first stage.
    """
    described = [tables.described(path.parent, "training") for path in paths]
    pairs = zip(names, described, strict=True)
    first = {text["name"]: text["training"] for name, text in pairs if name == names[0]}
    rows = []
    for name, text, path in zip(names, described, paths, strict=True):
        followed = tables.followed(path.parent / "validation.csv")
        row = {
            "recipe": name,
            "changes": changes(text["training"], first.get(text["name"], text["training"])),
            "model": text["name"],
            "seed": text["seed"],
            "epochs": followed["epoch"].iloc[-1] if len(followed) else None,
            "minutes": followed["seconds"].iloc[-1] / 60 if len(followed) else None,
        }
        for kind, errors in tables.report(path, "valid")["valid"].items():
            known = {quantity: errors[quantity] for quantity in QUANTITIES if quantity in errors}
            rows.append(row | {"structures_of": kind} | known)
    return pd.DataFrame(rows)


def changes(options: Mapping, first: Mapping) -> str:
    """Settings that differ, as `key=value` with spaces between."""
    new, old = _flat(options), _flat(first)
    return " ".join(f"{key}={value}" for key, value in new.items() if value != old.get(key))


def _flat(options: Mapping, place: str = "") -> dict:
    flat = {}
    for key, value in options.items():
        flat |= _flat(value, f"{place}{key}.") if isinstance(value, Mapping) else {place + key: value}
    return flat


@command
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--names", required=True, nargs="+", help="of the recipe of each model")
    parser.add_argument("--metrics", required=True, nargs="+", type=Path, help="metrics.json of these models")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with atomic_write(args.out) as scratch:
        tabulate(args.names, args.metrics).to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
