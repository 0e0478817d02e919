"""Label structures: energies, forces and Born effective charges from one of the engines.

    python -m bornflow.labels.label --structures S.extxyz --engine cp2k|xtb|model --config cfg.yaml \\
        --out labelled.extxyz

A structure that does not pass the gate is reported with its name and the reason; the others are labelled.
Finished calculations stay in the cache, so that a killed job resumes where it stopped. A label that a file of
`labels.known` already contains is taken from this file.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import cli, electrons
from ..errors import BornflowError, Rejected
from ..io import frames, rejections
from ..progress import track
from . import limits
from .engines import ENGINES, create
from .engines.base import Engine
from .finite_field import accept, sum_rule
from .settings import LabelSettings, load_settings

logger = logging.getLogger(__name__)

Known = Mapping[str, Atoms]  # labelled frames by the hash of their calculation


def label_structures(
    structures: Sequence[Atoms], engine_name: str, settings: LabelSettings, workdir: Path, threads: int = 1
) -> tuple[list[Atoms], list[rejections.Rejection]]:
    """Labelled frames, and (name, reason) of every rejected structure.

    `engine_name` is a key of `engines.ENGINES`. Labels have their provenance in `info`.
    """
    labelled, rejected = [], []
    engine = create(engine_name, settings, threads)
    known = _read_known(settings.known)
    engine.prepare(structures)
    for atoms in track(structures, f"labels ({engine_name})", len(structures), "structures"):
        try:
            electrons.reject_impossible(atoms)
            frame = _known_label(atoms, engine, known)
            labelled.append(_new_label(atoms, engine, workdir) if frame is None else frame)
        except Rejected as error:
            rejected.append(rejections.report(atoms.info["structure"], error))
    return labelled, rejected


def _known_label(atoms: Atoms, engine: Engine, known: Known) -> Atoms | None:
    """The frame with its known label, or None. Raises Rejected if it fails the limits or the gate."""
    answer = known.get(engine.identify(atoms)) if known else None
    if answer is None or not _same_geometry(answer, atoms):
        return None
    gate = engine.settings.gate
    limits.reject(atoms, np.asarray(frames.label(answer, "forces")))
    stored = {key: answer.info[key] for key in gate if key in answer.info}
    residual = sum_rule(np.asarray(frames.label(answer, "bec")), electrons.total_charge(atoms))
    accept(stored | {"sum_rule": residual}, gate)
    frame = frames.with_labels(answer, {key: frames.label(answer, key) for key in frames.LABELS})
    frame.info.update({key: atoms.info[key] for key in frames.IDENTITY_KEYS if key in atoms.info})
    return frame


def _new_label(atoms: Atoms, engine: Engine, workdir: Path) -> Atoms:
    """The frame with a label from the engine. Raises Rejected as engine, limits and gate do."""
    label = engine.label(atoms, workdir)
    limits.reject(atoms, label.forces)
    accept(label.residuals, engine.settings.gate)
    frame = frames.with_labels(
        frames.without_labels(atoms),
        {"energy": label.energy, "forces": label.forces, "bec": label.response.bec},
    )
    frame.info.update(label.provenance)
    frame.info["label_hash"] = label.hash
    numbers = {**label.residuals, **label.numbers}
    frame.info.update({key: round(value, 10) for key, value in numbers.items()})
    frame.info.update({key: values.round(10) for key, values in label.moments.items()})
    return frame


def _read_known(paths: Sequence[str]) -> Known:
    """Frames of labelled files that have every label, the hash of their calculation and its residuals."""
    labelled: list[Atoms] = []
    for path in paths:
        if Path(path).exists():
            labelled += frames.read(path)
        else:
            logger.warning("labels.known: %s does not exist, no label is taken from it", path)
    complete = [
        atoms
        for atoms in labelled
        if all(frames.label(atoms, key) is not None for key in frames.LABELS)
        and {"label_hash", "sum_rule", "nonlinearity"} <= set(atoms.info)
    ]
    return {atoms.info["label_hash"]: atoms for atoms in complete}


def _same_geometry(known: Atoms, atoms: Atoms) -> bool:
    """Whether both have the same atoms at the same positions; clusters may be translated."""
    if list(known.symbols) != list(atoms.symbols) or not np.allclose(known.cell, atoms.cell):
        return False
    first, second = (each.positions - (0 if each.pbc.any() else each.positions[0]) for each in (known, atoms))
    return np.allclose(first, second, rtol=0, atol=1e-6)


def _select_batch(
    structures: list[Atoms], path: str, batch: int, size: int, allow_empty: bool
) -> list[Atoms]:
    """The structures of one batch, counted from 0; BornflowError for one beyond the last."""
    batches = -(-len(structures) // size)
    # Structures that do not relax leave fewer than the rules planned for.
    if batch >= batches and not allow_empty:
        raise BornflowError(
            f"--batch is {batch}, but {path} contains {len(structures)} structures, "
            f"{batches} batches of {size} (labels.batch_size), counted from 0; give a smaller number"
        )
    return structures[batch * size : (batch + 1) * size]


@cli.command
def main() -> None:
    """Label the structures of a file, or one batch of them."""
    args = cli.parse(
        main,
        "structures",
        "config",
        "threads",
        "out",
        engine=cli.option("default: labels.engine of the configuration", None, choices=sorted(ENGINES)),
        rejected=cli.option("CSV file to write: structures without a label, with reasons", None),
        workdir=cli.option("folder of scratch files; default: next to the cache", None),
        batch=cli.option("label only this batch, counted from 0", None, type=cli.index),
        allow_empty=cli.option("write an empty file for a batch beyond the last", False, action="store_true"),
    )
    settings = load_settings(args.config)
    structures = frames.read(args.structures)
    if args.batch is not None:
        structures = _select_batch(
            structures, args.structures, args.batch, settings.batch_size, args.allow_empty
        )
    workdir = Path(args.workdir or settings.scratch)
    labelled, rejected = label_structures(
        structures, args.engine or settings.engine, settings, workdir, args.threads
    )
    frames.write(args.out, labelled)
    if args.rejected:
        rejections.write(args.rejected, rejected)
    elif rejected:
        raise BornflowError(
            f"{len(rejected)} of {len(structures)} structures were rejected; {args.out} contains the others. "
            "The reasons are above; --rejected FILE writes them to a table"
        )


if __name__ == "__main__":
    main()
