"""Products of spherical features with each other, and norms of them."""

from collections.abc import Sequence
from typing import Any

import e3x
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .features import row_degrees, split_degrees
from .types import Invariants, Spherical

PathWeights = Float[Array, "left right result channels"]
Block = Float[Array, "atoms _ channels"]  # the 2 l + 1 rows of one degree


class TensorProduct(nn.Module):
    """Products of two linear maps of the features, every degree with every degree: `couple` of U f and V f.

    The features have degrees up to `max_degree`, the products up to `result_degree`.
    """

    max_degree: int
    channels: int
    result_degree: int

    @nn.compact
    def __call__(self, spherical: Spherical) -> Float[Array, "atoms result_lm {self.channels}"]:
        """The products."""
        blocks = split_degrees(spherical, self.max_degree)
        left, right = (
            [
                nn.Dense(self.channels, use_bias=False, name=f"{side}_{degree}")(block)
                for degree, block in enumerate(blocks)
            ]
            for side in ("left", "right")
        )
        return couple(left, right, _weights(self, self.max_degree, self.max_degree, self.result_degree))


class Coupling(nn.Module):
    """The products `couple` of features up to `left_degree` with others up to `right_degree`."""

    left_degree: int
    right_degree: int
    channels: int

    @nn.compact
    def __call__(self, left: Sequence[Block], right: Sequence[Block]) -> Spherical:
        """The products, up to `right_degree`."""
        return couple(left, right, _weights(self, self.left_degree, self.right_degree, self.right_degree))


def _weights(module: nn.Module, left: int, right: int, result: int) -> PathWeights:
    shape = (left + 1, right + 1, result + 1, module.channels)
    weights = module.param("weights", nn.initializers.normal(1 / (max(left, right) + 1)), shape)
    return jnp.asarray(weights)


def couple(
    left: Sequence[Block], right: Sequence[Block], weights: PathWeights
) -> Float[Array, "atoms result_lm channels"]:
    """Products of the blocks of all degrees, without pseudotensors.

        f_lm,c = Σ_{l1, l2} w[l1, l2, l]_c Σ_{m1, m2} ⟨l1 m1, l2 m2 | l m⟩ a_{l1 m1, c} b_{l2 m2, c}

    with l1 + l2 + l even. An even l results from two even or two odd degrees, an odd l from one of each. Each
    of these four cases is a product of all pairs with dense coefficients.
    """
    highest = [size - 1 for size in weights.shape[:3]]
    coupling = np.array(e3x.so3.clebsch_gordan(*highest, cartesian_order=True))
    degrees = [row_degrees(degree) for degree in highest]
    sides = _by_parity(left), _by_parity(right)

    def product(first: int, second: int, result: int) -> Any:
        one, other = sides[0][first], sides[1][second]
        if one is None or other is None:
            return 0.0
        parities = (first, second, result)
        pairs = zip(degrees, parities, strict=True)
        rows = [np.flatnonzero(degree % 2 == parity) for degree, parity in pairs]
        dense = jnp.asarray(coupling[np.ix_(*rows)], weights.dtype)
        paths = weights[np.ix_(*(degree[row] for degree, row in zip(degrees, rows, strict=True)))]
        # One side after the other, so that all derivatives are matrix products too.
        half = jnp.einsum("cna,cabk->cnbk", one, dense * jnp.moveaxis(paths, -1, 0))
        return jnp.einsum("cnb,cnbk->cnk", other, half)

    even = product(0, 0, 0) + product(1, 1, 0)
    by_parity = [even, product(0, 1, 1) + product(1, 0, 1)] if highest[2] else [even]
    blocks = []
    for degree in range(highest[2] + 1):
        start = sum(2 * other + 1 for other in range(degree % 2, degree, 2))
        blocks.append(by_parity[degree % 2][..., start : start + 2 * degree + 1])
    return jnp.moveaxis(jnp.concatenate(blocks, axis=-1), 0, -1)


def _by_parity(blocks: Sequence[Block]) -> list[Float[Array, "channels atoms _"] | None]:
    """The rows of the even and of the odd degrees, None where there are none.

    Channels come first: the next operation is one matrix product per channel.
    """
    halves = (blocks[parity::2] for parity in (0, 1))
    return [jnp.moveaxis(jnp.concatenate(half, axis=1), -1, 0) if half else None for half in halves]


def norms(blocks: Sequence[Block]) -> Invariants:
    """|f_lc| for each degree and channel; derivatives of a vanishing f are zero."""
    return jnp.stack([_norm(block) for block in blocks], axis=1)


def scaled(invariants: Invariants) -> Float[Array, "atoms _"]:
    """(2 l + 1)^¼ times the invariants of degree l, as one row for each atom."""
    scale = (2 * np.arange(invariants.shape[1]) + 1) ** 0.25
    return (jnp.asarray(scale, invariants.dtype)[:, None] * invariants).reshape(len(invariants), -1)


# Derivatives of the square root of a sum of squares contain 1/|f|³ or worse, which overflows for small f.
# Those of |f| and f/|f|, written out, contain 1/|f| only.
@jax.custom_jvp
def _norm(block: Block) -> Float[Array, "atoms channels"]:
    return jnp.sqrt(jnp.sum(block**2, axis=1))


@_norm.defjvp
def _norm_jvp(primals: tuple[Block], tangents: tuple[Block]) -> tuple[jax.Array, jax.Array]:
    (block,), (change,) = primals, tangents
    return _norm(block), jnp.sum(_direction(block) * change, axis=1)


@jax.custom_jvp
def _direction(block: Block) -> Block:
    return block * _inverse_norm(block)


@_direction.defjvp
def _direction_jvp(primals: tuple[Block], tangents: tuple[Block]) -> tuple[Block, Block]:
    (block,), (change,) = primals, tangents
    direction = _direction(block)
    along = jnp.sum(direction * change, axis=1, keepdims=True)
    return direction, (change - direction * along) * _inverse_norm(block)


def _inverse_norm(block: Block) -> Float[Array, "atoms 1 channels"]:
    norm = _norm(block)[:, None]
    return jnp.where(norm > 0, 1 / jnp.where(norm > 0, norm, 1), 0)
