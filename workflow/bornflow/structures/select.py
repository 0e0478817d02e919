"""Farthest-point sampling of a pool in the space of averaged SOAP descriptors.

    python -m bornflow.structures.select --pool pool.extxyz --count 12 --config cfg.yaml --out S.extxyz

The first k structures of a longer selection are the selection of k structures, so a set can be extended
without repeating a label.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP
from jaxtyping import Float
from skmatter.sample_selection import FPS

from .. import cli, config
from ..errors import BornflowError
from ..io import frames
from .settings import SoapSettings

ALL = "all"


def descriptors(pool: Sequence[Atoms], soap: SoapSettings) -> Float[np.ndarray, "structures features"]:
    """SOAP power spectra (Bartók et al., PRB 87, 184115) averaged over the atoms of a structure."""
    species = sorted({symbol for atoms in pool for symbol in atoms.get_chemical_symbols()})
    periodic = bool(pool[0].pbc.any())
    describe = SOAP(
        species=species,
        r_cut=soap.cutoff,
        n_max=soap.n_max,
        l_max=soap.l_max,
        sigma=soap.sigma,
        periodic=periodic,
    )
    return np.stack([describe.create(atoms).mean(axis=0) for atoms in pool])


def select(pool: Sequence[Atoms], count: int, soap: SoapSettings) -> list[Atoms]:
    """`count` structures, each as far as possible from the earlier ones; the pool's first is the first.

    Distances are those of `descriptors`. Raises BornflowError for a pool of fewer structures, or for one of
    periodic and isolated structures unless all are selected.
    """
    if count == len(pool):
        return list(pool)
    if len({frames.kind(atoms) for atoms in pool}) > 1:
        raise BornflowError(
            f"{count} of {len(pool)} structures are requested, but some are periodic and some isolated; give "
            "each kind a pool of its own, or select all"
        )
    if count > len(pool):
        raise BornflowError(
            f"{count} structures are requested, but the pool has only {len(pool)} (frames that dissociated "
            "or fell apart are left out); make it larger (structures.pools: starts, temperatures, steps / "
            "interval) or request fewer"
        )
    # The sampler omits at least one structure.
    sampler = FPS(n_to_select=min(count, len(pool) - 1), initialize=0)
    chosen = list(sampler.fit(descriptors(pool, soap)).selected_idx_)
    chosen += [index for index in range(len(pool)) if index not in chosen]
    return [pool[index] for index in chosen[:count]]


def _count_or_all(text: str) -> int | str:
    return ALL if text == ALL else cli.count(text)


@cli.command
def main() -> None:
    """Write the selected structures of a pool."""
    args = cli.parse(
        main,
        "config",
        "out",
        pool=cli.option("extxyz file of candidates"),
        count=cli.option("number of structures to select, or `all`", type=_count_or_all),
    )
    soap = SoapSettings(**config.load(args.config, "structures")["soap"])
    pool = frames.read_all([args.pool], allow_empty=True)
    if not pool:
        raise BornflowError(
            f"{args.pool} is empty: all frames were left out; the reasons are in the tables (csv) of its "
            "starts. Change the molecules, the sampler or the temperatures"
        )
    try:
        chosen = select(pool, len(pool) if args.count == ALL else args.count, soap)
    except BornflowError as error:
        raise BornflowError(f"{args.pool}: {error}") from error
    frames.write(args.out, chosen)


if __name__ == "__main__":
    main()
