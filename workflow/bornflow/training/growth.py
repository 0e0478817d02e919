"""Errors of the models of each round of `snakemake grow`, on the validation set that all rounds share.

    python -m bornflow.training.growth --metrics models/A/0/metrics.json grow/1/models/A/0/metrics.json \\
        --rounds 0 1 --out errors.csv
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import cli
from ..errors import BornflowError
from ..io.files import atomic_write
from .learning_curve import errors_of


def errors_by_round(paths: Sequence[Path], rounds: Sequence[int]) -> pd.DataFrame:
    """A row for each round, seed and kind of structures; each path needs its round."""
    if len(paths) != len(rounds):
        raise BornflowError(f"{len(paths)} --metrics and {len(rounds)} --rounds; give a round for each file")
    by_path = zip(paths, rounds, strict=True)
    return pd.DataFrame([{"round": number} | row for path, number in by_path for row in errors_of(path)])


@cli.command
def main() -> None:
    """Write and print the table."""
    args = cli.parse(
        main,
        "out",
        metrics=cli.options("metrics.json of the models of all rounds", type=Path),
        rounds=cli.options("the round of each of these files", type=cli.index),
    )
    table = errors_by_round(args.metrics, args.rounds)
    means = table.groupby(["round", "structures_of"]).mean(numeric_only=True).drop(columns="seed")
    print(means.round(2).to_string())
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
