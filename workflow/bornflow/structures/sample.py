"""Candidates of one start of a pool: a structure is relaxed and extended by molecular dynamics.

    python -m bornflow.structures.sample --structure methanol-3 --start 0 --config cfg.yaml \\
        --out 0.extxyz --left-out 0.csv

A start is a random packing of molecules or a structure of a file. From the relaxed start, one run for each
temperature samples stretched and bent geometries. Frames that dissociated or fell apart are left out and
listed with the reason. A killed job resumes after its last finished part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import cli, config, constraints
from ..config import pools
from ..electrons import reject_impossible
from ..errors import BornflowError
from ..io import frames, rejections
from ..io.files import sole_writer
from ..io.rejections import Rejection
from . import molecules, samplers
from .candidates import read_candidates
from .packing import pack
from .runs import Candidate, sample_start, state_file
from .screen import BondSet, bonded_pairs, bonds_of_molecules, evaporated, reason_to_leave_out
from .settings import PoolSettings


def packed_start(
    pool: str, settings: PoolSettings, described: dict[str, molecules.MoleculeSettings], start: int, seed: int
) -> tuple[Atoms, BondSet]:
    """The packing number `start` of a pool, with its group, charge and spin in `info`, and its bonds.

    Pools of the same molecules, density and seed begin with the same packings.
    """
    contains = dict(sorted((settings.contains or {}).items()))
    try:
        parts = molecules.compose(contains, described)
        rng = np.random.default_rng([seed, start, *map(ord, repr([*contains.items()]))])
        atoms = pack(parts, int(rng.integers(1, 2**31)), settings.density)
    except BornflowError as error:
        raise BornflowError(f"structures.pools.{pool}: {error}") from error
    content = "-".join(f"{name}-{copies}" for name, copies in contains.items())
    density = f"-{settings.density:g}" if settings.density is not None else ""
    atoms.info = {
        "group": f"{frames.kind(atoms)}-{content}{density}-{start}" + (f"-seed-{seed}" if seed else ""),
        "n_molecules": sum(contains.values()),
        **molecules.charge_and_multiplicity(parts),
    }
    return atoms, bonds_of_molecules(parts)


def start_from_file(settings: PoolSettings, start: int) -> tuple[Atoms, BondSet]:
    """The start number `start` of the files of a pool, and its bonds.

    If the pool has fewer starts than structures, the starts are evenly spaced in the files. Raises
    BornflowError if it has constraints, or a charge and spin that its electrons do not allow.
    """
    structures = frames.read_all(list(settings.files or []))
    starts = min(settings.starts or len(structures), len(structures))
    atoms = structures[start * len(structures) // starts]
    constraints.reject(atoms, frames.name_and_origin(atoms), "sampling")
    reject_impossible(atoms)
    atoms = frames.without_labels(atoms)
    atoms.info.setdefault("group", frames.name(atoms))
    return atoms, bonded_pairs(atoms)


def split_intact(
    candidates: Sequence[Candidate],
    start: Atoms,
    bonds: BondSet,
    name: str,
    settings: PoolSettings,
    gap: float,
) -> tuple[list[Atoms], list[Rejection]]:
    """The frames of a start with the given bonds, named `{name}-{origin}`, and those left out with reasons.

    With `reactive: keep` none is left out.
    """
    source = "packed" if settings.contains is not None else str(start.info.get("source", frames.name(start)))
    kept, left_out = [], []
    for origin, positions in candidates:
        frame = Atoms(start.symbols, positions, cell=start.cell, pbc=start.pbc)
        if start.has("masses"):
            frame.set_masses(start.get_masses())
        carried = {key: start.info[key] for key in frames.IDENTITY_KEYS if key in start.info}
        frame.info = carried | {
            "structure": f"{name}-{origin}",
            "source": f"{source}, {samplers.describe(settings.sampler)}",
            "kind": frames.kind(frame),
        }
        reason = None if settings.reactive == "keep" else reason_to_leave_out(frame, bonds, gap)
        if reason is None:
            kept.append(frame)
        else:
            left_out.append((frame.info["structure"], reason))
    return kept, left_out


def split_connected(
    structures: Sequence[Atoms], settings: PoolSettings, gap: float
) -> tuple[list[Atoms], list[Rejection]]:
    """The structures of files without clusters that fell apart, and those, with reasons."""
    kept, left_out = [], []
    for atoms in structures:
        reason = None if settings.reactive == "keep" else evaporated(atoms, gap)
        if reason is None:
            kept.append(atoms)
        else:
            left_out.append((frames.name(atoms), reason))
    return kept, left_out


@cli.command
def main() -> None:
    """Write the candidates of one start, and a table of the frames that are left out."""
    args = cli.parse(
        main,
        "out",
        structure=cli.option("a key of structures.pools"),
        start=cli.option("number of the start, from 0", 0, type=cli.index),
        config=cli.option("configuration file with that pool"),
        left_out=cli.option("CSV file to write: frames that are left out, with reasons"),
    )
    section = config.load(args.config, "structures")
    if args.structure not in section["pools"]:
        raise BornflowError(
            f"{args.config}: --structure is {args.structure}, which is not a key of structures.pools; its "
            f"keys: {', '.join(section['pools']) or 'none'}"
        )
    pool = section["pools"][args.structure]
    if not pools.is_packed(pool) and args.start >= (
        count := pools.starts({"structures": section}, args.structure)
    ):
        raise BornflowError(f"--start is {args.start}, but the pool has {count} starts, numbered from 0")
    settings = PoolSettings(**pool)
    out = Path(args.out)
    with sole_writer(out):
        if not pools.is_sampled(pool):
            read = read_candidates(list(settings.files or []), settings.relax)
            kept, left_out = split_connected(read, settings, section["gap"])
        else:
            kept, left_out = _sample(args.structure, args.start, settings, section, args.config, out)
        frames.write(out, kept)
        rejections.write(args.left_out, left_out)
        state_file(out).unlink(missing_ok=True)


def _sample(
    pool: str, start: int, settings: PoolSettings, section: dict, config_path: str, out: Path
) -> tuple[list[Atoms], list[Rejection]]:
    if settings.contains is not None:
        entries = config.load(config_path, "molecules")
        described = {name: molecules.MoleculeSettings(**entry) for name, entry in entries.items()}
        atoms, bonds = packed_start(pool, settings, described, start, section["seed"])
    else:
        atoms, bonds = start_from_file(settings, start)
    name = f"{pool}-{start}"
    candidates, stopped = sample_start(atoms, settings, [section["seed"], start], name, state_file(out))
    kept, left_out = split_intact(candidates, atoms, bonds, name, settings, section["gap"])
    return kept, left_out + stopped


if __name__ == "__main__":
    main()
