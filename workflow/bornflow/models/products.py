"""Products of every atom's amplitudes with filters of its own, in the forms that processors are fast at.

The trilinear form of one atom's amplitudes A, filters W and a change G of what they make,
    T = Σ_{lm, r, c} A[lm, r] W[r, l, c] G[lm, c],
has three derivatives: `filtered` (with respect to G), `_by_amplitudes` and `_by_filters`. The derivatives of
each are the two others, of any order. Where many rows share a filter they are small matrix products, else
sums of elementwise products, written out, which take a quarter of the time of products in batches.
"""

from math import isqrt

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Amplitudes = Float[Array, "atoms lm radial"]
Filters = Float[Array, "atoms radial degrees channels"]
Spherical = Float[Array, "atoms lm channels"]


def turned(matrices: Float[Array, "atoms rows columns"]) -> Float[Array, "atoms columns rows"]:
    """Every matrix transposed in memory.

    In one piece the transposition would become part of the product that follows, which then takes four
    times as long on a processor.
    """
    half = matrices.shape[1] // 2
    parts = [part.swapaxes(1, 2) for part in (matrices[:, :half], matrices[:, half:])]
    return jnp.concatenate(parts, axis=2)


def filtered(amplitudes: Amplitudes, filters: Filters) -> Spherical:
    """Σ_r A[lm, r] W[r, l, c] of every atom; the filter of a degree l acts on all its m."""
    kind = jnp.result_type(amplitudes, filters)
    return _filtered(amplitudes.astype(kind), filters.astype(kind))


def _rows(rows: int) -> list[slice]:
    return [slice(n**2, (n + 1) ** 2) for n in range(isqrt(rows))]


@jax.custom_vjp
def _filtered(amplitudes, filters):
    parts = [
        sum(amplitudes[:, own, r, None] * filters[:, r, None, degree] for r in range(filters.shape[1]))
        for degree, own in enumerate(_rows(amplitudes.shape[1]))
    ]
    return jnp.concatenate(parts, axis=1)


@jax.custom_vjp
def _by_amplitudes(filters, change):
    atoms, radial, degrees, channels = filters.shape
    filters = turned(filters.reshape(atoms, radial, -1)).reshape(atoms, degrees, channels, radial)
    parts = [
        jnp.einsum("nmc,ncr->nmr", change[:, own], filters[:, degree])
        for degree, own in enumerate(_rows(change.shape[1]))
    ]
    return jnp.concatenate(parts, axis=1)


@jax.custom_vjp
def _by_filters(amplitudes, change):
    parts = [
        sum(amplitudes[:, m, :, None] * change[:, m, None] for m in range(own.start, own.stop))
        for own in _rows(change.shape[1])
    ]
    return jnp.stack(parts, axis=2)


def _with_factors(function):
    return lambda *factors: (function(*factors), factors)


_filtered.defvjp(
    _with_factors(_filtered), lambda held, by: (_by_amplitudes(held[1], by), _by_filters(held[0], by))
)
_by_amplitudes.defvjp(
    _with_factors(_by_amplitudes), lambda held, by: (_by_filters(by, held[1]), _filtered(by, held[0]))
)
_by_filters.defvjp(
    _with_factors(_by_filters), lambda held, by: (_by_amplitudes(by, held[1]), _filtered(held[0], by))
)
