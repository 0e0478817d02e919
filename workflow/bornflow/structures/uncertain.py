"""The structures of a pool that a committee of models is least certain about.

    python -m bornflow.structures.uncertain --pool pool.extxyz --committee DIR0 DIR1 DIR2 --count 12 \\
        --out uncertain.extxyz

FACTOR times as many structures as requested are kept, of which `structures.select` selects different ones.

The uncertainty of a structure is the largest |σ_F| of its atoms, with σ_F the standard deviation of the
models' forces (`inference.committee`). Labels of uncertain structures improve a model most (query by
committee, doi 10.1063/1.5023802).
"""

import logging
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from .. import cli, jax_setup
from ..errors import BornflowError
from ..inference import CommitteeCalculator
from ..io import frames
from ..progress import Meter

logger = logging.getLogger(__name__)

FACTOR = 4
UNCERTAINTY = "force_uncertainty"  # in `info`, eV/Å


def most_uncertain(pool: Sequence[Atoms], committee: CommitteeCalculator, count: int) -> list[Atoms]:
    """The `count` structures with the largest uncertainty of the forces, the most uncertain first.

    The `info` of a structure has its uncertainty. All structures are returned if there are fewer. Raises
    BornflowError for an element that the models do not know, and for a structure that they cannot evaluate.
    """
    rated = []
    with Meter("uncertainties", len(pool), "structures") as meter:
        # Structures of one size follow each other, since a model is compiled for each size.
        for atoms in sorted(pool, key=len):
            try:
                spread = committee.get_property("forces_std", atoms)
            except BornflowError as error:
                raise BornflowError(f"{frames.name_and_origin(atoms)}: {error}") from error
            rated.append((float(np.linalg.norm(spread, axis=1).max()), atoms))
            meter.advance()
    chosen = sorted(rated, key=lambda entry: -entry[0])[:count]
    logger.info(
        "uncertainty of forces: %.3f to %.3f eV/Å in the pool, from %.3f eV/Å in the %d structures chosen",
        min(value for value, _ in rated),
        chosen[0][0],
        chosen[-1][0],
        len(chosen),
    )
    return [_with_uncertainty(atoms, value) for value, atoms in chosen]


def _with_uncertainty(atoms: Atoms, value: float) -> Atoms:
    new = frames.without_labels(atoms)
    new.info[UNCERTAINTY] = round(value, 4)
    return new


@cli.command
def main() -> None:
    """Write the structures of a pool that the models disagree about most."""
    args = cli.parse(
        main,
        "out",
        pool=cli.option("extxyz file of candidates"),
        committee=cli.options("folders of two or more trained models"),
        count=cli.option("number of structures that will be selected from them", type=cli.count),
    )
    jax_setup.configure()
    committee = CommitteeCalculator.from_checkpoints(args.committee)
    chosen = most_uncertain(frames.read(args.pool), committee, FACTOR * args.count)
    frames.write(args.out, chosen)


if __name__ == "__main__":
    main()
