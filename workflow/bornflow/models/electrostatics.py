"""Electrostatic potentials of learned charges (eqs. 4 and 5).

    V_i = k_e Σ_{j≠i} q_j / r_ij

For isolated structures the sum runs over all pairs. For periodic structures it is an Ewald sum, whose
real-space part runs over the model's own neighbour list. One accuracy δ sets all parameters: with
a = √(−ln δ), the Gaussian width is σ = r_c / (√2 a), and the largest wave vector is k = √2 a / σ. Both sums
are then cut off where their terms have fallen to δ. Small cells use an explicit sum over waves, large cells
jax-pme's P3M mesh. The kernels in real and reciprocal space are those of jax-pme. The sum over waves is
implemented here: each wave is a product of one factor per cell vector, so the sum becomes two matrix products
and takes a tenth of the time.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxpme.kspace import generate_kvectors, get_reciprocal
from jaxpme.mesh import bspline
from jaxpme.potentials import potential
from jaxtyping import Array, Float
from scipy.fft import next_fast_len

from ..units import COULOMB
from .graph import Graph
from .types import Distances, PerAtom

_POTENTIAL = potential(exponent=1)
_NODES = 5  # mesh points along each direction that a charge is spread over
_WEIGHTS, _TO_MESH, _FROM_MESH = bspline(_NODES)
# The relative error of forces on a mesh of spacing h is MESH_ERROR (h/σ)⁵ (root mean square, liquid water).
MESH_ERROR = 3.0e-3
# Time of a mesh point and of the mesh itself, with gradients, in units of one wave at one atom (4 ns on two
# cores): they decide between mesh and sum over waves.
MESH_POINT, MESH_START = 6, 120_000


def smearing(cutoff: float, accuracy: float) -> float:
    """Gaussian width σ [Å] of the Ewald splitting."""
    return cutoff / (math.sqrt(2) * math.sqrt(-math.log(accuracy)))


def k_max(cutoff: float, accuracy: float) -> float:
    """Length [Å⁻¹] of the largest wave vector in the reciprocal-space sum."""
    return math.sqrt(2) * math.sqrt(-math.log(accuracy)) / smearing(cutoff, accuracy)


def potentials(
    charges: PerAtom, graph: Graph, distances: Distances, cutoff: float, accuracy: float
) -> PerAtom:
    """V_i [V] at every atom from the `charges` [e] and the `distances` in the neighbour list [Å].

    A charged periodic cell is neutralised by a uniform background.
    """
    charges = charges * graph.atom_mask
    if graph.waves is None:
        return COULOMB * _all_pairs(charges, graph)
    sigma = smearing(cutoff, accuracy)
    # The real-space sum excludes pairs beyond the cutoff, which a list with a skin contains.
    inside = graph.pair_mask * (distances < cutoff)
    real = jnp.sum(_POTENTIAL.sr(sigma, distances) * inside * charges[graph.neighbours], axis=1)
    return COULOMB * real * graph.atom_mask + reciprocal_potentials(charges, graph, cutoff, accuracy)


def reciprocal_potentials(charges: PerAtom, graph: Graph, cutoff: float, accuracy: float) -> PerAtom:
    """The part of `potentials` [V] that is summed in reciprocal space, for periodic structures."""
    charges = charges * graph.atom_mask
    sigma, mesh = smearing(cutoff, accuracy), mesh_points(graph, accuracy)
    if MESH_POINT * math.prod(mesh) + MESH_START < len(charges) * math.prod(map(len, graph.waves)):
        found = _mesh_sum(charges, graph, sigma, mesh)
    else:
        found = _wave_sum(charges, graph, sigma, k_max(cutoff, accuracy))
    return COULOMB * found * graph.atom_mask


def mesh_points(graph: Graph, accuracy: float) -> tuple[int, ...]:
    """Points of the mesh along each cell vector.

    The spacing is h = σ (δ / MESH_ERROR)^⅕, or slightly less where that makes the Fourier transform faster.
    A cell vector whose highest wave number is n is shorter than 2π (n + 1) / k, with the largest wave vector
    k = √2 a / σ.
    """
    one, two, three = map(len, graph.waves)
    largest, spacing = math.sqrt(-2 * math.log(accuracy)), (accuracy / MESH_ERROR) ** 0.2
    return tuple(
        next_fast_len(math.ceil(2 * math.pi * (highest + 1) / (largest * spacing)), real=True)
        for highest in (one // 2, two // 2, three - 1)
    )


def _mesh_sum(charges: PerAtom, graph: Graph, sigma: float, points: tuple[int, ...]) -> PerAtom:
    """Reciprocal-space potentials divided by k_e by P3M, corrected for self-interaction and background.

    jax-pme's `p3m` with another influence function. The original one computes the phases of waves from the
    cell, which causes rounding errors in derivatives with respect to the cell.
    """
    mesh = _WEIGHTS(jnp.linalg.inv(graph.cell), graph.positions, np.zeros(points))
    waves = generate_kvectors(get_reciprocal(graph.cell), points, dtype=charges.dtype, for_ewald=False)
    kernel = _POTENTIAL.lr(sigma, jnp.sum(waves**2, axis=-1)) * _influence(points).astype(charges.dtype)
    density = jnp.fft.rfftn(_TO_MESH(charges, mesh))
    field = jnp.fft.irfftn(density * kernel, norm="forward", s=points)
    volume = jnp.abs(jnp.linalg.det(graph.cell))
    return _FROM_MESH(field, mesh) / volume + _POTENTIAL.correction(sigma, charges, volume)


def _influence(points: tuple[int, ...]) -> Float[np.ndarray, "one two three"]:
    """1 / Π sinc(n/N)^2p for waves of n periods on N points.

    It corrects the damping that spreading charges over p nodes and gathering potentials from them cause.
    """
    one, two, three = points
    waves = np.meshgrid(np.fft.fftfreq(one), np.fft.fftfreq(two), np.fft.rfftfreq(three), indexing="ij")
    return np.prod(np.sinc(waves), axis=0) ** (-2 * _NODES)


def _wave_sum(charges: PerAtom, graph: Graph, sigma: float, limit: float) -> PerAtom:
    """The same potentials as a sum over waves, Σ_k G(k) Re[S*(k) exp(ik·r_i)] / Ω with |k| < `limit`.

    S = Σ_j q_j exp(ik·r_j). With exp(ik·r) = P(r) Z(r), where P belongs to the first two cell vectors and Z
    to the third, both S and the potentials are matrix products of the real and imaginary parts of P and Z.
    """
    inverse = jnp.linalg.inv(graph.cell)
    one, two, three = graph.waves
    scaled = graph.positions @ inverse
    scaled = scaled - jax.lax.stop_gradient(jnp.floor(scaled))  # small phases have smaller rounding errors
    phases = [2 * jnp.pi * scaled[:, axis, None] * n for axis, n in enumerate(graph.waves)]
    (cos1, sin1), (cos2, sin2), (cos3, sin3) = ((jnp.cos(phase), jnp.sin(phase)) for phase in phases)

    def product(
        first: Float[Array, "atoms first"], second: Float[Array, "atoms second"]
    ) -> Float[Array, "atoms first*second"]:
        return (first[:, :, None] * second[:, None, :]).reshape(len(charges), -1)

    real = product(cos1, cos2) - product(sin1, sin2)
    imaginary = product(sin1, cos2) + product(cos1, sin2)
    plane = jnp.concatenate([real, imaginary], axis=1)
    up = jnp.concatenate([cos3, sin3], axis=1)

    waves = one[:, None, None, None] * inverse[:, 0] + two[:, None, None] * inverse[:, 1]
    waves = 2 * jnp.pi * (waves + three[:, None] * inverse[:, 2])
    squares = jnp.sum(waves**2, axis=-1)
    # Waves with n₃ > 0 also represent the opposite waves.
    weights = jnp.where((squares > 0) & (squares < limit**2), jnp.where(three > 0, 2.0, 1.0), 0.0)
    kernel = (weights * _POTENTIAL.lr(sigma, squares)).reshape(-1, len(three))

    sums = (plane * charges[:, None]).T @ up
    sums = sums.reshape(2, -1, 2, len(three))
    cosine = (sums[0, :, 0] - sums[1, :, 1]) * kernel
    sine = (sums[0, :, 1] + sums[1, :, 0]) * kernel
    # Re[S* exp(ik·r)] = P_re (C Z_re + D Z_im) + P_im (D Z_re − C Z_im)
    mixed = jnp.concatenate(
        [jnp.concatenate([cosine, sine], axis=1), jnp.concatenate([sine, -cosine], axis=1)], axis=0
    )
    volume = jnp.abs(jnp.linalg.det(graph.cell))
    return jnp.sum(plane * (up @ mixed.T), axis=1) / volume + _POTENTIAL.correction(sigma, charges, volume)


def _all_pairs(charges: PerAtom, graph: Graph) -> PerAtom:
    """Σ_{j≠i} q_j / r_ij [e/Å]."""
    vectors = graph.positions[None, :] - graph.positions[:, None]
    mask = graph.atom_mask[None, :] * graph.atom_mask[:, None]
    mask = mask * (1 - jnp.eye(len(charges), dtype=mask.dtype))
    squares = jnp.where(mask > 0, jnp.sum(vectors**2, axis=-1), 1)
    return jnp.sum(mask / jnp.sqrt(squares) * charges[None, :], axis=1)
