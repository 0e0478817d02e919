"""Farthest-point sampling of a pool in the space of averaged SOAP descriptors.

    python -m bornflow.structures.select --pool pool.extxyz --count 12 --config cfg.yaml --out S.extxyz

The order of the selection is kept: the first k structures of a longer selection are the selection
of k, so a set can grow without repeating a label.
"""

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP
from jaxtyping import Float
from scipy.sparse.csgraph import connected_components
from skmatter.sample_selection import FPS

from .. import cli, config
from ..cli import command
from ..errors import BornflowError
from ..io import frames


def descriptors(pool: Sequence[Atoms], soap: Mapping) -> Float[np.ndarray, "structures features"]:
    """SOAP power spectra (Bartók et al., PRB 87, 184115) averaged over the atoms of a structure."""
    species = sorted({symbol for atoms in pool for symbol in atoms.get_chemical_symbols()})
    periodic = bool(pool[0].pbc.any())
    describe = SOAP(
        species=species,
        r_cut=soap["cutoff"],
        n_max=soap["n_max"],
        l_max=soap["l_max"],
        sigma=soap["sigma"],
        periodic=periodic,
    )
    return np.stack([describe.create(atoms).mean(axis=0) for atoms in pool])


def holds_together(atoms: Atoms, gap: float) -> bool:
    """Whether every part of a cluster is nearer than `gap` [Å] to another; periodic boxes always are."""
    if atoms.pbc.any():
        return True
    near = atoms.get_all_distances() < gap
    return bool(connected_components(near, directed=False, return_labels=False) == 1)


def select(pool: Sequence[Atoms], count: int, soap: Mapping, gap: float) -> list[Atoms]:
    """`count` structures, each as far as possible from those before it; the first is the pool's first.

    Clusters that fell apart are left out. A pool of periodic and isolated structures is taken as a whole or
    not at all. Raises BornflowError if fewer than `count` are left.
    """
    pool = [atoms for atoms in pool if holds_together(atoms, gap)]
    if len({frames.kind(atoms) for atoms in pool}) > 1:
        if count == len(pool):
            return pool
        raise BornflowError(
            f"{count} of {len(pool)} structures, periodic and isolated ones, are asked for; give each kind a "
            "pool of its own, or select all"
        )
    if count > len(pool):
        raise BornflowError(
            f"{count} structures are asked for, the pool holds {len(pool)} that hold together; make the "
            "pool larger (structures.pools: starts, temperatures, steps / interval) or ask for fewer"
        )
    if len(pool) == 1:
        return pool
    # The sampler leaves one out at least.
    sampler = FPS(n_to_select=min(count, len(pool) - 1), initialize=0)
    chosen = list(sampler.fit(descriptors(pool, soap)).selected_idx_)
    chosen += [index for index in range(len(pool)) if index not in chosen]
    return [pool[index] for index in chosen[:count]]


@command
def main() -> None:
    """Write the selected structures of a pool."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--count", required=True, type=cli.count)
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    options = config.load(args.config, "structures")
    try:
        chosen = select(frames.read(args.pool), args.count, options["soap"], options["gap"])
    except BornflowError as error:
        raise BornflowError(f"{args.pool}: {error}") from error
    frames.write(args.out, chosen)


if __name__ == "__main__":
    main()
