"""The density of neighbours around each atom, expanded in radial and angular functions.

    A[i, s, r, lm] = Σ_{j ∈ N(i), z_j = s} f_c(r_ij) b_r(r_ij) Y_lm(u_ij)

Filters that are linear in the radial functions, with weights that depend on the centre and on the
neighbour's species only, factor through A, so no weight is ever built for a pair.
"""

from functools import partial

import e3x
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import comb

from .graph import Graph


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def bernstein(x: Float[Array, "..."], number: int) -> Float[Array, "... {number}"]:
    """Bernstein polynomials b_k = C(K−1, k) x^k (1−x)^(K−1−k), k = 0 … K−1, for x within [0, 1].

    Written out because the derivative of e3x's logarithmic form is exact to 10⁻⁶ only; here it is
    b'_k = (K−1) (b_{k−1} − b_k) of the basis that is smaller by one.
    """
    x = jnp.clip(x, 0, 1)[..., None]
    k = np.arange(number)
    return jnp.asarray(comb(number - 1, k), x.dtype) * _powers(x, k) * _powers(1 - x, k[::-1])


@bernstein.defjvp
def _bernstein_jvp(number, primals, tangents):
    (x,), (dx,) = primals, tangents
    if number == 1:
        return bernstein(x, 1), jnp.zeros((*x.shape, 1), x.dtype)
    smaller = bernstein(x, number - 1)
    none = jnp.zeros((*x.shape, 1), x.dtype)
    slope = jnp.concatenate([none, smaller], axis=-1) - jnp.concatenate([smaller, none], axis=-1)
    return bernstein(x, number), (number - 1) * slope * dx[..., None]


def _powers(x: Float[Array, "... 1"], exponents: np.ndarray) -> Float[Array, "... powers"]:
    """x to integer powers, by squaring: a power function costs ten times as much."""
    result = jnp.ones((), x.dtype)
    for bit in range(int(exponents.max(initial=0)).bit_length()):
        result = result * jnp.where((exponents >> bit) % 2 == 1, x, 1)
        x = x * x
    return jnp.broadcast_to(result, (*x.shape[:-1], len(exponents)))


def expand(
    arguments: Float[Array, "atoms max 3"],
    distances: Float[Array, "atoms max"],
    graph: Graph,
    cutoff: float,
    n_radial: int,
    max_degree: int,
) -> tuple[Float[Array, "atoms species radial lm"], Float[Array, " atoms"]]:
    """The density A and the soft coordination number Σ_j f_c(r_ij) of every atom.

    Y_lm are the solid harmonics of `arguments` u: of unit vectors, or of vectors in units of the
    cutoff, which keeps every degree of order one.
    """
    switch = e3x.nn.cosine_cutoff(distances, cutoff) * graph.pair_mask
    radial = bernstein(distances / cutoff, n_radial) * switch[..., None]
    angular = e3x.so3.solid_harmonics(arguments, max_degree, cartesian_order=True)
    ends = np.cumsum(graph.blocks)
    amplitudes = [
        jnp.einsum("njr,njl->nrl", radial[:, end - size : end], angular[:, end - size : end])
        for end, size in zip(ends, graph.blocks, strict=True)
    ]
    return jnp.stack(amplitudes, axis=1), switch.sum(axis=1)
