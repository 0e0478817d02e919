"""Learning curves: errors on the structures held out, over the number of structures trained on.

python -m bornflow.training.learning --metrics DIR/metrics.json DIR/metrics.json --out learning_curve.csv
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..cli import command
from ..io import documents
from ..io.files import atomic_write
from . import tables
from .tables import QUANTITIES


def tabulate(paths: Sequence[Path]) -> pd.DataFrame:
    """A row for each model, seed and kind of structure; each `metrics.json` is in a model's folder."""
    rows = []
    for path in paths:
        found = tables.report(path, "train", "valid")
        described = tables.described(path.parent)
        trained = {"model": described["name"], "seed": described["seed"]}
        whole = found["train"].get("all", {})
        documents.check_keys(f"{path}: 'train': 'all'", whole, {"structures": int}, tables.MODEL)
        trained["structures"] = whole["structures"]
        for kind, errors in found["valid"].items():
            known = {name: errors[name] for name in QUANTITIES if name in errors}
            rows.append(trained | {"structures_of": kind} | known)
    return pd.DataFrame(rows).sort_values(["model", "seed", "structures"], kind="stable")


@command
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--metrics", required=True, nargs="+", type=Path, help="metrics.json of trained models"
    )
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with atomic_write(args.out) as scratch:
        tabulate(args.metrics).to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
