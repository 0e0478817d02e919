"""Split labelled structures at random into a training and a validation part.

    python -m bornflow.training.split --labels A.extxyz B.extxyz --config cfg.yaml \\
        --train train.extxyz --valid valid.extxyz
"""

import argparse
import sys

from .. import settings
from ..errors import BornflowError, command
from ..io import frames
from .data import split


@command
def main() -> None:
    """Write both parts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labels", required=True, nargs="+")
    parser.add_argument("--config", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--valid", required=True)
    args = parser.parse_args()
    options = settings.load(args.config, "training")
    sources: set[str] = set()
    structures = frames.read_all(args.labels, options["keys"], sources, unique=True)
    for key, source in options["keys"].items():
        if source not in sources:
            raise BornflowError(
                f"training.keys.{key}: no structure in {', '.join(args.labels)} has '{source}'; labels were "
                f"found under {', '.join(sorted(sources)) or 'no key'}"
            )
    for key in frames.LABELS:
        count = sum(frames.label(atoms, key) is not None for atoms in structures)
        print(f"{count} of {len(structures)} structures have {key}", file=sys.stderr)
    if not any(frames.label(atoms, key) is not None for atoms in structures for key in frames.LABELS):
        held = {key for atoms in structures for key in (*atoms.info, *atoms.arrays)}
        held -= {*frames.IDENTITY, "numbers", "positions"}
        raise BornflowError(
            f"no structure in {', '.join(args.labels)} has any of {', '.join(frames.LABELS)}; name its "
            f"keys in training.keys: found are {', '.join(sorted(held)) or 'none'}"
        )
    train, valid = split(structures, options["train_fraction"], options["split_seed"])
    if not train or not valid:
        raise BornflowError(
            f"{len(structures)} labelled structures give {len(train)} for training and "
            f"{len(valid)} for validation; more structures are needed"
        )
    frames.write(args.train, train)
    frames.write(args.valid, valid)


if __name__ == "__main__":
    main()
