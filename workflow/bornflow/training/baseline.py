"""Averages over a labelled set, the start of training: energy and charge of each element."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..composition import composition
from ..io import frames


def energy_baseline(
    structures: Sequence[Atoms],
    known: Sequence[str],
    default: Float[np.ndarray, " elements"] | None = None,
) -> Float[np.ndarray, " elements"]:
    """Energy [eV] of each element in `known`, fitted by least squares to the labelled energies.

    The solution of minimum norm is used. It is unique even if all compositions are proportional, as in water.
    If no structure has an energy, the baseline is `default`, or zero.
    """
    labelled = [atoms for atoms in structures if frames.label(atoms, "energy") is not None]
    if not labelled:
        return np.zeros(len(known)) if default is None else default
    counts = np.stack([composition(atoms, known) for atoms in labelled])
    energies = np.array([frames.label(atoms, "energy") for atoms in labelled])
    return np.linalg.lstsq(counts, energies, rcond=None)[0]


def mean_charges(structures: Sequence[Atoms], known: Sequence[str]) -> Float[np.ndarray, " elements"]:
    """Mean of tr Z_i / 3 [e] for each element; zero where no Born effective charge is labelled."""
    sums, counts = np.zeros(len(known)), np.zeros(len(known))
    for atoms in structures:
        bec = frames.label(atoms, "bec")
        if bec is not None:
            species = [known.index(symbol) for symbol in atoms.get_chemical_symbols()]
            np.add.at(sums, species, np.trace(bec, axis1=1, axis2=2) / 3)
            np.add.at(counts, species, 1)
    return sums / np.maximum(counts, 1)
