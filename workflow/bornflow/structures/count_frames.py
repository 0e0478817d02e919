"""How many frames of each pool were sampled, left out (by reason), and selected.

    python -m bornflow.structures.count_frames --left-out starts/A/0.csv starts/A/1.csv \\
        --candidates pools/A.extxyz --selected selected/A.extxyz --out sampled.csv
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import cli
from ..io import frames, rejections
from ..io.files import atomic_write

REASONS = ("dissociated", "evaporated", "stopped")  # the first word of a reason; a run stopped, not a frame


def _selected_of_parts(candidates: Sequence[str], selected: Sequence[str]) -> dict[str, int]:
    """For pools that are part of others: how many of their candidates are selected there."""
    names = {frames.name(atoms) for atoms in frames.read_all(selected, allow_empty=True)}
    own = {Path(path).stem: frames.read_all([path], allow_empty=True) for path in candidates}
    return {
        pool: sum(frames.name(atoms) in names for atoms in structures) for pool, structures in own.items()
    }


@cli.command
def main() -> None:
    """Write and print the table."""
    args = cli.parse(
        main,
        "out",
        left_out=cli.options("CSV files of frames that are left out; the name of their folder is the pool"),
        candidates=cli.options("extxyz files of candidates, named after the pool"),
        selected=cli.options("extxyz files of selected structures, named after the pool"),
    )
    left_out: dict[str, Counter[str]] = {Path(path).stem: Counter() for path in args.candidates}
    for path in args.left_out:
        reasons = (reason.split(":")[0] for _, reason in rejections.read(path))
        left_out[Path(path).parent.name].update(reasons)
    kept = {Path(path).stem: frames.count(path) for path in args.candidates}
    selected = {Path(path).stem: frames.count(path) for path in args.selected}
    if parts := [path for path in args.candidates if Path(path).stem not in selected]:
        selected |= _selected_of_parts(parts, args.selected)
    rows = [
        {
            "pool": pool,
            "sampled": kept[pool] + left_out[pool]["dissociated"] + left_out[pool]["evaporated"],
            **{reason: left_out[pool][reason] for reason in REASONS},
            "candidates": kept[pool],
            "selected": selected[pool],
        }
        for pool in kept
    ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False)


if __name__ == "__main__":
    main()
