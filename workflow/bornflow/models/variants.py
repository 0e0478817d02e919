"""A model: the variant's parts put together, with forces and stress as exact gradients.

A variant is an entry of the configuration's `models`: which backbone describes the atoms and how
Born effective charges arise. Nothing here branches on a variant's name.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ase.data import atomic_numbers

from . import electrostatics, graph
from .graph import Graph, Shape
from .heads import GatedTensor, Scalar
from .physical import Physical

BACKBONES = {"physical": Physical}


class Network(nn.Module):
    """Energy [eV, without the baseline], charges [e] and Born effective charges [e] of one graph.

    E = Σ_i ε_i + ½ Σ_i q_i V_i (eq. 5); the Born effective charges of an uncoupled model come from
    a tensor head on the features.
    """

    variant: Mapping
    n_species: int

    @nn.compact
    def __call__(self, graph: Graph) -> dict[str, jax.Array]:
        options = self.variant
        vectors, distances = edges(graph)
        backbone = BACKBONES[options["backbone"]](
            n_species=self.n_species,
            cutoff=options["cutoff"],
            n_radial=options["radial"],
            max_degree=options["max_degree"],
            embedding=options["embedding"],
            features=options["features"],
            channels=options["channels"],
        )
        features = backbone(vectors, distances, graph)
        local = Scalar(name="energy")(features.scalars) * graph.atom_mask
        charges = Scalar(name="charge")(features.scalars) * graph.atom_mask
        potentials = electrostatics.potentials(
            charges, graph, distances, options["cutoff"], options["ewald_accuracy"]
        )
        bec = GatedTensor(self.n_species, options["tensor_channels"], name="bec")(features, graph)
        return {
            "energy": jnp.sum(local) + 0.5 * jnp.sum(charges * potentials),
            "charges": charges,
            "bec": bec * graph.atom_mask[:, None, None],
        }


def edges(graph: Graph) -> tuple[jax.Array, jax.Array]:
    """Vectors r_j + shift − r_i [Å] and distances [Å] of all neighbours; (0, 0, r_c-ish) for padding.

    Padding gets a vector of unit length, so that no derivative is singular.
    """
    vectors = (
        graph.positions[graph.neighbours]
        + jnp.einsum("njs,sc->njc", graph.shifts, graph.cell)
        - graph.positions[:, None]
    )
    padding = jnp.array([0.0, 0.0, 1.0], vectors.dtype)
    vectors = jnp.where(graph.pair_mask[..., None] > 0, vectors, padding)
    return vectors, jnp.sqrt(jnp.sum(vectors**2, axis=-1))


class Model:
    """A variant for given elements: building graphs on the host, evaluating them on the device."""

    def __init__(self, variant: Mapping, elements: Sequence[str]):
        self.variant = dict(variant)
        self.elements = tuple(elements)
        self.network = Network(nn.FrozenDict(self.variant), len(self.elements))
        self._species = np.full(120, -1)
        for index, element in enumerate(self.elements):
            self._species[atomic_numbers[element]] = index

    @property
    def cutoff(self) -> float:
        """Radius of the neighbour list [Å]."""
        return self.variant["cutoff"]

    def species(self, numbers: np.ndarray) -> np.ndarray:
        """Indices into `elements`; −1 for an element the model does not know."""
        return self._species[numbers]

    def graph(
        self,
        numbers: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray | None,
        shape: Shape | None = None,
        dtype=np.float32,
        skin: float = 0.0,
    ) -> Graph:
        """The padded graph of a structure; a `cell` of None means isolated.

        Neighbours are listed up to the cutoff plus `skin` [Å].
        """
        limit = electrostatics.k_max(self.cutoff, self.variant["ewald_accuracy"])
        return graph.build(self.species(numbers), positions, cell, self.cutoff + skin, limit, shape, dtype)

    def initialise(self, graph: Graph, seed: int):
        """Random parameters."""
        return self.network.init(jax.random.key(seed), graph)

    def evaluate(self, parameters, graph: Graph) -> dict[str, jax.Array]:
        """Everything the model says of one graph.

        energy [eV], charges [N] [e], bec [N, 3, 3] [e], forces [N, 3] [eV/Å] = −∂E/∂r, and
        virial [3, 3] [eV] = ∂E/∂strain (stress times volume).
        """

        def energy(positions, strain):
            deform = jnp.eye(3, dtype=positions.dtype) + strain
            moved = graph._replace(positions=positions @ deform, cell=graph.cell @ deform)
            out = self.network.apply(parameters, moved)
            return out["energy"], out

        strain = jnp.zeros((3, 3), graph.positions.dtype)
        gradient = jax.grad(energy, argnums=(0, 1), has_aux=True)
        (by_position, by_strain), out = gradient(graph.positions, strain)
        return out | {"forces": -by_position, "virial": 0.5 * (by_strain + by_strain.T)}

    @partial(jax.jit, static_argnums=0)
    def __call__(self, parameters, graph: Graph) -> dict[str, jax.Array]:
        """`evaluate`, compiled."""
        return self.evaluate(parameters, graph)

    @partial(jax.jit, static_argnums=0)
    def batch(self, parameters, graphs: Graph) -> dict[str, jax.Array]:
        """`evaluate` for a batch of graphs of one shape, compiled."""
        return jax.vmap(self.evaluate, in_axes=(None, 0))(parameters, graphs)
