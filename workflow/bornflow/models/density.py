"""The density of neighbours around each atom, expanded in radial and angular functions.

    A[i, s, r, lm] = Σ_{j ∈ N(i), z_j = s} f_c(r_ij) b_r(r_ij) Y_lm(u_ij)

Filters that are linear in the radial functions, with weights that depend on the centre and on the
neighbour's species only, factor through A, so no weight is ever built for a pair.
"""

import e3x
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import comb

from .graph import Graph


def bernstein(x: Float[Array, "..."], number: int) -> Float[Array, "... {number}"]:
    """Bernstein polynomials C(K−1, k) x^k (1−x)^(K−1−k), k = 0 … K−1, for x within [0, 1].

    Written out because the derivative of e3x's logarithmic form is exact to 10⁻⁶ only.
    """
    k = np.arange(number)
    x = jnp.clip(x, 0, 1)[..., None]
    return jnp.asarray(comb(number - 1, k), x.dtype) * x**k * (1 - x) ** (number - 1 - k)


def expand(
    arguments: Float[Array, "atoms max 3"],
    distances: Float[Array, "atoms max"],
    graph: Graph,
    n_species: int,
    cutoff: float,
    n_radial: int,
    max_degree: int,
) -> tuple[Float[Array, "atoms species_radial lm"], Float[Array, " atoms"]]:
    """The density A and the soft coordination number Σ_j f_c(r_ij) of every atom.

    Y_lm are the solid harmonics of `arguments` u: of unit vectors, or of vectors in units of the
    cutoff, which keeps every degree of order one.
    """
    switch = e3x.nn.cosine_cutoff(distances, cutoff) * graph.pair_mask
    radial = bernstein(distances / cutoff, n_radial) * switch[..., None]
    angular = e3x.so3.solid_harmonics(arguments, max_degree, cartesian_order=True)
    kinds = jnp.arange(n_species)
    is_kind = (graph.species[graph.neighbours][..., None] == kinds).astype(radial.dtype)
    by_kind = (is_kind[..., :, None] * radial[..., None, :]).reshape(*radial.shape[:2], n_species * n_radial)
    return jnp.einsum("njk,njl->nkl", by_kind, angular), switch.sum(axis=1)
