"""What a backbone says of each atom, and the small networks that all parts of a model share."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import density
from .basis import Radial
from .graph import Graph, lengths

Amplitudes = Float[Array, "atoms lm species radial"]
SMALL_NORM = 1e-2  # norms are rounded off below this, where their derivative would be singular


class Features(NamedTuple):
    """Invariant and equivariant features of each atom; the latter in e3x's order of (l, m)."""

    scalars: Float[Array, "atoms features"]
    spherical: Float[Array, "atoms lm channels"]


class Backbone(nn.Module):
    """The sizes that every descriptor has, and the density that it starts from.

    A subclass says how features arise from the density's amplitudes (`__call__`), and the widths of the
    readouts of energy and charge.
    """

    n_species: int
    radial: Radial
    harmonics: str  # "unit": Y_lm of directions; "solid": of vectors in units of the cutoff
    invariants: str  # "relative": see `invariants_of`; "published": those of the subclass
    max_degree: int
    embedding: int
    features: int
    channels: int

    energy_widths: ClassVar[tuple[int, ...]]
    charge_widths: ClassVar[tuple[int, ...]]

    def expand(self, vectors: Float[Array, "3 atoms max"], graph: Graph) -> Amplitudes:
        """The density of every atom, see `density.expand`; it has no parameters."""
        distances = lengths(vectors)
        arguments = vectors / (distances if self.harmonics == "unit" else self.radial.cutoff)
        return density.expand(arguments, distances, graph, self.radial, self.max_degree)

    def invariants_of(
        self, spherical: Float[Array, "atoms lm channels"]
    ) -> Float[Array, "atoms degrees channels"]:
        """|f_l,c|² over the root mean square of |f_l| over the channels; or `published`.

        It is as large as |f_l,c|, whose derivative jumps where a channel vanishes, and its own does not.
        """
        blocks = degrees(spherical, self.max_degree)
        powers = jnp.stack([jnp.sum(block**2, axis=1) for block in blocks], axis=1)
        if self.invariants == "published":
            return self.published(powers)
        return powers / jnp.sqrt(jnp.mean(powers, axis=2, keepdims=True) + SMALL_NORM**2)

    def published(self, powers: Float[Array, "atoms degrees channels"]) -> jax.Array:
        """What the paper's models make of |f_l,c|²."""
        raise NotImplementedError

    def species_embedding(self) -> Float[Array, "species width"]:
        """The learned vector of each species."""
        return self.param("embedding", nn.initializers.normal(1.0), (self.n_species, self.embedding))


class MLP(nn.Module):
    """Dense layers of the given widths with SiLU between them."""

    widths: Sequence[int]

    @nn.compact
    def __call__(self, x: Float[Array, "*rest inputs"]) -> Float[Array, "*rest outputs"]:
        for width in self.widths[:-1]:
            x = jax.nn.silu(nn.Dense(width)(x))
        return nn.Dense(self.widths[-1])(x)


class Readout(nn.Module):
    """One number an atom, zero for padding: dense layers of the given widths with SiLU, then one output."""

    widths: Sequence[int]
    offset: float = 0.0  # what an untrained readout says
    n_species: int = 0  # if given, a mean of each species is added, zero at first

    @nn.compact
    def __call__(self, scalars: Float[Array, "atoms features"], graph: Graph) -> Float[Array, " atoms"]:
        mean = 0.0
        if self.n_species:
            mean = self.param("mean", nn.initializers.zeros, (self.n_species,))[graph.species]
        for width in self.widths:
            scalars = jax.nn.silu(nn.Dense(width)(scalars))
        # Small at first: sums over many atoms and their Coulomb energy start near zero.
        small = nn.initializers.variance_scaling(0.01, "fan_in", "truncated_normal")
        bias = nn.initializers.constant(self.offset)
        return (mean + nn.Dense(1, kernel_init=small, bias_init=bias)(scalars)[:, 0]) * graph.atom_mask


def species_pairs(embedding: Float[Array, "species width"]) -> Float[Array, "species species twice_width"]:
    """The embeddings of centre and neighbour, side by side, for each ordered pair of species."""
    n = len(embedding)
    centre, neighbour = jnp.repeat(embedding[:, None], n, axis=1), jnp.repeat(embedding[None], n, axis=0)
    return jnp.concatenate([centre, neighbour], axis=-1)


def degree_of_rows(max_degree: int) -> np.ndarray:
    """The degree l of each row lm of spherical features."""
    degree = np.arange(max_degree + 1)
    return np.repeat(degree, 2 * degree + 1)


def degrees(spherical: Float[Array, "atoms lm *rest"], max_degree: int) -> list[Array]:
    """The blocks [atoms, 2 l + 1, ...] of spherical features, l = 0 … max_degree."""
    return jnp.split(spherical, [n**2 for n in range(1, max_degree + 1)], axis=1)
