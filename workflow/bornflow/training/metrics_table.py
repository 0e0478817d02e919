"""One table of the metrics of all models.

python -m bornflow.training.metrics_table --metrics a-0.json b-0.json --out errors.csv
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import cli
from ..errors import BornflowError
from ..io.files import atomic_write
from .tables import read_metrics


def metrics_table(paths: Sequence[Path]) -> pd.DataFrame:
    """A row for each model, seed and kind of structures, from files called MODEL-SEED.json."""
    rows = []
    for path in paths:
        model, _, seed = path.stem.rpartition("-")
        if not model or not seed.isdecimal():
            raise BornflowError(f"{path}: a name like MODEL-SEED.json is expected; rename the file")
        for kind, metrics in read_metrics(path).items():
            rows.append({"model": model, "seed": seed, "structures_of": kind, **metrics})
    return pd.DataFrame(rows)


@cli.command
def main() -> None:
    """Write one row for each model, seed and kind of structures."""
    args = cli.parse(
        main,
        "out",
        metrics=cli.options("files of training.evaluate, called MODEL-SEED.json", type=Path),
    )
    table = metrics_table(args.metrics)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
