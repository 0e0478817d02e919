"""Features of each atom, the base class of backbones, and the small networks that several modules share."""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from . import density
from .basis import RadialBasis
from .graph import Graph, lengths
from .types import Amplitudes, Invariants, PerAtom, Scalars, Spherical, Vectors

Potentials = Callable[[PerAtom], PerAtom]

SMALL_NORM = 1e-2  # norms are smoothed below this value, where their derivative would be singular


class Features(NamedTuple):
    """Invariant and equivariant features of each atom; the latter in e3x's order of (l, m)."""

    scalars: Scalars
    spherical: Spherical


class EnergyInputs(NamedTuple):
    """The features that the energy depends on; `spherical` is None if it depends on the scalars only."""

    scalars: Scalars
    spherical: Spherical | None


class Backbone(nn.Module):
    """The sizes that every backbone has, and the density that it starts from.

    A subclass computes features from the amplitudes of the density (`__call__`), and sets the widths of the
    readouts of energy and charge.
    """

    n_species: int
    radial: RadialBasis
    contraction: int  # combinations of radial functions in an atom's own filters (`physical`); 0: all of them
    harmonics: str  # "unit": Y_lm of directions; "solid": of vectors in units of the cutoff
    invariants: str  # see `rotational_invariants`
    max_degree: int
    embedding: int
    features: int
    channels: int

    energy_widths: ClassVar[tuple[int, ...]]
    charge_widths: ClassVar[tuple[int, ...]]

    def expand(self, vectors: Vectors, graph: Graph) -> Amplitudes:
        """The density around every atom, see `density.expand`; it has no parameters."""
        distances = lengths(vectors)
        arguments = vectors / (distances if self.harmonics == "unit" else self.radial.cutoff)
        return density.expand(arguments, distances, graph, self.radial, self.max_degree)

    def __call__(self, amplitudes: Amplitudes, graph: Graph) -> Features:
        """The features of every atom."""
        raise NotImplementedError

    def rotational_invariants(self, spherical: Spherical) -> Invariants:
        """Invariants of each degree l from products of channels, by the setting `invariants`.

        - relative: |f_lc|² / √(⟨|f_lc'|²⟩_c' + SMALL_NORM²), the mean taken over channels. It is of the size
          of |f_lc|. Unlike |f_lc| it has a continuous derivative where a channel vanishes.
        - pairs: Σ_m f_lmc f_lmc' over the same root, for all pairs c ≤ c' of channels.
        - published: `published_invariants`.
        """
        blocks = split_degrees(spherical, self.max_degree)
        if self.invariants == "published":
            return self.published_invariants(blocks)
        powers = jnp.stack([jnp.sum(block**2, axis=1) for block in blocks], axis=1)
        if self.invariants == "pairs":
            rows, columns = np.triu_indices(self.channels)
            products = [jnp.einsum("nma,nmb->nab", block, block)[:, rows, columns] for block in blocks]
            scale = jnp.sqrt(jnp.mean(powers, axis=2, keepdims=True) + SMALL_NORM**2)
            return jnp.stack(products, axis=1) / scale
        return powers / jnp.sqrt(jnp.mean(powers, axis=2, keepdims=True) + SMALL_NORM**2)

    def published_invariants(self, blocks: list[Float[Array, "atoms _ channels"]]) -> Invariants:
        """The invariants of the paper's models, from the blocks of all degrees."""
        raise NotImplementedError

    def species_embedding(self) -> Float[Array, "species width"]:
        """The learned vector of each species."""
        return self.param("embedding", nn.initializers.normal(1.0), (self.n_species, self.embedding))


class LongRangeEnergy(nn.Module):
    """The long-range energy [eV] of each atom, from features, charges [e] and their potentials [V].

    `potentials` maps charges to the potential at every atom; it is linear. Only an energy with
    `uses_spherical` is given spherical features, since their derivatives take time.
    """

    features: int
    channels: int
    max_degree: int
    charge_degree: str | int  # of tensor charges: "scalar" (none), 0, 1 or 2

    @property
    def uses_spherical(self) -> bool:
        """Whether the energy depends on spherical features."""
        return False

    def __call__(
        self, inputs: EnergyInputs, charges: PerAtom, potentials: Potentials, graph: Graph
    ) -> PerAtom:
        """One energy per atom, zero for padding."""
        raise NotImplementedError


class MLP(nn.Module):
    """Dense layers of the given widths with SiLU between them."""

    widths: Sequence[int]

    @nn.compact
    def __call__(self, x: Float[Array, "*rest inputs"]) -> Float[Array, "*rest outputs"]:
        """The output of the last layer, which has no activation."""
        for width in self.widths[:-1]:
            x = jax.nn.silu(nn.Dense(width)(x))
        return nn.Dense(self.widths[-1])(x)


class Readout(nn.Module):
    """One number per atom: dense layers of the given widths with SiLU, then one output."""

    widths: Sequence[int]
    offset: float = 0.0  # the value before training
    n_species: int = 0  # if given, a mean for each species is added, zero at first

    @nn.compact
    def __call__(self, scalars: Scalars, graph: Graph) -> PerAtom:
        """The readout of every atom, zero for padding."""
        mean: jax.Array | float = 0.0
        if self.n_species:
            mean = self.param("mean", nn.initializers.zeros, (self.n_species,))[graph.species]
        for width in self.widths:
            scalars = jax.nn.silu(nn.Dense(width)(scalars))
        # Small initial weights: sums over many atoms and their Coulomb energy start near zero.
        small = nn.initializers.variance_scaling(0.01, "fan_in", "truncated_normal")
        bias = nn.initializers.constant(self.offset)
        return (mean + nn.Dense(1, kernel_init=small, bias_init=bias)(scalars)[:, 0]) * graph.atom_mask


def species_pairs(embedding: Float[Array, "species width"]) -> Float[Array, "species species twice_width"]:
    """The embeddings of centre and neighbour, concatenated, for each ordered pair of species."""
    n = len(embedding)
    centre, neighbour = jnp.repeat(embedding[:, None], n, axis=1), jnp.repeat(embedding[None], n, axis=0)
    return jnp.concatenate([centre, neighbour], axis=-1)


def row_degrees(max_degree: int) -> Int[np.ndarray, " lm"]:
    """The degree l of each row lm of spherical features."""
    degree = np.arange(max_degree + 1)
    return np.repeat(degree, 2 * degree + 1)


def split_degrees(
    spherical: Float[Array, "atoms lm *rest"], max_degree: int
) -> list[Float[Array, "atoms _ *rest"]]:
    """The blocks [atoms, 2 l + 1, ...] of spherical features, l = 0 … max_degree."""
    return jnp.split(spherical, [n**2 for n in range(1, max_degree + 1)], axis=1)
