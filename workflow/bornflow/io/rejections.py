"""Tables of rejected structures: reading, writing and joining them.

python -m bornflow.io.rejections --tables 0.csv 1.csv --out rejected.csv
"""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import cli
from ..errors import Rejected
from . import tables
from .files import atomic_write

logger = logging.getLogger(__name__)

Rejection = tuple[str, str]  # name of the structure, reason


def report(name: str, error: Rejected) -> Rejection:
    """A row of a table of rejections; it is also logged."""
    logger.warning("rejected %s: %s", name, error)
    return name, str(error)


def write(path: str | Path, rejected: Sequence[Rejection]) -> None:
    """Write a table with the columns structure and reason."""
    with atomic_write(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["structure", "reason"])
        writer.writerows(rejected)


def read(path: str | Path) -> list[Rejection]:
    """The rows of a table of rejections; raises BornflowError for a table with other columns."""
    return _read_table(path).to_records(index=False).tolist()


def _read_table(path: str | Path) -> pd.DataFrame:
    texts = ("structure", "reason")
    table = tables.read(
        path, "make it again by the job that wrote it", texts=texts, others="none", allow_empty=True
    )
    return table[list(texts)]


@cli.command
def main() -> None:
    """Write one table of the structures that are rejected in several."""
    args = cli.parse(main, "out", tables=cli.options("CSV files of rejected structures, with reasons"))
    with atomic_write(args.out) as scratch:
        pd.concat([_read_table(path) for path in args.tables]).to_csv(scratch, index=False)


if __name__ == "__main__":
    main()
