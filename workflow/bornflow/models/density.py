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
from .products import turned


def expand(
    arguments: Float[Array, "3 atoms max"],
    distances: Float[Array, "atoms max"],
    graph: Graph,
    radial: basis.Radial,
    max_degree: int,
) -> Float[Array, "atoms lm species radial"]:
    """The density A of every atom.

    f_c b_r are the `radial` functions, Y_lm the solid harmonics of `arguments` u: of unit vectors, or of
    vectors in units of the cutoff, which keeps every degree of order one.
    """
    distances = jnp.where(graph.pair_mask > 0, distances, 2 * radial.cutoff)  # no padding within the cutoff
    return _amplitudes(distances, arguments, graph.blocks, radial, max_degree)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _amplitudes(distances, arguments, blocks, which, max_degree):
    return _amplitudes_and_parts(distances, arguments, blocks, which, max_degree)[0]


def _amplitudes_and_parts(distances, arguments, blocks, which, max_degree):
    """A, and for each species of neighbour its distances, radial and angular functions."""
    parts = []
    for end, size in zip(np.cumsum(blocks), blocks, strict=True):
        of_species = distances[:, end - size : end]
        radial = basis.radial_functions(of_species, which)
        angular = basis.solid_harmonics(arguments[:, :, end - size : end], max_degree)
        parts.append((of_species, radial, angular))
    sums = [jnp.einsum("nlj,njr->nlr", angular, turned(radial)) for _, radial, angular in parts]
    return jnp.stack(sums, axis=2), parts


def _pull_back(blocks, which, max_degree, parts, change):
    """Derivatives with respect to distances and arguments: half the time of the automatic ones."""
    by_distance, by_angular = [], []
    for index, (distances, radial, angular) in enumerate(parts):
        of_species = change[:, :, index]
        by_radial = jnp.einsum("nrl,nlj->nrj", turned(of_species), angular)
        slopes = basis.radial_slopes(distances, which) * by_radial
        by_distance.append(sum(slopes[:, k] for k in range(which.number)))
        by_angular.append(jnp.einsum("nlr,nrj->nlj", of_species, radial))

    def by_argument():
        parts_and_changes = zip(parts, by_angular, strict=True)
        return [basis.pull_harmonics(angular, by, max_degree) for (*_, angular), by in parts_and_changes]

    # A branch that is always taken: without it these long sums become part of every use of their result.
    none = [jnp.zeros_like(by[:, :3].swapaxes(0, 1)) for by in by_angular]
    first = next(of_species for of_species, *_ in parts if of_species.size).ravel()[0]
    by_argument = jax.lax.cond(first > -1, by_argument, lambda: none)
    return jnp.concatenate(by_distance, axis=1), jnp.concatenate(by_argument, axis=2)


_amplitudes.defvjp(_amplitudes_and_parts, _pull_back)
