"""One table of all models' errors.

python -m bornflow.training.tabulate --metrics a-0.json b-0.json --out errors.csv
"""

import argparse
from pathlib import Path

import pandas as pd

from ..cli import command
from ..errors import BornflowError
from ..io.files import atomic_write
from . import tables


@command
def main() -> None:
    """Write one row for each model, seed and kind of structure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--metrics", required=True, nargs="+", help="named MODEL-SEED.json")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    rows = []
    for path in map(Path, args.metrics):
        model, _, seed = path.stem.rpartition("-")
        if not model or not seed.isdecimal():
            raise BornflowError(f"{path}: a name like MODEL-SEED.json is expected")
        for part, errors in tables.metrics(path).items():
            rows.append({"model": model, "seed": seed, "structures_of": part, **errors})
    with atomic_write(args.out) as scratch:
        pd.DataFrame(rows).to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
