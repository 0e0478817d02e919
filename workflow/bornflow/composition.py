"""The elements of a set of structures, and the number of atoms of each element in a structure."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from . import identity
from .errors import BornflowError


def elements(structures: Sequence[Atoms]) -> tuple[str, ...]:
    """Symbols of all elements in a set of structures, sorted by atomic number."""
    pairs = {(n, s) for atoms in structures for n, s in zip(atoms.numbers, atoms.symbols, strict=True)}
    return tuple(symbol for _, symbol in sorted(pairs))


def composition(atoms: Atoms, known: Sequence[str]) -> Float[np.ndarray, " elements"]:
    """Number of atoms of each element, in the order of the symbols `known`.

    Raises BornflowError for an element that is not among `known`.
    """
    symbols = atoms.get_chemical_symbols()
    unknown = sorted(set(symbols) - set(known))
    if unknown:
        raise BornflowError(
            f"structure {identity.name(atoms)} contains {', '.join(unknown)}; the model knows "
            f"{', '.join(known)} only: train it on structures with that element (a pretrained model knows "
            "only the elements of the files in training.pretraining; set it to [] to train on others)"
        )
    return np.array([symbols.count(element) for element in known], dtype=float)
