"""Join the tables of structures that were rejected.

python -m bornflow.labels.rejections --tables 0.csv 1.csv --out rejected.csv
"""

import argparse
from pathlib import Path

import pandas as pd

from ..cli import command
from ..io import tables
from ..io.files import atomic_write


def read(path: str | Path) -> pd.DataFrame:
    """A table of rejections, all text: structure, reason."""
    texts = ("structure", "reason")
    table = tables.read(path, "label the structures again", texts=texts, others="none", allow_empty=True)
    return table[list(texts)]


@command
def main() -> None:
    """Write one table: structure, reason."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tables", required=True, nargs="+")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with atomic_write(args.out) as scratch:
        pd.concat([read(path) for path in args.tables]).to_csv(scratch, index=False)


if __name__ == "__main__":
    main()
