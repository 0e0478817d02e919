"""Join the batches of a labelling run and decide whether it stands.

    python -m bornflow.labels.gather --labelled 0.extxyz 1.extxyz --refused 0.csv 1.csv \\
        --config cfg.yaml --out labels.extxyz --out-refused refused.csv
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from .. import frames, settings
from ..errors import BornflowError, command
from .label import write_refused


def gather(paths: Sequence[str]) -> list[Atoms]:
    """All labelled frames in order; BornflowError where a name occurs twice."""
    labelled = [atoms for path in paths if Path(path).stat().st_size for atoms in frames.read(path)]
    seen: set[str] = set()
    for atoms in labelled:
        name = atoms.info["structure"]
        if name in seen:
            raise BornflowError(f"structure {name} was labelled twice; give each a name of its own")
        seen.add(name)
    return labelled


@command
def main() -> None:
    """Write the labelled set and the table of refusals."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labelled", required=True, nargs="+")
    parser.add_argument("--refused", required=True, nargs="+")
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--out-refused", required=True)
    args = parser.parse_args()
    limit = settings.load(args.config, "labels")["max_refused"]
    labelled = gather(args.labelled)
    refused = []
    for path in args.refused:
        with open(path, newline="") as handle:
            refused += list(csv.reader(handle))[1:]
    write_refused(args.out_refused, refused)
    total = len(labelled) + len(refused)
    if len(refused) > limit * total:
        named = "; ".join(f"{name}: {reason}" for name, reason in refused[:3])
        raise BornflowError(
            f"{len(refused)} of {total} structures were refused, more than labels.max_refused = "
            f"{limit:g} allows ({named}); every reason is in {Path(args.refused[0]).parent}/*.csv: mend the "
            "structures or the settings, or raise labels.max_refused"
        )
    frames.write(args.out, labelled)


if __name__ == "__main__":
    main()
