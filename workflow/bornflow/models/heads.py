"""Tensor readouts of the uncoupled models: Born effective charges from the features of each atom.

Each gives a 3×3 tensor [field, force] an atom, with all nine components free.
"""

from typing import ClassVar

import e3x
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .features import Features
from .graph import Graph


class GatedTensor(nn.Module):
    """A linear path (l = 0, 2) and a quadratic one (tensor products of two linear maps of the features,
    of even total degree so that the result is a true tensor: l = 0, 1, 2), each channel scaled by a
    gate that an MLP of the atom's scalars gives, plus an isotropic part around a mean per element.
    """

    n_species: int
    channels: int = 16
    hidden: int = 128
    max_degree: int = 2  # of the features that are multiplied

    @nn.compact
    def __call__(self, features: Features, graph: Graph) -> Float[Array, "atoms 3 3"]:
        scalars = features.scalars
        spherical = features.spherical[:, : (self.max_degree + 1) ** 2]
        hidden = jax.nn.silu(nn.Dense(self.hidden, name="gate_hidden")(scalars))
        left = _per_degree(self, "left", spherical, self.max_degree, self.channels)
        right = _per_degree(self, "right", spherical, self.max_degree, self.channels)
        coupling = jnp.asarray(_even_coupling(self.max_degree), left.dtype)
        quadratic = jnp.einsum("nac,nbc,abk->nkc", left, right, coupling)
        linear = _per_degree(self, "linear", spherical[:, :9], 2, self.channels)
        linear = linear.at[:, 1:4].set(0)  # vectors are odd, the antisymmetric part is even
        gates = nn.Dense(2 * 3 * self.channels, name="gates")(hidden)
        gates = jnp.repeat(
            gates.reshape(-1, 3, 2 * self.channels),
            np.array([1, 3, 5]),
            axis=1,
            total_repeat_length=9,
        )
        irreps = jnp.sum(gates * jnp.concatenate([linear, quadratic], axis=-1), axis=-1)
        mean = self.param("mean", nn.initializers.zeros, (self.n_species,))
        isotropic = mean[graph.species] + nn.Dense(1, name="isotropic")(hidden)[:, 0]
        return cartesian(irreps.at[:, 0].add(isotropic))


class DenseTensor(nn.Module):
    """Equivariant dense layers, a tensor product of two linear maps of the last, l ≤ 2 of it.

    After all layers but the last, channels are gated by their scalar part.
    """

    n_species: int
    channels: int
    layers: ClassVar[int] = 3

    @nn.compact
    def __call__(self, features: Features, graph: Graph) -> Float[Array, "atoms 3 3"]:
        spherical = features.spherical[:, None]  # e3x's axis of parity, of which there is one
        for layer in range(self.layers):
            spherical = e3x.nn.Dense(self.channels)(spherical if layer == 0 else e3x.nn.silu(spherical))
        product = e3x.nn.TensorDense(1, max_degree=2, cartesian_order=True)(spherical)[..., 0]
        return cartesian(product[:, 0])  # the part of even parity


class PublishedTensor(DenseTensor):
    """The head of the published code: every layer reads the features, so that only the last one counts."""

    layers: ClassVar[int] = 1


HEADS = {"gated": GatedTensor, "dense": DenseTensor, "published": PublishedTensor}


def _per_degree(module: nn.Module, name: str, spherical, max_degree: int, channels: int):
    """An equivariant linear map: one matrix over channels for each degree."""
    blocks = []
    for degree in range(max_degree + 1):
        weights = module.param(
            f"{name}_{degree}",
            nn.initializers.lecun_normal(),
            (spherical.shape[-1], channels),
        )
        blocks.append(spherical[:, degree**2 : (degree + 1) ** 2] @ weights)
    return jnp.concatenate(blocks, axis=1)


def _even_coupling(max_degree: int) -> np.ndarray:
    """Clebsch–Gordan coefficients [lm, lm, 9] with l₁ + l₂ even: products of even parity."""
    coupling = np.array(e3x.so3.clebsch_gordan(max_degree, max_degree, 2, cartesian_order=True))
    for first in range(max_degree + 1):
        for second in range(max_degree + 1):
            if (first + second) % 2:
                coupling[first**2 : (first + 1) ** 2, second**2 : (second + 1) ** 2] = 0
    return coupling


def cartesian(irreps: Float[Array, "atoms 9"]) -> Float[Array, "atoms 3 3"]:
    """T_ab = irreps_00 δ_ab + Σ_{lm, l=1,2} ⟨1a 1b | lm⟩ irreps_lm, with vectors ordered (x, y, z)."""
    to_tensor = np.array(e3x.so3.clebsch_gordan(1, 1, 2, cartesian_order=True))[1:, 1:]
    to_tensor[..., 0] = np.eye(3)
    return jnp.einsum("abk,nk->nab", jnp.asarray(to_tensor, irreps.dtype), irreps)
