"""The atoms' masses of a run, which are its own: a start structure may hold isotopes such as deuterium."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols
from jaxtyping import Float, Int

from ..errors import BornflowError


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


def same_atoms(paths: Sequence[Path], found: Sequence[Mapping]) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers [N] and masses [N] (amu) of runs; BornflowError where these are not the same."""
    numbers = found[0]["numbers"]
    masses = [of_run(path, series) for path, series in zip(paths, found, strict=True)]
    for path, series, other in zip(paths, found, masses, strict=True):
        if not np.array_equal(series["numbers"], numbers):
            raise BornflowError(f"{path} holds other atoms than {paths[0]}: give runs of one system")
        if not np.array_equal(other, masses[0]):
            atom = int(np.argmax(other != masses[0]))
            mass, expected = (f"{each[atom]:g} amu" for each in (other, masses[0]))
            raise BornflowError(
                f"{path}: atom {atom} ({chemical_symbols[numbers[atom]]}) has a mass of {mass}, "
                f"{paths[0]} has {expected}: give runs with the same isotopes"
            )
    return numbers, masses[0]


def standard(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """The standard atomic masses [amu] of elements."""
    return atomic_masses[numbers]


def carry(masses: Float[np.ndarray, " atoms"], atoms: Atoms) -> None:
    """Give `atoms` these masses [amu]; standard ones need no column in a file and are left out."""
    if not np.array_equal(masses, standard(atoms.numbers)):
        atoms.set_masses(masses)
