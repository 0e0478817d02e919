"""The features that a trained model describes a whole structure with."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Array, Float

from .. import jax_setup
from ..errors import BornflowError
from ..identity import name
from ..models.graph import Graph, edge_vectors
from ..models.pairs import pad
from . import checkpoint

ROOM = 8  # neighbours; arrays have a multiple of it, so that few shapes are compiled


def mean_features(directory: str, structures: Sequence[Atoms]) -> Iterator[Float[np.ndarray, "1 features"]]:
    """The scalar features x_i of the model in `directory`, averaged over the atoms of each structure.

    Raises BornflowError for a model that cannot be loaded or does not know an element.
    """
    jax_setup.configure()
    trained = checkpoint.load(directory)
    model, parameters = trained.model, jax.tree.map(jnp.asarray, trained.parameters)

    @jax.jit
    def mean(graph: Graph) -> Float[Array, " features"]:
        network = model.network
        amplitudes = network.apply(parameters, edge_vectors(graph), graph, method="expand")
        features: Any = network.apply(parameters, amplitudes, graph, method="describe")
        return jnp.sum(features.scalars * graph.atom_mask[:, None], axis=0) / jnp.sum(graph.atom_mask)

    for atoms in structures:
        if unknown := sorted(set(atoms.get_chemical_symbols()) - set(model.elements)):
            raise BornflowError(
                f"{name(atoms)} contains {', '.join(unknown)}, which the model in {directory} does not know "
                f"({', '.join(model.elements)}); use another descriptor"
            )
        cell = atoms.cell.array if atoms.pbc.any() else None
        pairs = model.pairs(atoms.numbers, atoms.positions, cell)
        blocks = tuple(-(-size // ROOM) * ROOM for size in pairs.shape.blocks)
        yield np.asarray(mean(pad(pairs, pairs.shape._replace(blocks=blocks))))[None]
