"""One vector for each structure: the mean over its atoms of SOAP or of a trained model's features."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP
from jaxtyping import Array, Float

from .. import jax_setup
from ..errors import BornflowError
from ..identity import name
from ..inference import checkpoint
from ..inference.checkpoint import Checkpoint
from ..models.graph import Graph, edge_vectors
from ..models.pairs import pad
from ..progress import Meter
from .settings import SelectionSettings, SoapSettings

BATCH = 256  # structures described at a time, so that features of single atoms never fill the memory

Vectors = Float[np.ndarray, "structures features"]


def describe(structures: Sequence[Atoms], settings: SelectionSettings, threads: int = 1) -> Vectors:
    """The vectors of `structures`, by the setting `structures.selection.descriptor`.

    Raises BornflowError for a model that cannot be loaded or does not know an element.
    """
    if isinstance(settings.descriptor, str):
        batches = _soap(structures, settings.soap, threads)
    else:
        batches = _model(structures, checkpoint.load(settings.descriptor["model"]))
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


def _model(structures: Sequence[Atoms], trained: Checkpoint) -> Iterator[np.ndarray]:
    """The scalar features x_i of a model, averaged over atoms."""
    jax_setup.configure()
    model = trained.model

    @jax.jit
    def mean_features(graph: Graph) -> Float[Array, " features"]:
        network, parameters = model.network, trained.parameters
        amplitudes = network.apply(parameters, edge_vectors(graph), graph, method="expand")
        features: Any = network.apply(parameters, amplitudes, graph, method="describe")
        scalars = features.scalars
        return jnp.sum(scalars * graph.atom_mask[:, None], axis=0) / jnp.sum(graph.atom_mask)

    for atoms in structures:
        if unknown := sorted(set(atoms.get_chemical_symbols()) - set(model.elements)):
            raise BornflowError(
                f"{name(atoms)} contains {', '.join(unknown)}, which the model of "
                f"structures.selection.descriptor does not know ({', '.join(model.elements)}); use soap"
            )
        cell = atoms.cell.array if atoms.pbc.any() else None
        pairs = model.pairs(atoms.numbers, atoms.positions, cell)
        # Room in steps of 8 neighbours, so that few shapes are compiled.
        blocks = tuple(-(-size // 8) * 8 for size in pairs.shape.blocks)
        graph = pad(pairs, pairs.shape._replace(blocks=blocks))
        yield np.asarray(mean_features(graph))[None]
