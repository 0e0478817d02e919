"""Masses of a run's atoms, which may be those of isotopes such as deuterium in its start structure."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols
from jaxtyping import Float, Int

from ..errors import BornflowError

logger = logging.getLogger(__name__)


def from_series(path: str | Path, series: Mapping[str, np.ndarray]) -> Float[np.ndarray, " atoms"]:
    """The masses [amu] of a run from its datasets `masses` and `numbers`, checked by `read_run`.

    Runs of earlier versions do not contain masses. They get the standard ones, with a warning.
    """
    if "masses" not in series:
        logger.warning(
            "%s contains no masses: the elements' standard masses are assumed. If its start structure had "
            "others, make the run again",
            path,
        )
        return standard(series["numbers"])
    return np.asarray(series["masses"], float)


def common_atoms(
    paths: Sequence[Path], runs: Sequence[Mapping[str, np.ndarray]]
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, " atoms"]]:
    """The common atomic numbers and masses [amu] of `runs`; BornflowError if they differ."""
    numbers = runs[0]["numbers"]
    masses = [from_series(path, series) for path, series in zip(paths, runs, strict=True)]
    for path, series, other in zip(paths, runs, masses, strict=True):
        if not np.array_equal(series["numbers"], numbers):
            raise BornflowError(f"{path} has different atoms from {paths[0]}: give runs of one system")
        if not np.array_equal(other, masses[0]):
            atom = int(np.argmax(other != masses[0]))
            raise BornflowError(
                f"{path}: atom {atom} ({chemical_symbols[numbers[atom]]}) has a mass of {other[atom]:g} amu, "
                f"{paths[0]} has {masses[0][atom]:g} amu: give runs with the same isotopes"
            )
    return numbers, masses[0]


def standard(numbers: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """The standard atomic masses [amu] of elements."""
    return atomic_masses[numbers]


def assign(masses: Float[np.ndarray, " atoms"], atoms: Atoms) -> None:
    """Give `atoms` these masses [amu]; standard ones are left out, so that files need no column for them."""
    if not np.array_equal(masses, standard(atoms.numbers)):
        atoms.set_masses(masses)
