"""Errors of the trained models next to published errors, each with the data of its test.

    python -m bornflow.training.comparison --errors errors.csv --published published.csv \\
        --data valid.extxyz --out comparison.csv
"""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd
from ase import Atoms

from .. import cli
from ..io import frames
from ..io.files import atomic_write
from .tables import QUANTITIES, read_metrics_table, read_published

logger = logging.getLogger(__name__)


def describe_labels(path: str, structures: Sequence[Atoms]) -> str:
    """A description of labelled structures: their number, programs, and the number with each label."""
    programs = sorted({str(atoms.info.get("label_program", "programs not named")) for atoms in structures})
    counts = {key: sum(frames.label(atoms, key) is not None for atoms in structures) for key in frames.LABELS}
    labels = ", ".join(f"{key} of {count}" for key, count in counts.items())
    return f"{path}: {len(structures)} structures labelled by {', '.join(programs)} ({labels})"


def is_water(atoms: Atoms) -> bool:
    """Whether a structure has two hydrogen atoms for each oxygen atom and no others."""
    counts = atoms.symbols.formula.count()
    return set(counts) == {"H", "O"} and counts["H"] == 2 * counts["O"]


def compare_with_published(metrics: pd.DataFrame, published: pd.DataFrame, data: str) -> pd.DataFrame:
    """Rows of each trained model by kind of structures, followed by the published row of that name, if any.

    Values of several seeds are given as their mean, with their standard deviation in another column.
    `metrics` is the table of `training.metrics_table`; `data` describes the test structures of the models
    (`describe_labels`).
    """
    rows: list[dict[str, Any]] = []
    keys = {"model", "seed", "structures_of", *QUANTITIES}
    keys |= {name for name in metrics if name.endswith("structures")}
    quantities = [*QUANTITIES, *(name for name in metrics if name not in keys)]
    for model, of_model in metrics.groupby("model", sort=False):
        for kind, of_kind in of_model.groupby("structures_of", sort=False):
            row = {
                "model": model,
                "structures_of": kind,
                "structures": of_kind["structures"].max(),
                "source": data,
                "seeds": len(of_kind),
            }
            for quantity in quantities:
                if quantity in of_kind and of_kind[quantity].notna().any():
                    row[quantity] = of_kind[quantity].mean()
                    name, bracket, unit = quantity.partition(" [")
                    row[f"{name}_spread{bracket}{unit}"] = of_kind[quantity].std()
            rows.append(row)
        rows.extend(published[published["model"] == model].to_dict("records"))
    return pd.DataFrame(rows)


@cli.command
def main() -> None:
    """Write the table of trained and published models."""
    args = cli.parse(
        main,
        "out",
        errors=cli.option("table of training.metrics_table"),
        published=cli.option("table of published errors"),
        data=cli.option("the labelled file that the errors were measured on"),
    )
    structures = frames.read(args.data)
    data = describe_labels(args.data, structures)
    metrics, published = read_metrics_table(args.errors), read_published(args.published)
    if not all(map(is_water, structures)):
        logger.info("published errors are of water and are left out: %s has other structures", args.data)
        published = published.iloc[:0]
    table = compare_with_published(metrics, published, data)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
