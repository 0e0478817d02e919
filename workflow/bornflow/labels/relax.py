"""Relax structures with the engine that labels them.

    python -m bornflow.labels.relax --structures S.extxyz --config cfg.yaml --out relaxed.extxyz \\
        --rejected rejected.csv

All atoms move, so structures with constraints are rejected. With CP2K, a finished relaxation is kept in the
cache, and a killed one resumes from its last step.
"""

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from .. import cli, constraints
from ..errors import BornflowError, Rejected
from ..io import frames, rejections
from ..progress import track
from .engines import create
from .settings import LabelSettings, load_settings


def relax_structures(
    structures: Sequence[Atoms], path: str, settings: LabelSettings, workdir: Path, threads: int = 1
) -> tuple[list[Atoms], list[rejections.Rejection]]:
    """Relaxed frames, and (name, reason) of every structure that does not relax.

    `path` is the file of the structures, and the source of structures that do not name one.
    """
    engine = create(settings.engine, settings, threads)
    relaxed, rejected = [], []
    for atoms in track(structures, f"relaxations ({settings.engine})", len(structures), "structures"):
        frame = frames.without_labels(atoms)
        try:
            frame.positions = engine.relax(atoms, workdir)
        except Rejected as error:
            rejected.append(rejections.report(atoms.info["structure"], error))
            continue
        frame.info["source"] = f"{atoms.info.get('source', path)}, relaxed by {settings.engine}"
        relaxed.append(frame)
    return relaxed, rejected


@cli.command
def main() -> None:
    """Write the relaxed structures, and a table of those that do not relax."""
    args = cli.parse(main, "structures", "config", "threads", "out", "rejected")
    settings = load_settings(args.config)
    structures = frames.read(args.structures)
    for atoms in structures:
        constraints.reject(atoms, f"{args.structures}, {frames.name(atoms)}", "a relaxation")
    relaxed, rejected = relax_structures(
        structures, args.structures, settings, settings.scratch, args.threads
    )
    rejections.write(args.rejected, rejected)
    if structures and not relaxed:
        raise BornflowError(
            f"every structure of {args.structures} was rejected, {rejected[0][0]}: {rejected[0][1]}; "
            f"all reasons are in {args.rejected}: correct the structures or the settings of labels"
        )
    frames.write(args.out, relaxed)


if __name__ == "__main__":
    main()
