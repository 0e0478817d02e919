"""One table of all models' errors.

python -m bornflow.training.tabulate --metrics a-0.json b-0.json --out errors.csv
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from ..errors import command
from ..io.files import atomic_write


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
        for part, errors in json.loads(path.read_text()).items():
            rows.append({"model": model, "seed": seed, "structures_of": part, **errors})
    with atomic_write(args.out) as scratch:
        pd.DataFrame(rows).to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
