"""Errors of the models trained here beside published ones, each with the data it was measured on.

    python -m bornflow.training.compare --errors errors.csv --published published.csv --data valid.extxyz \\
        --out comparison.csv
"""

import argparse
from collections.abc import Sequence

import pandas as pd
from ase import Atoms

from ..cli import command
from ..io import frames
from ..io.files import atomic_write
from . import tables
from .tables import QUANTITIES


def origin(path: str, structures: Sequence[Atoms]) -> str:
    """What labelled structures are: how many, by which programs, and how many have which label."""
    programs = sorted({str(atoms.info.get("label_program", "programs not named")) for atoms in structures})
    counts = {key: sum(frames.label(atoms, key) is not None for atoms in structures) for key in frames.LABELS}
    held = ", ".join(f"{key} of {count}" for key, count in counts.items())
    return f"{path}: {len(structures)} structures labelled by {', '.join(programs)} ({held})"


def compare(errors: pd.DataFrame, published: pd.DataFrame, data: str) -> pd.DataFrame:
    """Rows of each model trained (all structures, clusters, bulk), and the published one of that name if any.

    Values of several seeds are given as their mean, with their standard deviation in another column.
    `errors` is the table of `training.tabulate`; `data` says what the models were tested on (`origin`).
    """
    rows, others = [], {"model", "seed", "structures_of", *QUANTITIES}
    others |= {name for name in errors if name.endswith("structures")}
    quantities = [*QUANTITIES, *(name for name in errors if name not in others)]
    for model, kinds in errors.groupby("model", sort=False):
        for kind, part in kinds.groupby("structures_of", sort=False):
            row = {
                "model": model,
                "structures_of": kind,
                "structures": part["structures"].max(),
                "source": data,
                "seeds": len(part),
            }
            for quantity in quantities:
                if quantity in part and part[quantity].notna().any():
                    row[quantity] = part[quantity].mean()
                    name, bracket, unit = quantity.partition(" [")
                    row[f"{name}_spread{bracket}{unit}"] = part[quantity].std()
            rows.append(row)
        rows.extend(published[published["model"] == model].to_dict("records"))
    return pd.DataFrame(rows)


@command
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--errors", required=True)
    parser.add_argument("--published", required=True)
    parser.add_argument("--data", required=True, help="the labelled file that the errors are from")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    data = origin(args.data, frames.read(args.data))
    table = compare(tables.errors(args.errors), tables.published(args.published), data)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
