"""Relax structures with the engine that labels them.

    python -m bornflow.labels.relax --structures S.extxyz --config cfg.yaml --out relaxed.extxyz \\
        --rejected rejected.csv

All atoms move, so that structures with constraints are rejected. A finished relaxation is kept in the cache,
and one that was killed goes on from its last step.
"""

import argparse
from pathlib import Path

from .. import cli, config, constraints
from ..cli import command
from ..errors import BornflowError, Rejected
from ..io import frames
from ..progress import track
from .engines.table import ENGINES
from .label import rejection, write_rejected


@command
def main() -> None:
    """Write the relaxed structures, and a table of those that do not relax."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structures", required=True)
    parser.add_argument("--config", help="a configuration; its section labels is read")
    parser.add_argument("--threads", type=cli.threads, default=1)
    parser.add_argument("--out", required=True)
    parser.add_argument("--rejected", required=True, help="CSV of the structures rejected")
    args = parser.parse_args()
    options = config.load(args.config, "labels")
    structures = frames.read(args.structures)
    for atoms in structures:
        constraints.reject(atoms, f"{args.structures}, {frames.name(atoms)}", "a relaxation")
    workdir = Path(options["cache"]).parent / "work"
    relaxed, rejected = [], []
    for atoms in track(structures, f"relaxations ({options['engine']})", len(structures), "structures"):
        new = frames.without_labels(atoms)
        try:
            new.positions = ENGINES[options["engine"]].relax(atoms, options, workdir, args.threads)
        except Rejected as error:
            rejected.append(rejection(atoms.info["structure"], error))
            continue
        new.info["source"] = f"{atoms.info.get('source', args.structures)}, relaxed by {options['engine']}"
        relaxed.append(new)
    write_rejected(args.rejected, rejected)
    if structures and not relaxed:
        raise BornflowError(
            f"every structure of {args.structures} was rejected, {rejected[0][0]}: {rejected[0][1]}"
        )
    frames.write(args.out, relaxed)


if __name__ == "__main__":
    main()
