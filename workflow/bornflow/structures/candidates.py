"""A pool of candidate structures from files; `sample` makes pools by sampling."""

import logging
from collections.abc import Sequence

from ase import Atoms

from .. import constraints
from ..errors import BornflowError
from ..io import frames

NOTHING_LEFT = (
    "all frames were left out; the reasons are in the tables (csv) of its starts. Change the molecules, the "
    "sampler or the temperatures; a model that samples may need more labels or a longer training"
)

logger = logging.getLogger(__name__)


def read_candidates(paths: Sequence[str], relax: bool) -> list[Atoms]:
    """The frames of extxyz files without labels and constraints.

    Raises BornflowError for a frame with constraints if the pool will be relaxed (`relax`), since then all
    atoms move. Otherwise its constraints are removed with a warning.
    """
    return [_candidate(atoms, relax) for atoms in frames.read_all(paths)]


def read_pool(path: str) -> list[Atoms]:
    """The candidates of a pool. Raises BornflowError, with where the reasons are, if there are none."""
    structures = frames.read_all([path], allow_empty=True)
    if not structures:
        raise BornflowError(f"{path} is empty: {NOTHING_LEFT}")
    return structures


def _candidate(atoms: Atoms, relax: bool) -> Atoms:
    if relax:
        constraints.reject(atoms, frames.name(atoms), "the relaxation of the pool")
    elif atoms.constraints:
        logger.warning("%s: constraints are left out, since labels do not move atoms", frames.name(atoms))
    return frames.without_labels(atoms)
