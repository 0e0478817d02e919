"""The `lorem` backbone (eq. 6): richer features from the density, and the potential as a descriptor.

LOREM without message passing. The paper has scalar charges only, its published models also tensor charges
(`charge_degree`).
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..units import COULOMB
from .coupling import Coupling, TensorProduct, norms, scaled
from .features import (
    MLP,
    Backbone,
    EnergyInputs,
    Features,
    LongRangeEnergy,
    Potentials,
    Readout,
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
        spherical = TensorProduct(self.max_degree, self.channels, self.max_degree)(spherical)
        invariants = scaled(self.rotational_invariants(spherical))
        return Features(Update(self.features)(scalars, invariants), spherical)

    def published_invariants(self, blocks: list[Float[Array, "atoms _ channels"]]) -> Invariants:
        """|f|."""
        return norms(blocks)

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


class PotentialEnergy(LongRangeEnergy):
    """ε(u(x_i, V_i)) (eq. 6): potentials, in e/Å, update the features; a readout gives the energy.

    With a `charge_degree` L there are further charges t_lm, l ≤ L, a TensorProduct of f_i with itself, as in
    the published models (in the paper there are none). Their potentials V_lm enter through norms n_i, as f_i
    does in `Lorem`, of the products of C V_lm and f_i: ε(u(x_i, (V_i, (2l+1)^¼ n_i))).
    """

    @property
    def uses_spherical(self) -> bool:
        """Whether there are tensor charges."""
        return self.charge_degree != "scalar"

    @nn.compact
    def __call__(
        self, inputs: EnergyInputs, charges: PerAtom, potentials: Potentials, graph: Graph
    ) -> PerAtom:
        """ε(u(x_i, V_i)) [eV]."""
        if inputs.spherical is None:
            descriptors = potentials(charges)[:, None] / COULOMB
        else:
            descriptors = self._descriptors(inputs.spherical, charges, potentials)
        updated = Update(self.features)(inputs.scalars, descriptors)
        return Readout(Lorem.energy_widths)(updated, graph)

    def _descriptors(
        self, spherical: Spherical, charges: PerAtom, potentials: Potentials
    ) -> Float[Array, "atoms descriptors"]:
        """V_i and the invariants of the potentials of tensor charges."""
        degree = int(self.charge_degree)
        tensors = TensorProduct(self.max_degree, 1, degree, name="tensor_charges")(spherical)
        every = jnp.concatenate([charges[:, None], tensors[..., 0]], axis=1)
        found = jax.vmap(potentials, in_axes=1, out_axes=1)(every) / COULOMB
        mapped = [
            nn.Dense(self.channels, use_bias=False, name=f"tensor_potential_{number}")(block)
            for number, block in enumerate(split_degrees(found[:, 1:, None], degree))
        ]
        coupling = Coupling(degree, self.max_degree, self.channels, name="coupling")
        products = coupling(mapped, split_degrees(spherical, self.max_degree))
        invariants = scaled(norms(split_degrees(products, self.max_degree)))
        return jnp.concatenate([found[:, :1], invariants], axis=1)
