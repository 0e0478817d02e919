"""Relax structures with the engine that labels them.

    python -m bornflow.labels.relax --structures S.extxyz --config cfg.yaml --out relaxed.extxyz \\
        --refused refused.csv

All atoms move, so that structures with constraints are refused. A finished relaxation is kept in the cache,
and one that was killed goes on from its last step.
"""

import argparse
from pathlib import Path

from .. import arguments, constraints, settings
from ..errors import BornflowError, Refused, command
from ..io import frames
from ..progress import track
from .engines import ENGINES
from .label import refusal, write_refused


@command
def main() -> None:
    """Write the relaxed structures, and a table of those that do not relax."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structures", required=True)
    parser.add_argument("--config", help="a configuration; its section labels is read")
    parser.add_argument("--threads", type=arguments.threads, default=1)
    parser.add_argument("--out", required=True)
    parser.add_argument("--refused", required=True, help="CSV of the structures refused")
    args = parser.parse_args()
    options = settings.load(args.config, "labels")
    structures = frames.read(args.structures)
    for atoms in structures:
        constraints.refuse(atoms, f"{args.structures}, {frames.name(atoms)}", "a relaxation")
    workdir = Path(options["cache"]).parent / "work"
    relaxed, refused = [], []
    for atoms in track(structures, f"relaxations ({options['engine']})", len(structures), "structures"):
        new = frames.bare(atoms)
        try:
            new.positions = ENGINES[options["engine"]].relax(atoms, options, workdir, args.threads)
        except Refused as error:
            refused.append(refusal(atoms.info["structure"], error))
            continue
        new.info["source"] = f"{atoms.info.get('source', args.structures)}, relaxed by {options['engine']}"
        relaxed.append(new)
    write_refused(args.refused, refused)
    if structures and not relaxed:
        raise BornflowError(
            f"every structure of {args.structures} was refused, {refused[0][0]}: {refused[0][1]}"
        )
    frames.write(args.out, relaxed)


if __name__ == "__main__":
    main()
