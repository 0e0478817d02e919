"""Products of each atom's amplitudes with that atom's own filters, in forms that are fast on processors.

For amplitudes A, filters W and a cotangent G of their product, the trilinear form of one atom is
    T = Σ_{lm, r, c} A[lm, r] W[r, l, c] G[lm, c].
Its three derivatives are `_product` (with respect to G), `_pull_to_amplitudes` (A) and `_pull_to_filters`
(W). The derivatives of each of them are the other two, to any order. Where many rows share a filter, they are
computed as small matrix products. Otherwise they are explicit sums of elementwise products, which take a
quarter of the time of batched matrix products.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .types import Spherical

Amplitudes = Float[Array, "atoms lm radial"]  # summed over the species of neighbours
Filters = Float[Array, "atoms radial degrees channels"]


def transposed(matrices: Float[Array, "atoms rows columns"]) -> Float[Array, "atoms columns rows"]:
    """Every matrix transposed in memory.

    The two halves are transposed separately: XLA would fuse a single transposition into the next matrix
    product, which would then take four times as long on a processor.
    """
    middle = matrices.shape[1] // 2
    halves = [half.swapaxes(1, 2) for half in (matrices[:, :middle], matrices[:, middle:])]
    return jnp.concatenate(halves, axis=2)


def apply_filters(amplitudes: Amplitudes, filters: Filters) -> Spherical:
    """Σ_r A[lm, r] W[r, l, c] for every atom; the filter of degree l acts on all its m."""
    kind = jnp.result_type(amplitudes, filters)
    return _product(amplitudes.astype(kind), filters.astype(kind))


def _degree_rows(n_rows: int) -> list[slice]:
    """The rows lm of each degree."""
    return [slice(n**2, (n + 1) ** 2) for n in range(isqrt(n_rows))]


@jax.custom_vjp
def _product(amplitudes: Amplitudes, filters: Filters) -> Spherical:
    blocks = [
        sum(amplitudes[:, rows, r, None] * filters[:, r, None, degree] for r in range(filters.shape[1]))
        for degree, rows in enumerate(_degree_rows(amplitudes.shape[1]))
    ]
    return jnp.concatenate(blocks, axis=1)


@jax.custom_vjp
def _pull_to_amplitudes(filters: Filters, cotangent: Spherical) -> Amplitudes:
    atoms, radial, degrees, channels = filters.shape
    filters = transposed(filters.reshape(atoms, radial, -1)).reshape(atoms, degrees, channels, radial)
    blocks = [
        jnp.einsum("nmc,ncr->nmr", cotangent[:, rows], filters[:, degree])
        for degree, rows in enumerate(_degree_rows(cotangent.shape[1]))
    ]
    return jnp.concatenate(blocks, axis=1)


@jax.custom_vjp
def _pull_to_filters(amplitudes: Amplitudes, cotangent: Spherical) -> Filters:
    blocks = [
        sum(amplitudes[:, m, :, None] * cotangent[:, m, None] for m in range(rows.start, rows.stop))
        for rows in _degree_rows(cotangent.shape[1])
    ]
    return jnp.stack(blocks, axis=2)


def _keeping_factors(function: Callable[..., jax.Array]) -> Callable[..., tuple[jax.Array, Any]]:
    """`function`, returning also its two factors for the backward pass."""
    return lambda *factors: (function(*factors), factors)


_product.defvjp(
    _keeping_factors(_product),
    lambda factors, by: (_pull_to_amplitudes(factors[1], by), _pull_to_filters(factors[0], by)),
)
_pull_to_amplitudes.defvjp(
    _keeping_factors(_pull_to_amplitudes),
    lambda factors, by: (_pull_to_filters(by, factors[1]), _product(by, factors[0])),
)
_pull_to_filters.defvjp(
    _keeping_factors(_pull_to_filters),
    lambda factors, by: (_pull_to_amplitudes(by, factors[1]), _product(factors[0], by)),
)
