"""The structures of a pool that a committee of models is least certain about.

    python -m bornflow.structures.uncertain --pool pool.extxyz --committee DIR0 DIR1 DIR2 --count 12 \\
        --out uncertain.extxyz

FACTOR times as many structures as requested are kept, of which `structures.select` selects different ones.

The disagreement of the models about a structure is

    u_F / ⟨u_F⟩ + u_Z / ⟨u_Z⟩

where u_F is the largest |σ_F| of its atoms, u_Z the largest |σ_Z| (of the matrix Z), σ the standard deviation
of the models' predictions (`inference.committee`), and ⟨⟩ the mean over the pool. Labels of such structures
improve a model most (query by committee, doi 10.1063/1.5023802).
"""

import logging
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from .. import cli, jax_setup
from ..errors import BornflowError
from ..identity import groups_of
from ..inference import CommitteeCalculator
from ..io import frames
from ..progress import Meter
from .candidates import read_pool

logger = logging.getLogger(__name__)

FACTOR = 4
UNCERTAINTIES = ("force_uncertainty", "bec_uncertainty")  # in `info`, eV/Å and e


def most_uncertain(pool: Sequence[Atoms], committee: CommitteeCalculator, count: int) -> list[Atoms]:
    """The `count` structures that the models disagree about most, in this order.

    The `info` of a structure has its UNCERTAINTIES. All structures are returned if there are fewer. Raises
    BornflowError for an element that the models do not know, and for a structure that they cannot evaluate.
    """
    structures, spreads = sorted(pool, key=len), []
    with Meter("uncertainties", len(pool), "structures") as meter:
        # Structures of one size follow each other, since a model is compiled for each size.
        for atoms in structures:
            try:
                forces = committee.get_property("forces_std", atoms)
                charges = committee.get_property("born_effective_charges_std", atoms)
            except BornflowError as error:
                raise BornflowError(f"{frames.name_and_origin(atoms)}: {error}") from error
            largest = np.linalg.norm(forces, axis=1).max(), np.linalg.norm(charges, axis=(1, 2)).max()
            spreads.append(largest)
            meter.advance()
    rated = np.array(spreads)
    scale = np.maximum(rated.mean(axis=0), np.finfo(float).tiny)  # models may agree exactly
    order = np.argsort(-(rated / scale).sum(axis=1), kind="stable")[:count]
    logger.info(
        "uncertainty, mean of the pool and of the %d structures chosen: forces %.3f and %.3f eV/Å, Born "
        "effective charges %.4f and %.4f e",
        len(order),
        *np.stack([rated.mean(axis=0), rated[order].mean(axis=0)], axis=1).ravel(),
    )
    return [_with_uncertainties(structures[index], rated[index]) for index in order]


def _with_uncertainties(atoms: Atoms, values: Float[np.ndarray, " 2"]) -> Atoms:
    new = frames.without_labels(atoms)
    new.info.update({key: round(float(value), 4) for key, value in zip(UNCERTAINTIES, values, strict=True)})
    return new


def without_groups_of(held_out: Sequence[str], pool: list[Atoms], path: str) -> list[Atoms]:
    """The structures of a pool that do not have the `group` of one in the files `held_out`.

    Raises BornflowError if none is left.
    """
    groups = groups_of(frames.read_all(held_out))
    kept = [atoms for atoms in pool if not groups_of([atoms]) & groups]
    if len(kept) < len(pool):
        logger.info(
            "%d of %d structures begin at a validation structure and are left out",
            len(pool) - len(kept),
            len(pool),
        )
    if not kept:
        raise BornflowError(
            f"{path}: all structures begin at a validation structure ({', '.join(held_out)}), so none may be "
            "trained on; give the pool more starts"
        )
    return kept


@cli.command
def main() -> None:
    """Write the structures of a pool that the models disagree about most."""
    args = cli.parse(
        main,
        "out",
        pool=cli.option("extxyz file of candidates"),
        committee=cli.options("folders of two or more trained models"),
        count=cli.option("number of structures that will be selected from them", type=cli.count),
        held_out=cli.options("extxyz files; structures with a `group` of theirs are left out", []),
    )
    jax_setup.configure()
    pool = without_groups_of(args.held_out, read_pool(args.pool), args.pool)
    committee = CommitteeCalculator.from_checkpoints(args.committee)
    chosen = most_uncertain(pool, committee, FACTOR * args.count)
    frames.write(args.out, chosen)


if __name__ == "__main__":
    main()
