"""The `lorem` backbone (eq. 6): richer features from the density, and the potential as a descriptor.

The paper's form of LOREM: no message passing, scalar charges only.
"""

from typing import ClassVar

import e3x
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..units import COULOMB
from .features import (
    MLP,
    SMALL_NORM,
    Backbone,
    Features,
    LongRangeEnergy,
    Readout,
    row_degrees,
    species_pairs,
    split_degrees,
)
from .graph import Graph
from .types import Amplitudes, Invariants, PerAtom, Scalars, Spherical


class Lorem(Backbone):
    """Features from the density, without message passing.

    With W = MLP(s_{z_i}, s_s) the filter of a pair of species, u an update block, and D and C linear maps:
      x_i = u(0, Σ_{s,r} (D W)_r A[i, s, r, 00])
      f_i = product(Σ_{s,r} (C W)_{r,l} A[i, s, r, lm]),   x_i ← u(x_i, (2l+1)^¼ n_i)
      n_i = `rotational_invariants` of f_i
    The paper uses n_i,lc = |f_i,lc| and unit-normalised harmonics (`harmonics: unit`).
    """

    energy_widths: ClassVar = (128, 128)
    charge_widths: ClassVar = (256,)

    @nn.compact
    def __call__(self, amplitudes: Amplitudes, graph: Graph) -> Features:
        """The features of every atom."""
        flat = amplitudes.reshape(*amplitudes.shape[:2], -1)
        embedding = self.species_embedding()
        widths = (self.features, self.radial.number * self.features)
        filters = MLP(widths, name="filter")(species_pairs(embedding))
        # [centre, neighbour and radial function, features]
        filters = filters.reshape(self.n_species, self.n_species * self.radial.number, self.features)
        centre = jax.nn.one_hot(graph.species, self.n_species, dtype=amplitudes.dtype)
        weights = nn.Dense(self.features, use_bias=False, name="filter_scalar")(filters)
        sums = jnp.einsum("nz,nk,zkc->nc", centre, flat[:, 0], weights)
        scalars = Update(self.features)(jnp.zeros_like(sums), sums)
        spherical = self._spherical(flat, filters, centre)
        spherical = TensorProduct(self.max_degree, self.channels)(spherical)
        scale = (2 * np.arange(self.max_degree + 1) + 1) ** 0.25
        norms = jnp.asarray(scale, spherical.dtype)[:, None] * self.rotational_invariants(spherical)
        return Features(Update(self.features)(scalars, norms.reshape(len(norms), -1)), spherical)

    def published_invariants(self, powers: Invariants) -> Invariants:
        """|f|."""
        return jnp.sqrt(powers + SMALL_NORM**2)

    def _spherical(
        self,
        amplitudes: Float[Array, "atoms lm species_and_radial"],
        filters: Float[Array, "species species_and_radial features"],
        centre: Float[Array, "atoms species"],
    ) -> Spherical:
        width = (self.max_degree + 1) * self.channels
        weights = nn.Dense(width, use_bias=False, name="filter_spherical")(filters)
        weights = weights.reshape(*weights.shape[:2], self.max_degree + 1, self.channels)
        # The filters of all species are applied to every atom; the one-hot `centre` selects those of its own
        # species.
        blocks = [
            jnp.einsum("nmk,zka,nz->nma", block, weights[:, :, degree], centre)
            for degree, block in enumerate(split_degrees(amplitudes, self.max_degree))
        ]
        return jnp.concatenate(blocks, axis=1)


class Update(nn.Module):
    """u(x, y): x ← LayerNorm(x + MLP(y)), then x ← LayerNorm(x + MLP(x))."""

    features: int

    @nn.compact
    def __call__(self, x: Scalars, y: Float[Array, "atoms inputs"]) -> Scalars:
        """The updated features."""
        widths = (2 * self.features, self.features)
        x = nn.LayerNorm()(x + MLP(widths)(y))
        return nn.LayerNorm()(x + MLP(widths)(x))


class TensorProduct(nn.Module):
    """Products of two linear maps of the features, every degree with every degree, without pseudotensors.

        f_lm,c = Σ_{l1, l2} w[l1, l2, l]_c Σ_{m1, m2} ⟨l1 m1, l2 m2 | l m⟩ (U f)_{l1 m1, c} (V f)_{l2 m2, c}

    with l1 + l2 + l even. An even l results from two even or two odd degrees, an odd l from one of each. Each
    of these four cases is a product of all pairs with dense coefficients.
    """

    max_degree: int
    channels: int

    @nn.compact
    def __call__(self, spherical: Spherical) -> Spherical:
        """The products, with as many degrees and channels as the features."""
        left, right = (self._linear_maps(side, spherical) for side in ("left", "right"))
        n = self.max_degree + 1
        weights = self.param("weights", nn.initializers.normal(1 / n), (n, n, n, self.channels))
        degree = row_degrees(self.max_degree)
        coupling = np.array(
            e3x.so3.clebsch_gordan(self.max_degree, self.max_degree, self.max_degree, cartesian_order=True)
        )
        parity_rows = [np.flatnonzero(degree % 2 == parity) for parity in (0, 1)]

        def product(first: int, second: int, result: int) -> Float[Array, "channels atoms rows"]:
            rows = [parity_rows[parity] for parity in (first, second, result)]
            dense = jnp.asarray(coupling[np.ix_(*rows)], weights.dtype)
            paths = weights[np.ix_(*(degree[row] for row in rows))]
            # One side after the other, so that all derivatives are matrix products too.
            half = jnp.einsum("cna,cabk->cnbk", left[first], dense * jnp.moveaxis(paths, -1, 0))
            return jnp.einsum("cnb,cnbk->cnk", right[second], half)

        even = product(0, 0, 0) + product(1, 1, 0)
        odd = product(0, 1, 1) + product(1, 0, 1)
        blocks = []
        for d in range(n):
            start = sum(2 * other + 1 for other in range(d % 2, d, 2))
            blocks.append((odd if d % 2 else even)[..., start : start + 2 * d + 1])
        return jnp.moveaxis(jnp.concatenate(blocks, axis=-1), 0, -1)

    def _linear_maps(self, side: str, spherical: Spherical) -> list[Float[Array, "channels atoms _"]]:
        """A linear map of each degree, as [channels, atoms, lm]: the even degrees, then the odd ones."""
        mapped = [
            nn.Dense(self.channels, use_bias=False, name=f"{side}_{degree}")(block)
            for degree, block in enumerate(split_degrees(spherical, self.max_degree))
        ]
        # Channels first: the next operation is one matrix product per channel.
        return [jnp.moveaxis(jnp.concatenate(mapped[parity::2], axis=1), -1, 0) for parity in (0, 1)]


class PotentialEnergy(LongRangeEnergy):
    """ε(u(x_i, V_i)) (eq. 6): the potential, in e/Å, updates the features; a readout gives the energy."""

    @nn.compact
    def __call__(self, scalars: Scalars, charges: PerAtom, potentials: PerAtom, graph: Graph) -> PerAtom:
        """ε(u(x_i, V_i)) [eV]."""
        updated = Update(self.features)(scalars, potentials[:, None] / COULOMB)
        return Readout(Lorem.energy_widths)(updated, graph)
