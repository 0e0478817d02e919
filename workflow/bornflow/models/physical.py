"""The `physical` backbone: features from the density, and the Coulomb energy of learned charges."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .features import Amplitudes, Backbone, Features, degrees, species_pairs
from .graph import Graph
from .products import filtered


class Physical(Backbone):
    """Density → features, without message passing.

    With n_i = 1 + Σ_j f_c, s_z the embedding of a species, W and C linear maps (and the paper's solid
    harmonics where `harmonics` is "solid"):
      x_i = (1/n_i) Σ_{s,r} W[s_{z_i}, s_s]_r A[i, s, r, 00]
      f_i,lm = (1/n_i) Σ_{s,r} C[x_i, s_s]_{r,l} A[i, s, r, lm]
      p_i,lc = |f_i,lc|² / √⟨|f_i,lc'|²⟩_c' (the paper's: |f_i,lc|²),   x_i ← LayerNorm(x_i + Dense(p_i))
    """

    energy_widths: ClassVar = (128,)
    charge_widths: ClassVar = (128,)

    @nn.compact
    def __call__(self, amplitudes: Amplitudes, graph: Graph) -> Features:
        blocks = degrees(amplitudes, self.max_degree)
        # The radial functions of a pair add up to f_c, and Y_00 is 1.
        scale = 1 / (1 + jnp.sum(blocks[0], axis=(1, 2, 3)))
        embedding = self.species_embedding()
        scalars = scale[:, None] * self._scalars(blocks[0].reshape(len(scale), -1), embedding, graph)
        spherical = scale[:, None, None] * self._spherical(amplitudes, blocks, scalars, embedding)
        powers = self.invariants_of(spherical)
        mixed = nn.Dense(self.features, name="power")(powers.reshape(len(powers), -1))
        return Features(nn.LayerNorm()(scalars + mixed), spherical)

    def published(self, powers):
        """|f|²."""
        return powers

    def _scalars(self, amplitudes, embedding, graph: Graph):
        weights = nn.Dense(self.radial.number * self.features, name="filter_scalar")(species_pairs(embedding))
        weights = weights.reshape(self.n_species, -1, self.features)
        centre = jax.nn.one_hot(graph.species, self.n_species, dtype=amplitudes.dtype)
        return jnp.einsum("nz,nk,zkc->nc", centre, amplitudes, weights)

    def _spherical(self, amplitudes, blocks, scalars, embedding):
        width = self.radial.number * (self.max_degree + 1) * self.channels
        shape = (self.radial.number, self.max_degree + 1, self.channels)
        of_centre = nn.Dense(width, use_bias=False, name="filter_centre")(scalars)
        of_species = nn.Dense(width, name="filter_species")(embedding).reshape(-1, *shape)
        of_species = of_species.reshape(self.n_species * self.radial.number, *shape[1:])
        own = filtered(amplitudes.sum(axis=2), of_centre.reshape(-1, *shape))
        filtered_blocks = [
            jnp.einsum("nmk,ka->nma", block.reshape(*block.shape[:2], -1), of_species[:, degree])
            for degree, block in enumerate(blocks)
        ]
        return own + jnp.concatenate(filtered_blocks, axis=1)


class CoulombEnergy(nn.Module):
    """½ q_i V_i (eq. 5): the potential is that of a classical charge."""

    features: int

    def __call__(
        self,
        scalars: Float[Array, "atoms features"],
        charges: Float[Array, " atoms"],
        potentials: Float[Array, " atoms"],
        graph: Graph,
    ) -> Float[Array, " atoms"]:
        return 0.5 * charges * potentials
