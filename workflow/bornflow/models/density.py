"""The density of neighbours around each atom, expanded in radial and angular functions.

    A[i, s, r, lm] = Σ_{j ∈ N(i), z_j = s} f_c(r_ij) b_r(r_ij) Y_lm(u_ij)

Filters that are linear in the radial functions, with weights that depend on the centre and on the
neighbour's species only, factor through A, so no weight is ever built for a pair.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import basis
from .graph import Graph


def expand(
    arguments: Float[Array, "atoms max 3"],
    distances: Float[Array, "atoms max"],
    graph: Graph,
    cutoff: float,
    n_radial: int,
    max_degree: int,
) -> Float[Array, "atoms species radial lm"]:
    """The density A of every atom.

    Y_lm are the solid harmonics of `arguments` u: of unit vectors, or of vectors in units of the
    cutoff, which keeps every degree of order one.
    """
    distances = jnp.where(graph.pair_mask > 0, distances, 2 * cutoff)  # no padding within the cutoff
    return _amplitudes(distances, arguments, graph.blocks, cutoff, n_radial, max_degree)


def _sums(radial: jax.Array, angular: jax.Array, blocks: tuple[int, ...]) -> jax.Array:
    """Σ_j R_rj Y_lj over the neighbours of each species."""
    ends = np.cumsum(blocks)
    parts = [
        jnp.einsum("nrj,nlj->nrl", radial[..., end - size : end], angular[..., end - size : end])
        for end, size in zip(ends, blocks, strict=True)
    ]
    return jnp.stack(parts, axis=1)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def _amplitudes(distances, arguments, blocks, cutoff, n_radial, max_degree):
    return _amplitudes_and_parts(distances, arguments, blocks, cutoff, n_radial, max_degree)[0]


def _amplitudes_and_parts(distances, arguments, blocks, cutoff, n_radial, max_degree):
    radial = basis.radial_functions(distances, n_radial, cutoff)
    angular = basis.solid_harmonics(arguments, max_degree)
    return _sums(radial, angular, blocks), (distances, radial, angular)


def _pull_back(blocks, cutoff, n_radial, max_degree, parts, change):
    """Derivatives with respect to distances and arguments: half the time of the automatic ones."""
    distances, radial, angular = parts
    _, pull = jax.vjp(partial(_sums, blocks=blocks), radial, angular)
    by_radial, by_angular = pull(change)
    slopes = basis.radial_slopes(distances, n_radial, cutoff) * by_radial
    by_distance = sum(slopes[..., k, :] for k in range(n_radial))
    return by_distance, basis.pull_harmonics(angular, by_angular, max_degree)


_amplitudes.defvjp(_amplitudes_and_parts, _pull_back)
