"""The atoms' masses of a run, which are its own: a start structure may hold isotopes such as deuterium."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from jaxtyping import Float, Int

from ..errors import BornflowError

UNIT = "amu"


def of_run(path: str | Path, series: Mapping[str, np.ndarray]) -> Float[np.ndarray, " atoms"]:
    """The masses [amu] of a run, from its datasets `masses` and `numbers`.

    A run that was made before masses were stored is taken to have the standard ones, and that is said on
    stderr. Raises BornflowError for masses that are not one positive number for each atom.
    """
    numbers = series["numbers"]
    if "masses" not in series:
        print(
            f"{path} holds no masses: the elements' standard masses are assumed. If its start structure had "
            "others, make the run again",
            file=sys.stderr,
        )
        return standard(numbers)
    masses = np.asarray(series["masses"], float)
    if masses.shape != numbers.shape or not (np.isfinite(masses) & (masses > 0)).all():
        raise BornflowError(
            f"{path}: `masses` is not one positive number [{UNIT}] for each of {len(numbers)} atoms; make "
            "the run again"
        )
    return masses


def standard(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """The standard atomic masses [amu] of elements."""
    return atomic_masses[numbers]


def carry(masses: Float[np.ndarray, " atoms"], atoms: Atoms) -> None:
    """Give `atoms` these masses [amu]; standard ones need no column in a file and are left out."""
    if not np.array_equal(masses, standard(atoms.numbers)):
        atoms.set_masses(masses)
