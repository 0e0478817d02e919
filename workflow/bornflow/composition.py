"""The elements of structures, and how many atoms of each they hold."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from . import identity
from .errors import BornflowError


def elements(structures: Sequence[Atoms]) -> tuple[str, ...]:
    """The elements of a set, sorted by atomic number."""
    found = {(n, s) for a in structures for n, s in zip(a.numbers, a.symbols, strict=True)}
    return tuple(symbol for _, symbol in sorted(found))


def composition(atoms: Atoms, known: Sequence[str]) -> Float[np.ndarray, " elements"]:
    """Atoms of each element in `known`; BornflowError for an element that is not known."""
    symbols = atoms.get_chemical_symbols()
    unknown = sorted(set(symbols) - set(known))
    if unknown:
        raise BornflowError(
            f"structure {identity.name(atoms)} holds {', '.join(unknown)}; the model knows "
            f"{', '.join(known)} only: train it on structures with that element (a model that is pretrained "
            "knows the elements of training.pretraining; set that to [] for others)"
        )
    return np.array([symbols.count(element) for element in known], dtype=float)
