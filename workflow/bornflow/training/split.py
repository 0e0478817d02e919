"""Split labelled structures into a training and a validation subset.

    python -m bornflow.training.split --labels A.extxyz B.extxyz --config cfg.yaml \\
        --train train.extxyz --valid valid.extxyz

Files are read and checked first (`labelled_sets`). If training.validation names files, these are the
validation subset. Otherwise the structures of a file that are marked with `split=validation` are, and files
without such marks are split at random; related structures stay together (`groups`).
"""

import logging
from collections.abc import Sequence

from ase import Atoms

from .. import cli, config
from ..errors import BornflowError
from ..identity import groups_of
from ..io import frames
from . import labelled_sets
from .copies import Pair, pairs_across
from .groups import MARK, TRAIN, VALIDATION, fixed_split, mark, random_split, related
from .settings import TrainingSettings

logger = logging.getLogger(__name__)


def split(
    labels: Sequence[str], validation: Sequence[str], settings: TrainingSettings
) -> tuple[list[Atoms], list[Atoms]]:
    """Training and validation subsets of labelled files.

    Raises BornflowError for files that cannot be read, implausible labels, and too few structures.
    """
    sources: set[str] = set()
    paths = [*labels, *validation]
    structures = labelled_sets.read(paths, settings, sources)
    _check_keys(paths, settings, sources)
    _report_labels(structures, paths)
    copies = labelled_sets.check(structures, settings)
    if validation:
        train, valid = _given_subsets(structures, labels, validation, copies, settings)
    else:
        train, valid = _chosen_subsets(structures, labels, copies, settings)
    if not train and any(mark(atoms) == VALIDATION for atoms in structures):
        raise BornflowError(
            f"no structure of {', '.join(labels)} is left to train on: all are marked split=validation or "
            "related to such; add a file to train on, or name this one under training.validation"
        )
    if not train or not valid:
        raise BornflowError(
            f"{len(structures)} labelled structures give {len(train)} for training and {len(valid)} for "
            "validation; more structures are needed. Structures of one `group` stay together unless "
            "training.split_by is structure"
        )
    kept = {id(atoms) for atoms in (*train, *valid)}
    logger.info(
        "%d training and %d held-out structures; %d groups (training.split_by: %s), %d copies under other "
        "names",
        len(train),
        len(valid),
        len(groups_of([*train, *valid])),
        settings.split_by,
        sum(id(structures[i]) in kept and id(structures[j]) in kept for i, j in copies),
    )
    return [_marked(atoms, TRAIN) for atoms in train], [_marked(atoms, VALIDATION) for atoms in valid]


def _marked(atoms: Atoms, value: str) -> Atoms:
    """The structure, with its mark, if it has one, set to the subset that it is in."""
    if MARK in atoms.info:
        atoms.info[MARK] = value
    return atoms


def _given_subsets(
    structures: Sequence[Atoms],
    labels: Sequence[str],
    validation: Sequence[str],
    copies: Sequence[Pair],
    settings: TrainingSettings,
) -> tuple[list[Atoms], list[Atoms]]:
    """The subsets where the files of the validation subset are given."""
    count = sum(frames.count(path) for path in labels)
    train, valid = list(structures[:count]), list(structures[count:])
    train = labelled_sets.without_held_out(train, valid, pairs_across(copies, count))
    if settings.split_by == "group":
        train = _without_groups_of(valid, train)
    if marked := sum(mark(atoms) == VALIDATION for atoms in train):
        logger.warning(
            "%d structures marked split=validation are trained on, since training.validation names the "
            "validation subset",
            marked,
        )
    if not train:
        raise BornflowError(
            f"all structures of {', '.join(labels)} are also in {', '.join(validation)}, or have the group "
            "of one there; none is left to train on: give other files under training.data or "
            "training.validation"
        )
    return train, valid


def _without_groups_of(valid: Sequence[Atoms], train: Sequence[Atoms]) -> list[Atoms]:
    """The structures of `train` that have no `group` in common with those of `valid`."""
    held_out = groups_of(valid)
    kept = [atoms for atoms in train if not groups_of([atoms]) & held_out]
    if len(kept) < len(train):
        logger.warning(
            "%d structures are left out: they have the group of a validation structure (training.split_by: "
            "group)",
            len(train) - len(kept),
        )
    return kept


def _chosen_subsets(
    structures: Sequence[Atoms], labels: Sequence[str], copies: Sequence[Pair], settings: TrainingSettings
) -> tuple[list[Atoms], list[Atoms]]:
    """The subsets by the marks of the files or, for files without marks, at random."""
    files = [number for number, path in enumerate(labels) for _ in range(frames.count(path))]
    relation = related(structures, copies, settings.split_by == "group")
    train, valid, left_out, free = fixed_split(structures, files, relation)
    if left_out:
        names = ", ".join(frames.name(structures[index]) for index in left_out[:5])
        logger.warning(
            "%d structures are left out: they are copies of marked validation structures or have their group "
            "(%s)",
            len(left_out),
            names,
        )
    if free and len(free) < len(structures):
        logger.info(
            "%d structures of files without marks are split at random; others of these files follow their "
            "group or their copies in files with marks",
            len(free),
        )
    first, second = random_split(
        [structures[index] for index in free],
        relation[free],
        settings.train_fraction,
        settings.split_seed,
    )
    train += [free[index] for index in first]
    valid += [free[index] for index in second]
    return [structures[index] for index in train], [structures[index] for index in valid]


def _check_keys(paths: Sequence[str], settings: TrainingSettings, sources: set[str]) -> None:
    """Raise BornflowError for a key of training.keys that no structure has."""
    for key, source in settings.keys.items():
        if source not in sources:
            raise BornflowError(
                f"training.keys.{key}: no structure in {', '.join(paths)} has '{source}'; labels were "
                f"found under {', '.join(sorted(sources)) or 'no key'}"
            )


def _report_labels(structures: Sequence[Atoms], paths: Sequence[str]) -> None:
    """Log how many structures have each label; BornflowError where all labels are missing."""
    counts = {key: sum(frames.label(atoms, key) is not None for atoms in structures) for key in frames.LABELS}
    for key, count in counts.items():
        logger.info("%d of %d structures have %s", count, len(structures), key)
    if not any(counts.values()):
        keys = {key for atoms in structures for key in (*atoms.info, *atoms.arrays)}
        keys -= {*frames.IDENTITY_KEYS, frames.MAPPED_KEYS, "numbers", "positions"}
        raise BornflowError(
            f"no structure in {', '.join(paths)} has any of {', '.join(frames.LABELS)}; name its "
            f"keys in training.keys: found are {', '.join(sorted(keys)) or 'none'}"
        )


@cli.command
def main() -> None:
    """Write the training and the validation subset of labelled files."""
    args = cli.parse(
        main,
        labels=cli.options("labelled extxyz files"),
        validation=cli.options(
            "files of the validation subset; without them it is chosen by marks or at random", []
        ),
        config=cli.option("configuration file; its section training is read"),
        train=cli.option("extxyz file to write: the training subset"),
        valid=cli.option("extxyz file to write: the validation subset"),
    )
    settings = TrainingSettings.from_section(config.load(args.config, "training"))
    train, valid = split(args.labels, args.validation, settings)
    frames.write(args.train, train)
    frames.write(args.valid, valid)


if __name__ == "__main__":
    main()
