"""Split labelled structures at random into a training and a validation part.

    python -m bornflow.training.split --labels A.extxyz B.extxyz --config cfg.yaml \\
        --train train.extxyz --valid valid.extxyz

Files are looked over first (`intake`, `plausibility`), relatives stay together (`relatives`). With files
given under training.validation those are the validation part, and all others are trained on.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

from ase import Atoms

from .. import config
from ..cli import command
from ..errors import BornflowError
from ..io import frames
from . import intake
from .relatives import split, summary


def parts(
    labels: Sequence[str], validation: Sequence[str], options: Mapping
) -> tuple[list[Atoms], list[Atoms]]:
    """Training and validation parts of labelled files; `options` is the section `training`.

    Raises BornflowError for files that are not understood, implausible labels, and too few structures.
    """
    sources: set[str] = set()
    structures = intake.read([*labels, *validation], options, sources)
    _report(structures, [*labels, *validation], options["keys"], sources)
    intake.check(structures, options)
    if validation:
        count = sum(frames.count(path) for path in labels)
        train = intake.without_shared(structures[:count], structures[count:])
        valid = structures[count:]
        if not train:
            raise BornflowError(
                f"all structures of {', '.join(labels)} are held out too, in {', '.join(validation)}; none "
                "is left to train on: give other files under training.data or training.validation"
            )
    else:
        by_group = options["split_by"] == "group"
        train, valid = split(structures, options["train_fraction"], options["split_seed"], by_group)
    if not train or not valid:
        raise BornflowError(
            f"{len(structures)} labelled structures give {len(train)} for training and {len(valid)} for "
            "validation; more structures are needed. Those of one `group` stay together unless "
            "training.split_by is structure"
        )
    found = summary(train, valid)
    print(
        f"{found['train']} structures to train on, {found['valid']} held out; {found['groups']} groups "
        f"(training.split_by: {options['split_by']}), {found['copies']} copies under other names",
        file=sys.stderr,
    )
    return train, valid


def _report(
    structures: Sequence[Atoms], paths: Sequence[str], keys: Mapping[str, str], sources: set[str]
) -> None:
    """Say how many structures have each label; BornflowError where a mapped key or every label is missing."""
    for key, source in keys.items():
        if source not in sources:
            raise BornflowError(
                f"training.keys.{key}: no structure in {', '.join(paths)} has '{source}'; labels were "
                f"found under {', '.join(sorted(sources)) or 'no key'}"
            )
    for key in frames.LABELS:
        count = sum(frames.label(atoms, key) is not None for atoms in structures)
        print(f"{count} of {len(structures)} structures have {key}", file=sys.stderr)
    if not any(frames.label(atoms, key) is not None for atoms in structures for key in frames.LABELS):
        held = {key for atoms in structures for key in (*atoms.info, *atoms.arrays)}
        held -= {*frames.IDENTITY_KEYS, frames.MAPPED_KEYS, "numbers", "positions"}
        raise BornflowError(
            f"no structure in {', '.join(paths)} has any of {', '.join(frames.LABELS)}; name its "
            f"keys in training.keys: found are {', '.join(sorted(held)) or 'none'}"
        )


@command
def main() -> None:
    """Write both parts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labels", required=True, nargs="+")
    parser.add_argument("--validation", nargs="*", default=[], help="files of the validation part")
    parser.add_argument("--config", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--valid", required=True)
    args = parser.parse_args()
    train, valid = parts(args.labels, args.validation, config.load(args.config, "training"))
    frames.write(args.train, train)
    frames.write(args.valid, valid)


if __name__ == "__main__":
    main()
