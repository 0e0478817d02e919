"""The `physical` backbone: features from the density, and the Coulomb energy of learned charges."""

import math
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .features import (
    Backbone,
    EnergyInputs,
    Features,
    LongRangeEnergy,
    Potentials,
    species_pairs,
    split_degrees,
)
from .graph import Graph
from .products import apply_filters
from .types import Amplitudes, Invariants, PerAtom, Scalars, Spherical


class Physical(Backbone):
    """Features from the density, without message passing.

    With n_i = 1 + Σ_j f_c, s_z the embedding of a species, P_l matrices, and W, C and D linear maps:
      x_i = (1/n_i) Σ_{s,r} W[s_{z_i}, s_s]_r A[i, s, r, 00]
      B[i, k, lm] = Σ_{s,r} P_{l,sr,k} A[i, s, r, lm]
      f_i,lm = (1/n_i) (Σ_{s,r} C[s_s]_{r,l} A[i, s, r, lm] + Σ_k D[x_i]_{k,l} B[i, k, lm])
      x_i ← LayerNorm(x_i + Dense(p_i)),   p_i = `rotational_invariants` of f_i
    P_l contracts elements and radial functions to `contraction` combinations for each degree. In the paper
    (`contraction: 0`) B is the sum over elements, with k = r, and p_i,lc = |f_i,lc|² with solid harmonics.
    """

    energy_widths: ClassVar = (128,)
    charge_widths: ClassVar = (128,)

    @nn.compact
    def __call__(self, amplitudes: Amplitudes, graph: Graph) -> Features:
        """The features of every atom."""
        blocks = split_degrees(amplitudes, self.max_degree)
        # The radial functions of a pair add up to f_c, and Y_00 is 1.
        scale = 1 / (1 + jnp.sum(blocks[0], axis=(1, 2, 3)))
        embedding = self.species_embedding()
        scalars = scale[:, None] * self._scalars(blocks[0].reshape(len(scale), -1), embedding, graph)
        spherical = scale[:, None, None] * self._spherical(amplitudes, blocks, scalars, embedding)
        invariants = self.rotational_invariants(spherical)
        mixed = nn.Dense(self.features, name="power")(invariants.reshape(len(invariants), -1))
        return Features(nn.LayerNorm()(scalars + mixed), spherical)

    def published_invariants(self, blocks: list[Float[Array, "atoms _ channels"]]) -> Invariants:
        """|f|²."""
        return jnp.stack([jnp.sum(block**2, axis=1) for block in blocks], axis=1)

    def _scalars(
        self,
        amplitudes: Float[Array, "atoms species_and_radial"],
        embedding: Float[Array, "species width"],
        graph: Graph,
    ) -> Scalars:
        weights = nn.Dense(self.radial.number * self.features, name="filter_scalar")(species_pairs(embedding))
        weights = weights.reshape(self.n_species, -1, self.features)
        centre = jax.nn.one_hot(graph.species, self.n_species, dtype=amplitudes.dtype)
        return jnp.einsum("nz,nk,zkc->nc", centre, amplitudes, weights)

    def _spherical(
        self,
        amplitudes: Amplitudes,
        blocks: list[Float[Array, "atoms _ species radial"]],
        scalars: Scalars,
        embedding: Float[Array, "species width"],
    ) -> Spherical:
        shape = (self.max_degree + 1, self.channels)
        width = self.radial.number * math.prod(shape)
        contracted = self._contracted(amplitudes, blocks)
        centre_width = contracted.shape[-1] * math.prod(shape)
        centre_filters = nn.Dense(centre_width, use_bias=False, name="filter_centre")(scalars)
        by_centre = apply_filters(contracted, centre_filters.reshape(len(scalars), -1, *shape))
        species_filters = nn.Dense(width, name="filter_species")(embedding)
        species_filters = species_filters.reshape(self.n_species * self.radial.number, *shape)
        by_species = [
            jnp.einsum("nmk,ka->nma", block.reshape(*block.shape[:2], -1), species_filters[:, degree])
            for degree, block in enumerate(blocks)
        ]
        return by_centre + jnp.concatenate(by_species, axis=1)

    def _contracted(
        self, amplitudes: Amplitudes, blocks: list[Float[Array, "atoms _ species radial"]]
    ) -> Float[Array, "atoms lm combinations"]:
        """The combinations of elements and radial functions that filters of the centre act on."""
        if not self.contraction:
            return amplitudes.sum(axis=2)
        shape = (self.max_degree + 1, self.n_species * self.radial.number, self.contraction)
        # Orthonormal over all degrees together: for each degree columns have norms of about 1/√(degrees).
        matrices = self.param("contraction", nn.initializers.orthogonal(), shape)
        flat = [block.reshape(*block.shape[:2], -1) for block in blocks]
        return jnp.concatenate([flat[degree] @ matrices[degree] for degree in range(len(flat))], axis=1)


class CoulombEnergy(LongRangeEnergy):
    """½ q_i V_i (eq. 5): the energy of a classical charge in the potential."""

    def __call__(
        self, inputs: EnergyInputs, charges: PerAtom, potentials: Potentials, graph: Graph
    ) -> PerAtom:
        """½ q_i V_i [eV]."""
        return 0.5 * charges * potentials(charges)
