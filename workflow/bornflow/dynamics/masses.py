"""The atoms' masses of a run, which are its own: a start structure may hold isotopes such as deuterium."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from jaxtyping import Float, Int


def of_run(path: str | Path, series: Mapping[str, np.ndarray]) -> Float[np.ndarray, " atoms"]:
    """The masses [amu] of a run, from its datasets `masses` and `numbers`, which `read_run` has checked.

    A run that was made before masses were stored is taken to have the standard ones, and that is said on
    stderr.
    """
    numbers = series["numbers"]
    if "masses" not in series:
        print(
            f"{path} holds no masses: the elements' standard masses are assumed. If its start structure had "
            "others, make the run again",
            file=sys.stderr,
        )
        return standard(numbers)
    return np.asarray(series["masses"], float)


def standard(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """The standard atomic masses [amu] of elements."""
    return atomic_masses[numbers]


def carry(masses: Float[np.ndarray, " atoms"], atoms: Atoms) -> None:
    """Give `atoms` these masses [amu]; standard ones need no column in a file and are left out."""
    if not np.array_equal(masses, standard(atoms.numbers)):
        atoms.set_masses(masses)
