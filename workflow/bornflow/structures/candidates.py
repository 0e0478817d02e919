"""A pool of candidate structures from files; `sample` makes pools by sampling."""

import logging
from collections.abc import Sequence

from ase import Atoms

from .. import constraints
from ..io import frames

logger = logging.getLogger(__name__)


def read_candidates(paths: Sequence[str], relax: bool) -> list[Atoms]:
    """The frames of extxyz files without labels and constraints.

    Raises BornflowError for a frame with constraints if the pool will be relaxed (`relax`), since then all
    atoms move. Otherwise its constraints are removed with a warning.
    """
    return [_candidate(atoms, relax) for atoms in frames.read_all(paths)]


def _candidate(atoms: Atoms, relax: bool) -> Atoms:
    if relax:
        constraints.reject(atoms, frames.name(atoms), "the relaxation of the pool")
    elif atoms.constraints:
        logger.warning("%s: constraints are left out, since labels do not move atoms", frames.name(atoms))
    return frames.without_labels(atoms)
