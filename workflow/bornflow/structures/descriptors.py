"""One vector for each structure: the mean over its atoms of SOAP or of a model's features."""

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP
from jaxtyping import Float

from ..progress import Meter
from . import pet_mad
from .settings import SelectionSettings, SoapSettings

BATCH = 256  # structures described at a time, so that features of single atoms never fill the memory

Vectors = Float[np.ndarray, "structures features"]


def describe(structures: Sequence[Atoms], settings: SelectionSettings, threads: int = 1) -> Vectors:
    """The vectors of `structures`, by the setting `structures.selection.descriptor`.

    Raises BornflowError for a model that cannot be loaded or does not know an element, and for PET-MAD
    without its package or its weights.
    """
    if settings.descriptor == "soap":
        batches = _soap(structures, settings.soap, threads)
    elif isinstance(settings.descriptor, str):
        batches = pet_mad.mean_features(structures)
    else:
        from ..inference.features import mean_features  # takes a second, which SOAP does not need

        batches = mean_features(settings.descriptor["model"], structures)
    rows = []
    with Meter("descriptors", len(structures), "structures") as meter:
        for vectors in batches:
            rows.append(np.asarray(vectors, np.float32))
            meter.advance(len(vectors))
    return np.concatenate(rows)


def _soap(structures: Sequence[Atoms], soap: SoapSettings, threads: int) -> Iterator[np.ndarray]:
    """SOAP power spectra (Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115 (2013)), averaged over atoms."""
    calculator = SOAP(
        species=sorted({symbol for atoms in structures for symbol in atoms.get_chemical_symbols()}),
        r_cut=soap.cutoff,
        n_max=soap.n_max,
        l_max=soap.l_max,
        sigma=soap.sigma,
        periodic=bool(structures[0].pbc.any()),
        average="outer",
        dtype="float32",
    )
    for first in range(0, len(structures), BATCH):
        vectors = calculator.create(list(structures[first : first + BATCH]), n_jobs=threads)
        yield np.atleast_2d(vectors)
