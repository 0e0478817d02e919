"""Tensor heads of uncoupled models: Born effective charges from the features of each atom.

Each head gives one 3×3 tensor [field, force] per atom, whose nine components are all independent.
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
from .types import Spherical, Tensors


class TensorHead(nn.Module):
    """Born effective charges [e] of each atom from its features."""

    n_species: int
    channels: int
    product_degree: int = 2  # highest degree of the features that `gated` multiplies, at least 2

    def __call__(self, features: Features, graph: Graph) -> Tensors:
        """One tensor per atom."""
        raise NotImplementedError


class GatedTensor(TensorHead):
    """A linear path (l = 0, 2) and a quadratic path (l = 0, 1, 2), with an isotropic term added.

    The quadratic path is the tensor product of two linear maps of the features up to `product_degree`. Only
    products with l₁ + l₂ even are kept, so that the result is a true tensor. An MLP of the atom's scalars
    gives a gate that scales each channel. The isotropic term is a mean for each element plus a linear map of
    the MLP's hidden layer.
    """

    hidden: int = 128

    @nn.compact
    def __call__(self, features: Features, graph: Graph) -> Tensors:
        """One tensor per atom."""
        scalars = features.scalars
        spherical = features.spherical[:, : (self.product_degree + 1) ** 2]
        hidden = jax.nn.silu(nn.Dense(self.hidden, name="gate_hidden")(scalars))
        left = _linear_map(self, "left", spherical, self.product_degree, self.channels)
        right = _linear_map(self, "right", spherical, self.product_degree, self.channels)
        coupling = jnp.asarray(_even_coupling(self.product_degree), left.dtype)
        quadratic = jnp.einsum("nac,nbc,abk->nkc", left, right, coupling)
        linear = _linear_map(self, "linear", spherical[:, :9], 2, self.channels)
        linear = linear.at[:, 1:4].set(0)  # vectors are odd, the antisymmetric part of a tensor is even
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


class DenseTensor(TensorHead):
    """Equivariant dense layers, then a tensor product of two linear maps of the last one, up to l = 2.

    After all layers but the last, each channel is gated by its scalar component.
    """

    layers: ClassVar[int] = 3

    @nn.compact
    def __call__(self, features: Features, graph: Graph) -> Tensors:
        """One tensor per atom."""
        spherical = features.spherical[:, None]  # e3x's axis of parity, which has one entry here
        for layer in range(self.layers):
            spherical = e3x.nn.Dense(self.channels)(spherical if layer == 0 else e3x.nn.silu(spherical))
        product = e3x.nn.TensorDense(1, max_degree=2, cartesian_order=True)(spherical)[..., 0]
        return cartesian(product[:, 0])  # of even parity


class PublishedTensor(DenseTensor):
    """The head of the published code, where every layer reads the features: only the last has an effect."""

    layers: ClassVar[int] = 1


HEADS: dict[str, type[TensorHead]] = {
    "gated": GatedTensor,
    "dense": DenseTensor,
    "published": PublishedTensor,
}


def _linear_map(
    module: nn.Module, name: str, spherical: Spherical, max_degree: int, channels: int
) -> Float[Array, "atoms lm {channels}"]:
    """An equivariant linear map: one matrix over channels for each degree."""
    blocks = []
    shape = (spherical.shape[-1], channels)
    for degree in range(max_degree + 1):
        weights = module.param(f"{name}_{degree}", nn.initializers.lecun_normal(), shape)
        blocks.append(spherical[:, degree**2 : (degree + 1) ** 2] @ weights)
    return jnp.concatenate(blocks, axis=1)


def _even_coupling(max_degree: int) -> Float[np.ndarray, "lm lm 9"]:
    """Clebsch–Gordan coefficients with l₁ + l₂ even: products of even parity."""
    coupling = np.array(e3x.so3.clebsch_gordan(max_degree, max_degree, 2, cartesian_order=True))
    for first in range(max_degree + 1):
        for second in range(max_degree + 1):
            if (first + second) % 2:
                coupling[first**2 : (first + 1) ** 2, second**2 : (second + 1) ** 2] = 0
    return coupling


def cartesian(irreps: Float[Array, "atoms 9"]) -> Tensors:
    """T_ab = irreps_00 δ_ab + Σ_{lm, l=1,2} ⟨1a 1b | lm⟩ irreps_lm, with vectors ordered (x, y, z)."""
    to_tensor = np.array(e3x.so3.clebsch_gordan(1, 1, 2, cartesian_order=True))[1:, 1:]
    to_tensor[..., 0] = np.eye(3)
    return jnp.einsum("abk,nk->nab", jnp.asarray(to_tensor, irreps.dtype), irreps)
