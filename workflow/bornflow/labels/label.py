"""Label structures: energies, forces and Born effective charges from one of the engines.

    python -m bornflow.labels.label --structures S.extxyz --engine cp2k|xtb --config cfg.yaml \\
        --out labelled.extxyz

A structure that fails the gate is rejected by name with the reason; the others go on. Finished
calculations are kept in the cache, so a job that was killed goes on where it stopped, and a label that
one of the files `labels.known` holds already is taken from there.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import cli, config
from ..cli import command
from ..errors import BornflowError, Rejected
from ..io import frames
from ..io.files import atomic_write
from ..progress import track
from . import limits
from .engines.table import ENGINES
from .finite_field import accept, sum_rule


def label_structures(
    structures: Sequence[Atoms], engine: str, options: Mapping, workdir: Path, threads: int = 1
) -> tuple[list[Atoms], list[tuple[str, str]]]:
    """Labelled frames, and (name, reason) of every structure rejected.

    `options` is the section `labels` of a configuration. Labels carry their provenance in `info`.
    """
    labelled, rejected = [], []
    known = _known(options["known"], {"label_hash", "sum_rule", "nonlinearity"})
    for atoms in track(structures, f"labels ({engine})", len(structures), "structures"):
        name = atoms.info["structure"]
        try:
            _reject_charged(atoms)
            answered = known and known.get(ENGINES[engine].identify(atoms, options))
            if answered and _same(answered, atoms):
                limits.reject(atoms, frames.label(answered, "forces"))
                held = {key: answered.info[key] for key in options["gate"] if key in answered.info}
                accept(held | {"sum_rule": sum_rule(frames.label(answered, "bec"))}, options["gate"])
                labelled.append(_renamed(answered, atoms))
                continue
            label = ENGINES[engine].label(atoms, options, workdir, threads)
            limits.reject(atoms, label.forces)
            accept(label.residuals, options["gate"])
        except Rejected as error:
            rejected.append(rejection(name, error))
            continue
        values = {"energy": label.energy, "forces": label.forces, "bec": label.response.bec}
        new = frames.with_labels(frames.without_labels(atoms), values)
        new.info.update(label.provenance)
        new.info["label_hash"] = label.hash
        new.info.update({key: round(value, 10) for key, value in label.residuals.items()})
        labelled.append(new)
    return labelled, rejected


def _reject_charged(atoms: Atoms) -> None:
    """Raise Rejected for ions and open shells, which the engines would calculate as neutral closed shells."""
    for key, expected in (("charge", 0), ("multiplicity", 1)):
        if (found := atoms.info.get(key, expected)) != expected:
            raise Rejected(f"{key} is {found}; structures of {key} {expected} can be labelled")


def _known(paths: Sequence[str], needed: set[str]) -> dict[str, Atoms]:
    """Frames that are labelled already and say what is `needed`, by the hash of their calculation."""
    for path in paths:
        if not Path(path).exists():
            print(f"labels.known: {path} is not there, no label is taken from it", file=sys.stderr)
    found = [atoms for path in paths if Path(path).exists() for atoms in frames.read(path)]
    whole = [atoms for atoms in found if all(frames.label(atoms, key) is not None for key in frames.LABELS)]
    return {atoms.info["label_hash"]: atoms for atoms in whole if needed <= set(atoms.info)}


def _same(answered: Atoms, atoms: Atoms) -> bool:
    """Whether these are the same atoms at the same places; isolated ones wherever the whole is."""
    if list(answered.symbols) != list(atoms.symbols) or not np.allclose(answered.cell, atoms.cell):
        return False
    places = [each.positions - (0 if each.pbc.any() else each.positions[0]) for each in (answered, atoms)]
    return np.allclose(*places, rtol=0, atol=1e-6)


def _renamed(answered: Atoms, atoms: Atoms) -> Atoms:
    """The labels of `answered` under the name and source of `atoms`."""
    new = frames.with_labels(answered, {key: frames.label(answered, key) for key in frames.LABELS})
    new.info.update({key: atoms.info[key] for key in frames.IDENTITY_KEYS if key in atoms.info})
    return new


def rejection(name: str, error: Rejected) -> tuple[str, str]:
    """A row of the table of rejections; said on stderr too."""
    print(f"rejected {name}: {error}", file=sys.stderr, flush=True)
    return name, str(error)


def write_rejected(path: str | Path, rejected: Sequence[tuple[str, str]]) -> None:
    """The table of rejections."""
    with atomic_write(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["structure", "reason"])
        writer.writerows(rejected)


@command
def main() -> None:
    """Label the structures of a file, or one batch of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structures", required=True)
    parser.add_argument("--engine", choices=sorted(ENGINES), help="default: the configuration's")
    parser.add_argument("--config", help="a configuration; its section labels is read")
    parser.add_argument("--out", required=True)
    parser.add_argument("--rejected", help="CSV of the structures rejected")
    parser.add_argument("--workdir", default=None, help="default: beside the cache")
    parser.add_argument("--threads", type=cli.threads, default=1)
    parser.add_argument("--batch", type=cli.index, help="label only this batch (counted from 0)")
    parser.add_argument(
        "--allow-empty", action="store_true", help="write an empty file for a batch beyond the last"
    )
    args = parser.parse_args()
    options = config.load(args.config, "labels")
    structures = frames.read(args.structures)
    if args.batch is not None:
        size = options["batch_size"]
        first, batches = args.batch * size, -(-len(structures) // size)
        # Structures that do not relax leave fewer than the rules planned for.
        if args.batch >= batches and not args.allow_empty:
            raise BornflowError(
                f"--batch is {args.batch}, but {args.structures} holds {len(structures)} structures, "
                f"{batches} batches of {size} (labels.batch_size), counted from 0"
            )
        structures = structures[first : first + size]
    workdir = Path(args.workdir or Path(options["cache"]).parent / "work")
    labelled, rejected = label_structures(
        structures, args.engine or options["engine"], options, workdir, args.threads
    )
    frames.write(args.out, labelled)
    if args.rejected:
        write_rejected(args.rejected, rejected)
    elif rejected:
        raise BornflowError(
            f"{len(rejected)} of {len(structures)} structures were rejected; {args.out} holds the others"
        )


if __name__ == "__main__":
    main()
