"""Learning curves: errors on the held-out structures against the number of training structures.

    python -m bornflow.training.learning_curve --metrics DIR/metrics.json DIR/metrics.json \\
        --out learning_curve.csv
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .. import cli
from ..io import documents
from ..io.files import atomic_write
from .tables import MODEL, QUANTITIES, read_description, read_report


def errors_of(path: Path) -> list[dict[str, Any]]:
    """A row for each kind of structures, from the `metrics.json` in a model's folder."""
    report = read_report(path, "train", "valid")
    description = read_description(path.parent)
    on_all = report["train"].get("all", {})
    documents.check_keys(f"{path}: 'train': 'all'", on_all, {"structures": int}, MODEL)
    model = {"model": description["name"], "seed": description["seed"], "structures": on_all["structures"]}
    return [
        model | {"structures_of": kind} | {name: metrics[name] for name in QUANTITIES if name in metrics}
        for kind, metrics in report["valid"].items()
    ]


def learning_curve_table(paths: Sequence[Path]) -> pd.DataFrame:
    """The errors of all models, each in the `metrics.json` of its folder."""
    rows = [row for path in paths for row in errors_of(path)]
    return pd.DataFrame(rows).sort_values(["model", "seed", "structures"], kind="stable")


@cli.command
def main() -> None:
    """Write the table of learning curves."""
    args = cli.parse(main, "out", metrics=cli.options("metrics.json of trained models", type=Path))
    table = learning_curve_table(args.metrics)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
