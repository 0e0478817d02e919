"""Electrostatic potentials of learned charges (eqs. 4 and 5).

    V_i = k_e Σ_{j≠i} q_j / r_ij

Isolated structures: the plain sum over all pairs. Periodic structures: the Ewald sum, its real-space
part over the model's own neighbour list. The splitting follows from one accuracy δ: with
a = √(−ln δ) the Gaussian width is σ = r_c / (√2 a), and wave vectors up to √2 a / σ are summed, so
both parts are cut off where they have fallen to δ. Formulas of the parts, self-interaction and
background are jax-pme's; the sum over wave vectors is our own, since waves factor by cell vectors and
become two matrix products, which take a tenth of the time.
"""

import math

import jax
import jax.numpy as jnp
from jaxpme.potentials import potential
from jaxtyping import Array, Float

from ..units import COULOMB
from .graph import Graph

_POTENTIAL = potential(exponent=1)


def smearing(cutoff: float, accuracy: float) -> float:
    """Gaussian width σ [Å] of the Ewald splitting."""
    return cutoff / (math.sqrt(2) * math.sqrt(-math.log(accuracy)))


def k_max(cutoff: float, accuracy: float) -> float:
    """Largest wave vector [Å⁻¹] of the reciprocal-space sum."""
    return math.sqrt(2) * math.sqrt(-math.log(accuracy)) / smearing(cutoff, accuracy)


def potentials(
    charges: Float[Array, " atoms"],
    graph: Graph,
    distances: Float[Array, "atoms max"],
    cutoff: float,
    accuracy: float,
) -> Float[Array, " atoms"]:
    """V_i [V] at every atom from `charges` [e]; `distances` are those of the neighbour list [Å].

    A charged periodic cell is neutralised by a uniform background.
    """
    charges = charges * graph.atom_mask
    if graph.waves is None:
        return COULOMB * _all_pairs(charges, graph)
    sigma = smearing(cutoff, accuracy)
    # Pairs beyond the cutoff (in the skin of a list) are dropped, as the splitting assumes.
    inside = graph.pair_mask * (distances < cutoff)
    real = jnp.sum(_POTENTIAL.sr(sigma, distances) * inside * charges[graph.neighbours], axis=1)
    reciprocal = _reciprocal(charges, graph, sigma, k_max(cutoff, accuracy))
    constant = _POTENTIAL.correction(sigma, charges, jnp.abs(jnp.linalg.det(graph.cell)))
    return COULOMB * (real + reciprocal + constant) * graph.atom_mask


def _reciprocal(
    charges: Float[Array, " atoms"], graph: Graph, sigma: float, limit: float
) -> Float[Array, " atoms"]:
    """Σ_k G(k) Re[S*(k) exp(ik·r_i)] / Ω over wave vectors shorter than `limit`, S = Σ_j q_j exp(ik·r_j).

    With exp(ik·r) = P(r) Z(r), P of the first two cell vectors and Z of the third, both S and the
    potentials are matrix products over the real and imaginary parts of P and Z.
    """
    inverse = jnp.linalg.inv(graph.cell)
    one, two, three = graph.waves
    scaled = graph.positions @ inverse
    scaled = scaled - jax.lax.stop_gradient(jnp.floor(scaled))  # small phases are more precise
    phases = [2 * jnp.pi * scaled[:, axis, None] * n for axis, n in enumerate(graph.waves)]
    (cos1, sin1), (cos2, sin2), (cos3, sin3) = ((jnp.cos(phase), jnp.sin(phase)) for phase in phases)

    def product(first, second):
        return (first[:, :, None] * second[:, None, :]).reshape(len(charges), -1)

    real = product(cos1, cos2) - product(sin1, sin2)
    imaginary = product(sin1, cos2) + product(cos1, sin2)
    plane = jnp.concatenate([real, imaginary], axis=1)
    up = jnp.concatenate([cos3, sin3], axis=1)

    waves = one[:, None, None, None] * inverse[:, 0] + two[:, None, None] * inverse[:, 1]
    waves = 2 * jnp.pi * (waves + three[:, None] * inverse[:, 2])
    squares = jnp.sum(waves**2, axis=-1)
    # Waves with n₃ > 0 stand for their opposites too.
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
    return jnp.sum(plane * (up @ mixed.T), axis=1) / jnp.abs(jnp.linalg.det(graph.cell))


def _all_pairs(charges: Float[Array, " atoms"], graph: Graph) -> Float[Array, " atoms"]:
    vectors = graph.positions[None, :] - graph.positions[:, None]
    mask = graph.atom_mask[None, :] * graph.atom_mask[:, None]
    mask = mask * (1 - jnp.eye(len(charges), dtype=mask.dtype))
    squares = jnp.where(mask > 0, jnp.sum(vectors**2, axis=-1), 1)
    return jnp.sum(mask / jnp.sqrt(squares) * charges[None, :], axis=1)
