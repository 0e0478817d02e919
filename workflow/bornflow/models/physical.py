"""The `physical` descriptor: scalars and spherical features of each atom from its density."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import density
from .graph import Graph


class Features(NamedTuple):
    """Invariant and equivariant features of each atom; the latter in e3x's order of (l, m)."""

    scalars: Float[Array, "atoms features"]
    spherical: Float[Array, "atoms lm channels"]


class Physical(nn.Module):
    """Density → features, without message passing.

    With n_i = 1 + Σ_j f_c, s_z the embedding of a species and W, C linear maps:
      x_i = (1/n_i) Σ_{s,r} W[s_{z_i}, s_s]_r A[i, s, r, 00]
      f_i,lm = (1/n_i) Σ_{s,r} C[x_i, s_s]_{r,l} A[i, s, r, lm]
      p_i,l = Σ_m f_i,lm²,   x_i ← LayerNorm(x_i + Dense(p_i))
    """

    n_species: int
    cutoff: float
    n_radial: int
    max_degree: int
    embedding: int
    features: int
    channels: int

    @nn.compact
    def __call__(
        self,
        vectors: Float[Array, "atoms max 3"],
        distances: Float[Array, "atoms max"],
        graph: Graph,
    ) -> Features:
        amplitudes, neighbours = density.expand(
            vectors,
            distances,
            graph,
            self.n_species,
            self.cutoff,
            self.n_radial,
            self.max_degree,
        )
        amplitudes = amplitudes / (1 + neighbours)[:, None, None]
        embedding = self.param("embedding", nn.initializers.normal(1.0), (self.n_species, self.embedding))
        scalars = self._scalars(amplitudes[..., 0], embedding, graph)
        spherical = self._spherical(amplitudes, scalars, embedding)
        power = jnp.stack(
            [jnp.sum(block**2, axis=1) for block in degrees(spherical, self.max_degree)], axis=1
        )
        mixed = nn.Dense(self.features, name="power")(power.reshape(len(power), -1))
        return Features(nn.LayerNorm()(scalars + mixed), spherical)

    def _scalars(self, amplitudes, embedding, graph: Graph):
        pairs = jnp.concatenate(
            [
                jnp.repeat(embedding[:, None], self.n_species, axis=1),
                jnp.repeat(embedding[None], self.n_species, axis=0),
            ],
            axis=-1,
        )
        weights = nn.Dense(self.n_radial * self.features, name="filter_scalar")(pairs)
        weights = weights.reshape(self.n_species, -1, self.features)
        centre = jax.nn.one_hot(graph.species, self.n_species, dtype=amplitudes.dtype)
        return jnp.einsum("nz,nk,zkc->nc", centre, amplitudes, weights)

    def _spherical(self, amplitudes, scalars, embedding):
        width = self.n_radial * (self.max_degree + 1) * self.channels
        shape = (self.n_radial, self.max_degree + 1, self.channels)
        of_centre = nn.Dense(width, use_bias=False, name="filter_centre")(scalars)
        of_species = nn.Dense(width, name="filter_species")(embedding).reshape(-1, *shape)
        of_centre = of_centre.reshape(-1, *shape)
        by_species = amplitudes.reshape(len(amplitudes), self.n_species, self.n_radial, amplitudes.shape[-1])
        total = by_species.sum(axis=1)
        flat = of_species.reshape(self.n_species * self.n_radial, *shape[1:])
        blocks = []
        for degree in range(self.max_degree + 1):
            m = slice(degree**2, (degree + 1) ** 2)
            blocks.append(
                jnp.einsum("nrm,nra->nma", total[..., m], of_centre[:, :, degree])
                + jnp.einsum("nkm,ka->nma", amplitudes[..., m], flat[:, degree])
            )
        return jnp.concatenate(blocks, axis=1)


def degrees(spherical: Float[Array, "atoms lm channels"], max_degree: int) -> list[Array]:
    """The blocks [atoms, 2 l + 1, channels] of spherical features, l = 0 … max_degree."""
    return [spherical[:, n**2 : (n + 1) ** 2] for n in range(max_degree + 1)]
